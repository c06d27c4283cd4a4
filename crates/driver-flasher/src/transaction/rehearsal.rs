//! What a job does before it touches the board, by itself: a plan, and what `flasher doctor` tries.

use std::sync::Arc;

use flasher_core::flash::{JobKind, ViaUsed};
use flasher_core::{Error, FlashJob, Plan, Quiet, Result};

use super::flash_attempt::attempt_bound;
use crate::flasher::BaseFlasher;
use crate::job::{Purpose, Run, Session};
use crate::step::{image, plan, resolve};

/// The first three steps, which touch nothing.
pub(crate) async fn plan(flasher: &BaseFlasher, job: FlashJob) -> Result<Plan> {
    let run = Run::new(JobKind::Flash, &job, Arc::new(Quiet));
    let session = Session { flasher, job: &job, run: &run, purpose: Purpose::Flash };
    let resolved = resolve::run(session).await?;
    let images = image::open(session).await?;
    plan::run(session, &resolved)?;
    let bound = attempt_bound(session, &images);
    plan::describe(&resolved, &images, bound, job.format, run.record.warnings())
}

/// What a job without an image does before it touches the board, and undone again.
pub(crate) async fn rehearse(flasher: &BaseFlasher) -> Result<()> {
    let job = FlashJob::new("");
    let run = Run::new(JobKind::Flash, &job, Arc::new(Quiet));
    let session = Session { flasher, job: &job, run: &run, purpose: Purpose::Flash };
    let resolved = resolve::run(session).await?;
    plan::run(session, &resolved)?;
    if resolved.via() == ViaUsed::Host {
        return Ok(());
    }
    let staging = run.staging();
    let staged = staging.fill_for(&run.token, resolved.files(), flasher.tftp.root()).await;
    let left = staging.clear().await;
    staged?;
    left.into_iter().next().map_or(Ok(()), |kept| Err(Error::infrastructure(kept).retryable(false)))
}
