//! A dump from resolving to the file's name: the board is booted as for a flash, and nothing is written to its medium.

use flasher_core::{DumpJob, FlashJob, Result, Step};

use super::boot::boot;
use crate::job::{Proof, Session};
use crate::step::{plan, read, resolve, target};

/// What a dump and a flash have in common, as the steps of a flash read it.
pub(super) fn settings(dump: &DumpJob) -> FlashJob {
    FlashJob {
        partition: dump.partition.clone(),
        target: dump.target.clone(),
        via: dump.via,
        preflash: dump.preflash.clone(),
        retries: dump.retries,
        deadline: dump.deadline,
        power_off: dump.power_off,
        verify: dump.verify,
        transcript: dump.transcript.clone(),
        site: dump.site.clone(),
        stop: dump.stop.clone(),
        hurry: dump.hurry.clone(),
        ..FlashJob::new(dump.sink.label())
    }
}

/// One attempt, up to the proof; the file gets its name when the board is in its final state.
pub(super) async fn run(session: Session<'_>, dump: &DumpJob) -> Result<Proof> {
    let run = session.run;
    run.record.image(|facts| facts.source = dump.sink.label());
    let resolved = run.step(Step::Resolve, resolve::run(session)).await?;
    run.step(Step::Plan, async { plan::run(session, &resolved) }).await?;
    let mut access = boot(session, &resolved).await?;
    let partition = dump.partition.as_deref();
    let target =
        run.step(Step::Target, target::source(session, &resolved, partition, access.as_mut())).await?;
    let taken = run.step(Step::Read, read::all(session, dump, &target, access.as_mut())).await?;
    let checked = run.step(Step::Verify, read::again(session, &target, &taken, access.as_mut())).await?;
    Ok(read::proof(&taken, &checked))
}
