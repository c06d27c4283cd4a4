//! What a device can do, one small trait per capability.
//!
//! Every method takes `&self`: a driver that needs state holds its own lock. All are object safe and used as `Arc<dyn …>`.

mod content;
mod flasher;
mod other;
mod storage_mux;

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};

pub use content::{Content, ContentStream, Upload, UploadSink};
pub use flasher::{Flasher, FlasherBundle};
pub use other::OtherDriver;
pub use storage_mux::{MuxPosition, StorageMux};

use crate::error::{Error, Result};
use crate::event::Transfer;

/// What every driver is: it can be checked for its hardware, and closed.
#[async_trait]
pub trait Driver: Any + fmt::Debug + Send + Sync {
    /// Looks whether the hardware is there, without changing its state. Called before a job, never while building the tree.
    ///
    /// # Errors
    /// What is missing, with the remedy.
    async fn probe(&self) -> Result<()> {
        Ok(())
    }

    /// Looks as closely as one can without touching the board: at all that a job would fail on, also where the config says not to look
    /// before a job begins.
    ///
    /// # Errors
    /// What a job would fail on, with the remedy.
    async fn examine(&self) -> Result<()> {
        self.probe().await
    }

    /// Looks at the files that its config names, and at nothing else: `flasher check` may run on another machine than the
    /// board's. What is wrong with them is also a failure of [`Driver::probe`].
    ///
    /// # Errors
    /// The first file that is missing or of no use, with its key.
    async fn check_files(&self) -> Result<()> {
        Ok(())
    }

    /// Which hardware it is: words that are equal for the same hardware however a config names it, and never equal for
    /// other hardware. One is shared, the hardware is. They hold no secret and have no meaning to people; see [`crate::owner`].
    /// None for a driver without hardware, or with hardware that no other program can reach.
    async fn identities(&self) -> Vec<String> {
        Vec::new()
    }

    /// Lets go of everything held. May be called several times, also while something is on.
    ///
    /// # Errors
    /// What could not be let go.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// Switches a board's power. Both methods may be called in any state and any number of times.
#[async_trait]
pub trait PowerDriver: Driver {
    /// Power on; returns when the switch has done so.
    ///
    /// # Errors
    /// When the switch did not obey.
    async fn on(&self) -> Result<()>;

    /// Power off; returns when the switch has done so.
    ///
    /// # Errors
    /// When the switch did not obey.
    async fn off(&self) -> Result<()>;

    /// Whether power is on, read from the switch; none when it cannot report one. The last call is no evidence.
    ///
    /// # Errors
    /// When the switch does not answer.
    async fn state(&self) -> Result<Option<bool>> {
        Ok(None)
    }

    /// Whether the board lives on this machine, simulated or emulated, and its network comes and goes with its power.
    fn is_virtual(&self) -> bool {
        false
    }

    /// Whether a person switches the power by hand and needs a message.
    fn is_by_hand(&self) -> bool {
        false
    }

    /// Power off, wait, power on; a switch that does this by itself may know better.
    ///
    /// # Errors
    /// When the switch did not obey.
    async fn cycle(&self, wait: Duration) -> Result<()> {
        self.off().await?;
        tokio::time::sleep(wait).await;
        self.on().await
    }
}

/// Measures what a board draws.
#[async_trait]
pub trait PowerMeter: Driver {
    /// The readings the meter has to give, oldest first; at least one.
    ///
    /// # Errors
    /// When the meter does not answer.
    async fn read(&self) -> Result<Vec<Reading>>;
}

/// One reading of a power meter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reading {
    /// Volts.
    pub voltage: f64,
    /// Amperes.
    pub current: f64,
}

/// Power off, wait, power on.
///
/// # Errors
/// Those of the driver.
pub async fn cycle(power: &dyn PowerDriver, wait: Duration) -> Result<()> {
    power.cycle(wait).await
}

/// A serial line to a board.
#[async_trait]
pub trait SerialDriver: Driver {
    /// Opens the line. The stream lets go of it when dropped.
    ///
    /// # Errors
    /// When the line is missing, busy or may not be used.
    async fn open(&self) -> Result<Box<dyn ByteStream>>;

    /// Hears what the line's owner hears from now on, without taking the line; also when the owner is another process.
    /// None when the line is not open, or the driver knows of no owner.
    ///
    /// # Errors
    /// When there is an owner that does not let others hear.
    async fn watch(&self) -> Result<Option<Box<dyn AsyncRead + Send + Unpin>>> {
        Ok(None)
    }

