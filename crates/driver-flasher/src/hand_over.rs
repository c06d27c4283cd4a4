//! What passes between board and machine around a flash: the medium, through a storage mux or by the boot loader, and the console.

use std::sync::Arc;
use std::time::Duration;

use board_console::Console;
use flasher_core::{Error, Result, RootCause};

use crate::job::Session;
use crate::trouble;

/// How long a mux may take to obey: drivers bound themselves, and no config allows them more.
const OBEY: Duration = Duration::from_secs(600);
/// How long the disk of this machine may take to be let go of, by work that nothing waits for any more.
const LET_GO: Duration = Duration::from_secs(60);

/// Gives the medium to this machine. Without a mux it is there already, or a person plugs it in.
pub(crate) async fn to_host(session: Session<'_>) -> Result<()> {
    session.run.medium_is_here(true);
    match &session.flasher.mux {
        Some(mux) => obey(mux.host(), "this machine").await,
        None => Ok(()),
    }
}

/// Gives the medium back to the board, once its disk is closed here; nothing when it is there.
pub(crate) async fn to_board(session: Session<'_>) -> Result<()> {
    if !session.run.medium_is_here(false) {
        return Ok(());
    }
    let sharing = session.run.sharing.lock().await.take();
    if session.flasher.mux.is_none() && sharing.is_none() {
        return Ok(());
    }
    let closed = tokio::time::timeout(LET_GO, Arc::clone(&session.flasher.medium_open).lock_owned()).await;
    let given = match (sharing, &session.flasher.mux) {
        (Some(mut uboot), _) => uboot.take_back().await.map_err(|error| trouble::console(&error)),
        (None, Some(mux)) => obey(mux.dut(), "the board").await,
        (None, None) => Ok(()),
    };
    if given.is_err() {
        // The cleaning up tries again.
        session.run.medium_is_here(true);
    }
    match closed {
        Ok(_) => given,
        Err(_) => given.and(Err(Error::infrastructure(format!(
            "the disk was not let go of within {} s, and the medium was given to the board all the same",
            LET_GO.as_secs()
        ))
        .caused_by(RootCause::MediumHangs)
        .help("the kernel's log (`dmesg`) says what it waits for"))),
    }
}

async fn obey(order: impl Future<Output = Result<()>>, to: &str) -> Result<()> {
    let obeyed = tokio::time::timeout(OBEY, order).await;
    let obeyed = obeyed.unwrap_or_else(|_| {
        Err(Error::infrastructure(format!("the storage mux did not obey within {} s", OBEY.as_secs())))
    });
    obeyed.map_err(|error| {
        error.with("node", "mux").with("medium to", to.to_owned()).caused_by(RootCause::MuxFailed)
    })
}

/// Opens the board's console, and its transcript.
pub(crate) async fn console(session: Session<'_>) -> Result<Console> {
    let stream = session.flasher.serial()?.open().await;
    let stream = stream.map_err(|error| error.with("node", "serial").caused_by(RootCause::LineMissing))?;
    let transcript = session.run.console.open()?;
    Ok(Console::new(Box::new(stream), transcript))
}
