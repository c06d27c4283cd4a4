//! A job from start to receipt, within its deadline, and a board in a known state at the end.

mod attempts;
mod boot;
mod bound;
mod caught;
mod dump_attempt;
mod flash_attempt;
mod identify_attempt;
mod rehearsal;
mod settle;

use std::sync::Arc;
use std::time::Duration;

use flasher_core::flash::JobKind;
use flasher_core::{Class, DumpJob, Error, Event, FlashJob, IdentifyJob, Progress, Receipt, Result, Step};

use crate::flasher::BaseFlasher;
use crate::job::{Proof, Purpose, Run, Session};
use crate::recording;
use crate::step::read;
pub(crate) use rehearsal::{plan, rehearse};

/// Runs a job to its end. `free` is false when another job owns the board.
pub(crate) async fn flash(
    flasher: &BaseFlasher,
    job: FlashJob,
    progress: Arc<dyn Progress>,
    free: bool,
) -> Receipt {
    // The recorder of a board that another job owns listens to that job.
    let progress = if free { recording::begin(&flasher.recorder, progress) } else { progress };
    let run = Run::new(JobKind::Flash, &job, progress);
    to_receipt(Session { flasher, job: &job, run: &run, purpose: Purpose::Flash }, free).await
}

/// Runs a dump to its end. `free` is false when another job owns the board.
pub(crate) async fn dump(
    flasher: &BaseFlasher,
    dump: DumpJob,
    progress: Arc<dyn Progress>,
    free: bool,
) -> Receipt {
    let job = dump_attempt::settings(&dump);
    let run = Run::new(JobKind::Dump, &job, progress);
    to_receipt(Session { flasher, job: &job, run: &run, purpose: Purpose::Dump(&dump) }, free).await
}

/// Says what a medium holds. `free` is false when another job owns the board.
pub(crate) async fn identify(
    flasher: &BaseFlasher,
    identify: IdentifyJob,
    progress: Arc<dyn Progress>,
    free: bool,
) -> Receipt {
    let job = identify.settings();
    let run = Run::new(JobKind::Identify, &job, progress);
    to_receipt(Session { flasher, job: &job, run: &run, purpose: Purpose::Identify(&identify) }, free).await
}

async fn to_receipt(session: Session<'_>, free: bool) -> Receipt {
    let outcome = if free { caught::caught(bounded(session)).await } else { Err(busy()) };
    let settled = if free { settle::settle(session, outcome.is_ok()).await } else { Ok(()) };
    let outcome = match (combine(outcome, settled), session.purpose) {
        // Not to be stopped halfway: a file that has its name is a dump.
        (Ok(proofs), Purpose::Dump(dump)) => {
            session.run.step(Step::Commit, read::keep(dump)).await.map(|()| proofs)
        }
        (outcome, _) => outcome,
    };
    let receipt = session.run.receipt(outcome).await;
    if free && matches!(session.purpose, Purpose::Flash) {
        recording::keep(session, &receipt).await;
    }
    session.run.report(Event::Finished { receipt: Box::new(receipt.clone()) });
    receipt
}

/// All attempts, within the job's deadline, until the job is stopped.
async fn bounded(session: Session<'_>) -> Result<Vec<Proof>> {
    let deadline = session.job.deadline.unwrap_or(Duration::MAX);
    tokio::select! {
        biased;
        () = session.job.stop.cancelled() => Err(interrupted(session)),
        outcome = tokio::time::timeout(deadline, attempts::run(session)) => {
            outcome.unwrap_or_else(|_| Err(too_late(session, deadline)))
        }
    }
}

/// The deadline passed; what an attempt before failed of is the cause more likely than what was under way.
fn too_late(session: Session<'_>, deadline: Duration) -> Error {
    let error = session.run.diagnosed(bound::too_late(deadline, session.run.record.step_now()));
    match session.run.record.last_failure() {
        Some((attempt, cause)) => error.with("failure before", format!("attempt {attempt}: {cause}")),
        None => error,
    }
}

/// A failure to leave the board in order is a failure of the job, unless the job failed before.
fn combine(outcome: Result<Vec<Proof>>, settled: Result<()>) -> Result<Vec<Proof>> {
    match (outcome, settled) {
        (Ok(_), Err(error)) => Err(error),
        (outcome, _) => outcome,
    }
}

fn busy() -> Error {
    Error::infrastructure("another flash owns this board")
        .help("wait for it to end, or stop it")
        .retryable(false)
}

fn interrupted(session: Session<'_>) -> Error {
    let help = match session.purpose {
        Purpose::Flash => session.run.on_medium.now().next_step(),
        Purpose::Dump(_) => "the medium is as it was, and no dump was kept; dump again",
        Purpose::Identify(_) => "the medium is as it was; look at it again",
    };
    Error::new(Class::Interrupted, format!("stopped by the user in step {}", session.run.record.step_now()))
        .help(help)
}
