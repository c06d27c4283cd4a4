//! Step 5: the serial line is opened, then power goes off and on. One owner of the line for the whole transaction.

use std::time::Duration;

use board_console::Console;
use flasher_core::flash::{PowerEvidence, PowerState};
use flasher_core::{Error, Event, Result, RootCause};
use tokio::io::AsyncReadExt as _;

use crate::config::seconds;
use crate::hand_over;
use crate::job::Session;

/// How long a console must be silent to be evidence, and how long it may go on before.
const LISTEN: Duration = Duration::from_secs(1);
/// Time for a person to switch off and to leave it off.
const BY_HAND: Duration = Duration::from_secs(5);

pub(crate) async fn cycle(session: Session<'_>) -> Result<Console> {
    let mut console = hand_over::console(session).await?;
    again(session, &mut console).await?;
    Ok(console)
}

/// Power off, where there is a switch, before the medium is taken from the board.
pub(crate) async fn off(session: Session<'_>) -> Result<()> {
    let Some(power) = &session.flasher.power else { return Ok(()) };
    session.run.record.set_power(PowerState::Unknown);
    power.off().await.map_err(switch)?;
    ask(session, "off by hand now: its medium is taken from it");
    session.run.record.set_power(PowerState::Off);
    confirm(session, false).await?;
    tokio::time::sleep(off_time(session)?).await;
    Ok(())
}

/// Power on, where there is a switch, once the board has its medium back.
pub(crate) async fn on(session: Session<'_>) -> Result<()> {
    let Some(power) = &session.flasher.power else { return Ok(()) };
    power.on().await.map_err(switch)?;
    ask(session, "on by hand now");
    session.run.record.set_power(PowerState::On);
    confirm(session, true).await.map(drop)
}

/// How long power stays off: a person needs more time.
fn off_time(session: Session<'_>) -> Result<Duration> {
    let off = seconds(session.flasher.config.power_off_seconds);
    Ok(if session.flasher.power()?.is_by_hand() { off.max(BY_HAND) } else { off })
}

/// Power off, wait, on; noted in the transcript.
pub(crate) async fn again(session: Session<'_>, console: &mut Console) -> Result<()> {
    let transcript = console.transcript().clone();
    session.run.record.set_power(PowerState::Unknown);
    transcript.note("power off");
    session.flasher.power()?.off().await.map_err(switch)?;
    let off = off_time(session)?;
    ask(
        session,
        &format!("off by hand now, and leave it off for {:.0} s, until you are told", off.as_secs_f64()),
    );
    confirm(session, false).await?;
    session.run.views.power_off(session.flasher.power()?.is_by_hand());
    // What was on its way may still come.
    console.listen(off / 2).await;
    let before = transcript.heard();
    console.listen(off / 2).await;
    session.run.views.power_on(&transcript, transcript.heard() - before);
    transcript.note("power on");
    on(session).await
}

/// Tells the person who does the switching what to do, when there is one.
pub(crate) fn ask(session: Session<'_>, what: &str) {
    if session.flasher.power.as_ref().is_some_and(|power| power.is_by_hand()) {
        let message = format!("flasher has no switch for this board: switch it {what}");
        session.run.report(Event::Warning { message });
    }
}

/// Asks the switch whether it did as ordered; false when it cannot say.
pub(crate) async fn confirm(session: Session<'_>, on: bool) -> Result<bool> {
    let word = |on: bool| if on { "on" } else { "off" };
    match session.flasher.power()?.state().await.map_err(switch)? {
        None => Ok(false),
        Some(state) if state == on => {
            session.run.record.confirm_power(PowerEvidence::Reported);
            Ok(true)
        }
        Some(state) => {
            let text = format!("power was switched `{}`, but the switch reports `{}`", word(on), word(state));
            Err(switch(
                Error::infrastructure(text)
                    .help("is this the board's outlet, and does nothing else switch it?")
                    .caused_by(RootCause::SwitchDisagrees),
            ))
        }
    }
}

/// Looks for evidence that a board is off whose switch cannot tell: its console stays silent. Never fails: it is only evidence.
pub(crate) async fn listen(session: Session<'_>) {
    match tokio::time::timeout(LISTEN * 4, is_silent(session)).await {
        Ok(Ok(true)) => session.run.record.confirm_power(PowerEvidence::ConsoleSilent),
        Ok(Ok(false)) => session.run.warn("the console still talks although the power was switched off"),
        Ok(Err(error)) => {
            session.run.note(format!("the console could not be listened to: {}", error.cause()))
        }
        Err(_) => session.run.note("the console could not be listened to in time"),
    }
}

async fn is_silent(session: Session<'_>) -> Result<bool> {
    let mut line = session.flasher.serial()?.open().await?;
    let mut buffer = [0; 4096];
    // What is on its way, and what was received before.
    let settled = tokio::time::Instant::now() + LISTEN;
    while let Ok(Ok(1..)) = tokio::time::timeout_at(settled, line.read(&mut buffer)).await {}
    let heard = tokio::time::timeout(LISTEN, line.read(&mut buffer)).await;
    // A line that ends, as that of an adapter powered by the board, is silent.
    Ok(!matches!(heard, Ok(Ok(1..))))
}

/// Says where it happened.
pub(crate) fn switch(error: Error) -> Error {
    error.with("node", "power").caused_by(RootCause::SwitchFailed)
}
