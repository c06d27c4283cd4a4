//! The attempts of a job, one after the other until one succeeds, and the pause between two.

use std::time::Duration;

use flasher_core::{Error, Event, Result};

use super::settle::settle;
use super::{dump_attempt, flash_attempt, identify_attempt};
use crate::job::{Proof, Purpose, Session};

/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// All attempts. A failure that another attempt cannot mend is the last one.
pub(super) async fn run(session: Session<'_>) -> Result<Vec<Proof>> {
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

/// One attempt: each step takes what the steps before it produced.
async fn one(session: Session<'_>, attempt: u32, attempts: u32) -> Result<Vec<Proof>> {
    let run = session.run;
    run.begin(attempt);
    run.report(Event::AttemptBegun { attempt, attempts });
    match session.purpose {
        Purpose::Flash => flash_attempt::run(session).await,
        Purpose::Dump(dump) => Ok(vec![dump_attempt::run(session, dump).await?]),
        Purpose::Identify(job) => identify_attempt::run(session, job).await.map(|()| Vec::new()),
    }
}

/// Between two attempts the board is off and the servers are down.
async fn pause(session: Session<'_>, attempt: u32, error: &Error) -> Result<()> {
    settle(session, false).await?;
    let pause = Duration::from_secs(1 << attempt.min(6)).min(LONGEST_PAUSE);
    session.run.report(Event::Retrying { attempt, pause: pause.as_secs_f64(), cause: error.cause() });
    tokio::time::sleep(pause).await;
    Ok(())
}