    /// What the line is called, and whether it is there. Opens nothing.
    async fn port(&self) -> Port {
        Port { name: "the serial line".to_owned(), is_missing: false }
    }

    /// Sets the lines beside the data, also while another process has the line open. False when it has none, as a pty or a plain socket.
    ///
    /// # Errors
    /// When the line has them and refuses.
    async fn set_lines(&self, _lines: ControlLines) -> Result<bool> {
        Ok(false)
    }
}

/// A serial line as people know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name in a sentence: a path in backticks, or a few words.
    pub name: String,
    /// Whether its device is known not to be there now, as with an adapter that is unplugged.
    pub is_missing: bool,
}

/// The lines of a serial port beside its data; what is none stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlLines {
    /// Data terminal ready.
    pub dtr: Option<bool>,
    /// Request to send.
    pub rts: Option<bool>,
    /// A break of this length.
    pub send_break: Option<Duration>,
}

/// Bytes both ways. On tokio's own traits, so `tokio::io::duplex` is a port in a test.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + ?Sized> ByteStream for T {}

/// Serves the files below one folder to a board, which can change none of them.
#[async_trait]
pub trait FileServer: Driver {
    /// Binds and serves. Transfers are reported to `log` as they begin and end. Starting a running server restarts it.
    ///
    /// # Errors
    /// When the address cannot be bound: now, not later.
    async fn start(&self, log: TransferLog) -> Result<SocketAddr>;

    /// Stops serving and frees the port. Stopping a stopped server does nothing.
    ///
    /// # Errors
    /// When the port could not be freed.
    async fn stop(&self) -> Result<()>;

    /// The bound address while running. Its host is the wildcard when none was configured.
    fn address(&self) -> Option<SocketAddr>;

    /// The host and the port that it is configured for; an empty host means every address. None for any free port, which no other
    /// server can want.
    fn fixed_address(&self) -> Option<(String, u16)> {
        None
    }

    /// The folder whose files are served.
    fn root(&self) -> PathBuf;

    /// Whether what clients put into the folder is removed when the exporter ends; so it is unless the config says otherwise.
    fn removes_created(&self) -> bool {
        true
    }

    /// Takes what a client sends to `path` (no leading slash) until withdrawn; replaces what was there. Works before and after
    /// start. Nothing of it gets into the folder.
    ///
    /// # Errors
    /// When the path is not a plain relative path, or this server takes nothing from clients.
    fn accept(&self, path: &str, upload: Upload) -> Result<()> {
        let _ = upload;
        Err(Error::infrastructure(format!(
            "this file server takes nothing from clients, and `{path}` is to come from one"
        ))
        .retryable(false))
    }

    /// Stops what was accepted, or published, under `path`; transfers under way end with an error.
    fn withdraw(&self, path: &str) {
        let _ = path;
    }
}

/// Where a file server reports its transfers.
#[derive(Clone, Default)]
pub struct TransferLog(Option<Arc<dyn Fn(Transfer) + Send + Sync>>);

impl TransferLog {
    /// Hands every transfer to `take`, which must not block.
    pub fn new(take: impl Fn(Transfer) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(take)))
    }

    /// Hands one transfer over.
    pub fn record(&self, transfer: Transfer) {
        if let Some(take) = &self.0 {
            take(transfer);
        }
    }
}

impl fmt::Debug for TransferLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TransferLog").field(&self.0.is_some()).finish()
    }
}

/// A file server that can also serve what is made as it goes.
pub trait ContentServer: FileServer {
    /// Serves `content` under `path` (no leading slash) until withdrawn; replaces what was there. Works before and after start.
    ///
    /// # Errors
    /// When the path is not a plain relative path.
    fn publish(&self, path: &str, content: Content) -> Result<()>;
}

/// How a board's boot loader console is recognised.
pub trait BootConsole: Driver {
    /// The prompt of the boot loader, literal text; a leading newline means "at the beginning of a line".
    fn prompt(&self) -> String;

    /// What stops the boot loader's countdown; none when this node does not say, and the board's manifest decides.
    fn interrupt(&self) -> Option<StopKeys> {
        None
    }
}

/// What is typed to stop a boot loader's countdown.
#[derive(Clone, PartialEq, Eq)]
pub struct StopKeys {
    /// The bytes that are sent.
    pub bytes: Vec<u8>,
    /// Their name in messages: "`space`".
    pub shown: String,
    /// The part of them that is a password, which no record shows.
    pub password: Option<String>,
}

impl std::fmt::Debug for StopKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StopKeys({})", self.shown)
    }
}
