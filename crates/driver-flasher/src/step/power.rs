//! Step 5: the serial line is opened, then power goes off and on. One owner of the line for the whole transaction.

use board_console::{Console, Transcript};
use flasher_core::flash::PowerState;
use flasher_core::{Error, Result};

use crate::config::seconds;
use crate::transaction::Session;
use crate::trouble;

pub(crate) async fn cycle(session: Session<'_>) -> Result<Console> {
    let stream = session.flasher.serial.open().await.map_err(|error| error.with("node", "serial"))?;
    let transcript = transcript(session)?;
    let console = Console::new(Box::new(stream), transcript.clone());
    again(session, &transcript).await?;
    Ok(console)
}

/// Power off, wait, on; noted in the transcript.
pub(crate) async fn again(session: Session<'_>, transcript: &Transcript) -> Result<()> {
    session.run.set_power(PowerState::Unknown);
    transcript.note("power off");
    session.flasher.power.off().await.map_err(switch)?;
    tokio::time::sleep(seconds(session.flasher.config.power_off_seconds)).await;
    transcript.note("power on");
    session.flasher.power.on().await.map_err(switch)?;
    session.run.set_power(PowerState::On);
    Ok(())
}

fn switch(error: Error) -> Error {
    error.with("node", "power")
}

/// The transcript of the job: one for all attempts.
fn transcript(session: Session<'_>) -> Result<Transcript> {
    if let Some(transcript) = session.run.transcript() {
        return Ok(transcript);
    }
    let transcript = match &session.job.transcript {
        Some(path) => Transcript::to_file(path).map_err(|error| trouble::console(&error))?,
        None => Transcript::in_memory(),
    };
    transcript.on_line(session.run.hear());
    session.run.set_transcript(transcript.clone());
    Ok(transcript)
}
