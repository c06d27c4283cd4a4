//! A look at what a medium holds: the board is booted as for a flash, and nothing is written to its medium.

use flasher_core::{IdentifyJob, Result, Step};

use super::boot::boot;
use crate::job::Session;
use crate::step::{identify, plan, resolve, target};

/// One attempt; what was found is recorded.
pub(super) async fn run(session: Session<'_>, job: &IdentifyJob) -> Result<()> {
    let run = session.run;
    let resolved = run.step(Step::Resolve, resolve::run(session)).await?;
    let given = match job.image {
        Some(_) => run.step(Step::Image, identify::given(session)).await?,
        None => None,
    };
    run.step(Step::Plan, async { plan::run(session, &resolved) }).await?;
    let mut access = boot(session, &resolved).await?;
    let partition = job.partition.as_deref();
    let target =
        run.step(Step::Target, target::source(session, &resolved, partition, access.as_mut())).await?;
    let images = (given.as_ref(), job.known.as_slice());
    let found = run.step(Step::Read, identify::medium(session, &target, images, access.as_mut())).await?;
    run.record.found(found);
    Ok(())
}
