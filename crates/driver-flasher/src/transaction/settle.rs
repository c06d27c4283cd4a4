//! After every attempt, also a failed one: servers down, files gone, power as it should be.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use flasher_core::flash::PowerState;
use flasher_core::{Error, Result, Step};

use crate::access::linux;
use crate::hand_over;
use crate::job::Session;
use crate::step::power;

/// How long each part of the cleaning up may take.
const SETTLE: Duration = Duration::from_secs(20);
/// The same when a second signal asked to hurry.
const HURRIED: Duration = Duration::from_secs(2);
/// How long switching off may take, all tries together. Drivers bound themselves; no config allows them more for one order.
const SWITCH: Duration = Duration::from_secs(600);
/// The same for a storage mux, and for a disk that is closed before.
const MEDIUM: Duration = Duration::from_secs(700);
/// How often the switch gets an order, as one may get lost on its way.
const TRIES: u32 = 3;
/// Time between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// Servers down, staged files gone, power as it should be. Every part is tried, whatever the others do.
pub(super) async fn settle(session: Session<'_>, proven: bool) -> Result<()> {
    linux::withdraw(session);
    let (servers, token) = (&session.run.servers, &session.run.token);
    let (medium, http, tftp, ()) = tokio::join!(
        within(MEDIUM, "giving the medium back to the board", hand_over::to_board(session)),
        bounded(session, "stopping the HTTP server", servers.http.stop(token)),
        bounded(session, "stopping the TFTP server", servers.tftp.stop(token)),
        unstage(session),
    );
    // A board that starts finds its medium.
    let power = power_down(session, proven).await;
    let settled = http.and(tftp).and(medium).and(power);
    settled.map_err(|error| {
        // A failure before has a step of its own.
        if proven {
            session.run.record.set_step(Step::Finish);
        }
        session.run.diagnosed(error)
    })
}

async fn power_down(session: Session<'_>, proven: bool) -> Result<()> {
    let touched = session.run.record.power() != PowerState::Untouched;
    if !touched || (proven && !session.job.power_off) {
        return Ok(());
    }
    session.run.record.set_power(PowerState::Unknown);
    switch_off(session).await.map_err(power::switch)?;
    power::ask(session, "off by hand now: the job is over");
    session.run.record.set_power(PowerState::Off);
    if !bounded(session, "asking the switch", power::confirm(session, false)).await? && proven {
        power::listen(session).await;
    }
    Ok(())
}

/// Tells the switch again where that can help: a board that stays on is worse than a late receipt.
async fn switch_off(session: Session<'_>) -> Result<()> {
    let tries = async {
        for _ in 1..TRIES {
            match session.flasher.power()?.off().await {
                Err(error) if error.is_retryable() => {
                    session.run.warn(format!("switching the board off failed: {}", error.cause()));
                    tokio::time::sleep(PAUSE).await;
                }
                done => return done,
            }
        }
        session.flasher.power()?.off().await
    };
    within(SWITCH, "switching the board off", tries).await
}

/// Bounds what is only tidiness: sharply once a second signal asked to hurry.
async fn bounded<T>(session: Session<'_>, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut work = pin!(within(SETTLE, what, work));
    tokio::select! {
        biased;
        done = &mut work => done,
        () = session.job.hurry.cancelled() => {
            tokio::time::timeout(HURRIED, work).await.unwrap_or_else(|_| Err(late(what, HURRIED)))
        }
    }
}

async fn within<T>(bound: Duration, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(bound, work).await.unwrap_or_else(|_| Err(late(what, bound)))
}

fn late(what: &str, bound: Duration) -> Error {
    Error::infrastructure(format!("{what} took longer than {} s", bound.as_secs()))
}

/// What is left behind is reported, and is no failure of the flash.
async fn unstage(session: Session<'_>) {
    let staging = session.run.staging();
    let kept = bounded(session, "removing the staged boot files", async { Ok(staging.clear().await) }).await;
    kept.unwrap_or_else(|error| vec![error.cause()]).into_iter().for_each(|kept| session.run.warn(kept));
}
