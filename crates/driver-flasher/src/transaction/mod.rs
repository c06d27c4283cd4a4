//! A job from start to receipt: attempts, deadline, cancellation, and a board in a known state at the end.

mod boot;
mod bound;
mod caught;
mod dump;

use std::sync::Arc;
use std::time::Duration;

use flasher_core::flash::{JobKind, MediumState, Verify};
use flasher_core::{Class, DumpJob, Error, Event, FlashJob, Plan, Progress, Quiet, Receipt, Result, Step};

use crate::access::{MediumAccess, Target};
use crate::flasher::BaseFlasher;
use crate::job::{Proof, Run, Session};
use crate::opened::OpenedImage;
use crate::step::resolve::Resolved;
use crate::step::write::Put;
use crate::step::{commit, finish, image, plan, read, resolve, target, verify, write};

/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Runs a job to its end. `free` is false when another job owns the board.
pub(crate) async fn flash(
    flasher: &BaseFlasher,
    job: FlashJob,
    progress: Arc<dyn Progress>,
    free: bool,
) -> Receipt {
    let run = Run::new(JobKind::Flash, &job, progress);
    to_receipt(Session { flasher, job: &job, run: &run, dump: None }, free).await
}

/// Runs a dump to its end. `free` is false when another job owns the board.
pub(crate) async fn dump(
    flasher: &BaseFlasher,
    dump: DumpJob,
    progress: Arc<dyn Progress>,
    free: bool,
) -> Receipt {
    let job = dump::settings(&dump);
    let run = Run::new(JobKind::Dump, &job, progress);
    to_receipt(Session { flasher, job: &job, run: &run, dump: Some(&dump) }, free).await
}

async fn to_receipt(session: Session<'_>, free: bool) -> Receipt {
    let outcome = if free { caught::caught(bounded(session)).await } else { Err(busy()) };
    let settled = if free { finish::settle(session, outcome.is_ok()).await } else { Ok(()) };
    let outcome = match (combine(outcome, settled), session.dump) {
        // Not to be stopped halfway: a file that has its name is a dump.
        (Ok(proofs), Some(dump)) => session.run.step(Step::Commit, read::keep(dump)).await.map(|()| proofs),
        (outcome, _) => outcome,
    };
    let receipt = session.run.receipt(outcome).await;
    session.run.report(Event::Finished { receipt: Box::new(receipt.clone()) });
    receipt
}

/// The first three steps, which touch nothing.
pub(crate) async fn plan(flasher: &BaseFlasher, job: FlashJob) -> Result<Plan> {
    let run = Run::new(JobKind::Flash, &job, Arc::new(Quiet));
    let session = Session { flasher, job: &job, run: &run, dump: None };
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
    let session = Session { flasher, job: &job, run: &run, dump: None };
    let resolved = resolve::run(session).await?;
    plan::run(session, &resolved)?;
    let staging = run.staging();
    let staged = staging.fill_for(&run.token, &resolved.files, flasher.tftp.root()).await;
    let left = staging.clear().await;
    staged?;
    left.into_iter().next().map_or(Ok(()), |kept| Err(Error::infrastructure(kept).retryable(false)))
}

