//! A job from start to receipt: attempts, deadline, cancellation, and a board in a known state at the end.

mod receipt;
mod run;

use std::sync::Arc;
use std::time::Duration;

use flasher_core::{Class, Error, Event, FlashJob, Plan, Progress, Quiet, Receipt, Result, Step};

pub(crate) use receipt::Proof;
pub(crate) use run::Run;

use crate::flasher::BaseFlasher;
use crate::step::{
    bootloader, commit, finish, image, plan, power, resolve, services, shell, target, verify, write,
};

/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What every step may look at.
#[derive(Clone, Copy)]
pub(crate) struct Session<'a> {
    pub(crate) flasher: &'a BaseFlasher,
    pub(crate) job: &'a FlashJob,
    pub(crate) run: &'a Run,
}

/// Runs a job to its end. `free` is false when another job owns the board.
pub(crate) async fn flash(
    flasher: &BaseFlasher,
    job: FlashJob,
    progress: Arc<dyn Progress>,
    free: bool,
) -> Receipt {
    let run = Run::new(&job, progress);
    let session = Session { flasher, job: &job, run: &run };
    let outcome = if free { bounded(session).await } else { Err(busy()) };
    let settled = if free { finish::settle(session, outcome.is_ok()).await } else { Ok(()) };
    let receipt = run.receipt(combine(outcome, settled)).await;
    run.report(Event::Finished { receipt: Box::new(receipt.clone()) });
    receipt
}

/// The first three steps, which touch nothing.
pub(crate) async fn plan(flasher: &BaseFlasher, job: FlashJob) -> Result<Plan> {
    let run = Run::new(&job, Arc::new(Quiet));
    let session = Session { flasher, job: &job, run: &run };
    let resolved = resolve::run(session).await?;
    let image = image::open(session).await?;
    plan::run(session, &resolved, &image)?;
    Ok(plan::describe(&resolved, &image, run.warnings()))
}

/// A failure to leave the board in order is a failure of the job, unless the job failed before.
fn combine(outcome: Result<Proof>, settled: Result<()>) -> Result<Proof> {
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
async fn bounded(session: Session<'_>) -> Result<Proof> {
    let deadline = session.job.deadline.unwrap_or(Duration::MAX);
    tokio::select! {
        biased;
        () = session.job.stop.cancelled() => Err(interrupted(session.run.step_now())),
        outcome = tokio::time::timeout(deadline, attempts(session)) => {
            outcome.unwrap_or_else(|_| Err(too_late(deadline, session.run.step_now())))
        }
    }
}

fn interrupted(step: Step) -> Error {
    Error::new(Class::Interrupted, format!("stopped by the user in step {step}"))
        .help("the medium may be half written; flash again before booting from it")
}

fn too_late(deadline: Duration, step: Step) -> Error {
    let seconds = deadline.as_secs();
    Error::infrastructure(format!("the deadline of {seconds} s passed in step {step}"))
        .help("give more time with `--deadline`; the steps' times in the receipt show where it went")
        .retryable(false)
}

async fn attempts(session: Session<'_>) -> Result<Proof> {
    let attempts = session.job.retries + 1;
    for attempt in 1..attempts {
        let error = match one(session, attempt, attempts).await {
            Ok(proof) => return Ok(proof),
            Err(error) => error,
        };
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
async fn one(session: Session<'_>, attempt: u32, attempts: u32) -> Result<Proof> {
    let run = session.run;
    run.begin(attempt);
    run.report(Event::AttemptBegun { attempt, attempts });
    let resolved = run.step(Step::Resolve, resolve::run(session)).await?;
    let image = run.step(Step::Image, image::open(session)).await?;
    run.step(Step::Plan, async { plan::run(session, &resolved, &image) }).await?;
    let services = run.step(Step::Services, services::start(session, &resolved)).await?;
    let console = run.step(Step::Power, power::cycle(session)).await?;
    let (console, network) =
        run.step(Step::Bootloader, bootloader::load(session, &resolved, &services, console)).await?;
    let mut guest =
        run.step(Step::Shell, shell::enter(session, &resolved, &services, &network, console)).await?;
    let target = run.step(Step::Target, target::check(session, &resolved, &image, &mut guest)).await?;
    let written = run.step(Step::Write, write::all(session, &resolved, &image, &target, &mut guest)).await?;
    let checked = run.step(Step::Verify, verify::all(session, &image, &target, &written, &mut guest)).await?;
    let proof =
        run.step(Step::Commit, commit::first_block(session, &target, written, checked, &mut guest)).await?;
    run.step(Step::Finish, finish::boot_check(session, &resolved, guest)).await?;
    Ok(proof)
}
