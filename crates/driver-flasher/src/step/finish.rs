//! Step 12: the new system is seen to boot when asked for; then everything is put into its final state.

use std::future::Future;
use std::time::Duration;

use board_console::Pattern;
use flasher_core::flash::PowerState;
use flasher_core::{Class, Error, Result, Step};

use super::power;
use super::resolve::Resolved;
use super::shell::{Guest, path};
use crate::config::seconds;
use crate::transaction::Session;
use crate::trouble;

/// How long each part of the cleaning up may take.
const SETTLE: Duration = Duration::from_secs(20);

/// Cycles power and waits for the text that proves the new system boots, when the job or the manifest names one.
pub(crate) async fn boot_check(session: Session<'_>, resolved: &Resolved, guest: Guest) -> Result<()> {
    let manifest = &resolved.bundle.manifest().spec;
    let Some(expected) = session.job.expect_boot.as_ref().or(manifest.expect_boot.as_ref()) else {
        return Ok(());
    };
    let pattern = Pattern::regex(expected).map_err(|error| trouble::console(&error))?;
    let mut console = guest.shell.into_console();
    let transcript = console.transcript().clone();
    console.discard();
    power::again(session, &transcript).await?;
    let within = seconds(session.flasher.config.timeouts.boot_check);
    console.expect(&[pattern], within).await.map(drop).map_err(|error| {
        let text = format!(
            "the medium is proven, but the new system did not show `{expected}` within {} s",
            within.as_secs()
        );
        Error::new(Class::Board, text)
            .because(trouble::console(&error))
            .help("the image may not be made for this board; watch it with `flasher console`")
            .retryable(false)
    })
}

/// Servers down, staged files gone, power as it should be. Every part is tried, whatever the others do.
pub(crate) async fn settle(session: Session<'_>, proven: bool) -> Result<()> {
    for name in ["guest.sh", "frames", "ranges", "read-back"] {
        session.flasher.http.withdraw(&path(session, name));
    }
    let http = bounded("stopping the HTTP server", session.flasher.http.stop()).await;
    let tftp = bounded("stopping the TFTP server", session.flasher.tftp.stop()).await;
    unstage(session).await;
    let power = power_down(session, proven).await;
    let settled = http.and(tftp).and(power);
    // A failure before has a step of its own.
    settled.inspect_err(|_| {
        if proven {
            session.run.set_step(Step::Finish)
        }
    })
}

async fn power_down(session: Session<'_>, proven: bool) -> Result<()> {
    let touched = session.run.power() != PowerState::Untouched;
    if !touched || (proven && !session.job.power_off) {
        return Ok(());
    }
    session.run.set_power(PowerState::Unknown);
    bounded("switching the board off", session.flasher.power.off()).await.map_err(power::switch)?;
    session.run.set_power(PowerState::Off);
    if !bounded("asking the switch", power::confirm(session, false)).await? && proven {
        power::listen(session).await;
    }
    Ok(())
}

async fn bounded<T>(what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let outcome = tokio::time::timeout(SETTLE, work).await;
    outcome.unwrap_or_else(|_| {
        Err(Error::infrastructure(format!("{what} took longer than {} s", SETTLE.as_secs())))
    })
}

/// What is left behind is told, and is no failure of the flash.
async fn unstage(session: Session<'_>) {
    let staging = session.run.staging();
    let kept = bounded("removing the staged boot files", async { Ok(staging.clear().await) }).await;
    kept.unwrap_or_else(|error| vec![error.cause()]).into_iter().for_each(|kept| session.run.warn(kept));
}