/// The longest time an attempt may take, of a job that has no deadline of its own.
fn attempt_bound(session: Session<'_>, images: &[OpenedImage]) -> Option<Duration> {
    let lengths = images.iter().map(|opened| opened.image.decoded_length());
    session.job.deadline.is_none().then(|| bound::longest(&session.flasher.config.timeouts, lengths))
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

/// All attempts, within the job's deadline, until the job is stopped.
async fn bounded(session: Session<'_>) -> Result<Vec<Proof>> {
    let deadline = session.job.deadline.unwrap_or(Duration::MAX);
    tokio::select! {
        biased;
        () = session.job.stop.cancelled() => Err(interrupted(session)),
        outcome = tokio::time::timeout(deadline, attempts(session)) => {
            outcome.unwrap_or_else(|_| Err(bound::too_late(deadline, session.run.record.step_now())))
        }
    }
}

fn interrupted(session: Session<'_>) -> Error {
    let help = match session.dump {
        None => session.run.on_medium.now().next_step(),
        Some(_) => "the medium is as it was, and no dump was kept; dump again",
    };
    Error::new(Class::Interrupted, format!("stopped by the user in step {}", session.run.record.step_now()))
        .help(help)
}

async fn attempts(session: Session<'_>) -> Result<Vec<Proof>> {
    let attempts = session.job.retries.saturating_add(1);
    for attempt in 1..attempts {
        let error = match one(session, attempt, attempts).await {
            Ok(proof) => return Ok(proof),
            Err(error) => error,
        };
        session.run.attempt_failed(&error);
        if !error.is_retryable() {
            return Err(error);
        }
        pause(session, attempt, &error).await?;
    }
    one(session, attempts, attempts).await
}

/// Between two attempts the board is off and the servers are down.
async fn pause(session: Session<'_>, attempt: u32, error: &Error) -> Result<()> {
    finish::settle(session, false).await?;
    let pause = Duration::from_secs(1 << attempt.min(6)).min(LONGEST_PAUSE);
    session.run.report(Event::Retrying { attempt, pause: pause.as_secs_f64(), cause: error.cause() });
    tokio::time::sleep(pause).await;
    Ok(())
}

/// One attempt: each step takes what the steps before it produced.
async fn one(session: Session<'_>, attempt: u32, attempts: u32) -> Result<Vec<Proof>> {
    let run = session.run;
    run.begin(attempt);
    run.report(Event::AttemptBegun { attempt, attempts });
    match session.dump {
        None => write(session).await,
        Some(dump) => Ok(vec![dump::read(session, dump).await?]),
    }
}

async fn write(session: Session<'_>) -> Result<Vec<Proof>> {
    let run = session.run;
    let resolved = run.step(Step::Resolve, resolve::run(session)).await?;
    let mut images = run.step(Step::Image, image::open(session)).await?;
    run.step(Step::Plan, async { plan::run(session, &resolved) }).await?;
    if let Some(first) = images.first_mut().filter(|_| !session.job.direct) {
        first.begin();
    }
    let Some(longest) = attempt_bound(session, &images) else {
        return carry_out(session, &resolved, images).await;
    };
    let carried_out = tokio::time::timeout(longest, carry_out(session, &resolved, images)).await;
    carried_out.unwrap_or_else(|_| Err(bound::attempt_too_long(longest, run.record.step_now())))
}

/// From power on to the proofs.
async fn carry_out(
    session: Session<'_>,
    resolved: &Resolved,
    mut images: Vec<OpenedImage>,
) -> Result<Vec<Proof>> {
    let run = session.run;
    let ready = async {
        let mut access = boot::boot(session, resolved).await?;
        let targets = target::check(session, resolved, &images, access.as_mut());
        Ok((run.step(Step::Target, targets).await?, access))
    };
    let (targets, mut access) = match ready.await {
        Ok(ready) => ready,
        Err(error) => {
            run.leave_open(images);
            return Err(error);
        }
    };
    let mut puts = Vec::new();
    for (index, (opened, target)) in images.iter_mut().zip(&targets).enumerate() {
        run.record.select(index);
        puts.push(put(session, resolved, opened, target, access.as_mut()).await?);
    }
    run.on_medium.leaves(MediumState::NotProven);
    let proofs = run.step(Step::Verify, verify::all(session, &puts, access.as_mut())).await?;
    if session.job.verify == Verify::Full {
        run.on_medium.leaves(MediumState::Proven);
    }
    run.step(Step::Finish, finish::boot_check(session, resolved, access)).await?;
    Ok(proofs)
}

/// Puts one image where it belongs, whole.
async fn put<'p>(
    session: Session<'_>,
    resolved: &Resolved,
    opened: &'p mut OpenedImage,
    target: &'p Target,
    access: &mut dyn MediumAccess,
) -> Result<Put<'p>> {
    let run = session.run;
    if let Some(label) = &opened.partition {
        run.note(format!("{} goes to the partition `{label}`, {}", opened.image.label(), target.device));
    }
    let write = write::all(session, resolved, opened, target, access);
    let written = run.step(Step::Write, write).await.map_err(|error| opened.about(error))?;
    let commit = commit::first_block(session, target, &written, access);
    run.step(Step::Commit, commit).await.map_err(|error| opened.about(error))?;
    // Of several images only some are there: no single place says how far.
    run.on_medium.leaves(MediumState::PartlyWritten { to: 0 });
    Ok(Put { opened, target, written })
}
