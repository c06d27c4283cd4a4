//! The power switch and the serial line of a board that is a program of this machine.

mod size;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::AsyncRead;

use crate::driver::{ByteStream, Driver, Port, PowerDriver, SerialDriver};
use crate::error::{Error, Result};

pub use size::{MIB, Size};

/// What a virtual board does. [`power`] and [`serial`] make its drivers; both are one board.
#[async_trait]
pub trait VirtualBoard: fmt::Debug + Send + Sync + 'static {
    /// What messages call it: "the simulated board".
    const LABEL: &'static str;

    /// As [`Driver::probe`].
    ///
    /// # Errors
    /// When this machine lacks what the board needs.
    async fn probe(&self) -> Result<()>;

    /// As [`Driver::identities`].
    async fn identities(&self) -> Vec<String>;

    /// Ends the board, as its power switch is closed.
    ///
    /// # Errors
    /// When something of it is left.
    async fn close(&self) -> Result<()>;

    /// As its serial line is closed; nothing where the line lives as long as the power switch.
    ///
    /// # Errors
    /// When something of it is left.
    async fn close_serial(&self) -> Result<()> {
        Ok(())
    }

    /// As [`PowerDriver::on`].
    ///
    /// # Errors
    /// When the board does not start.
    async fn switch_on(&self) -> Result<()>;

    /// As [`PowerDriver::off`].
    ///
    /// # Errors
    /// When something of it goes on.
    async fn switch_off(&self) -> Result<()>;

    /// Whether it is on.
    async fn is_on(&self) -> bool;

    /// As [`SerialDriver::open`]. The line stays open across power cycles; one user at a time.
    ///
    /// # Errors
    /// When it is open already.
    async fn open_serial(self: Arc<Self>) -> Result<Box<dyn ByteStream>>;

    /// As [`SerialDriver::watch`].
    ///
    /// # Errors
    /// When the system refuses.
    async fn watch_serial(&self) -> std::io::Result<Option<Box<dyn AsyncRead + Send + Unpin>>>;
}

/// The power switch of a board.
pub fn power<B: VirtualBoard>(board: &Arc<B>) -> Arc<dyn PowerDriver> {
    Arc::new(BoardPower(Arc::clone(board)))
}

/// The serial line of a board.
pub fn serial<B: VirtualBoard>(board: &Arc<B>) -> Arc<dyn SerialDriver> {
    Arc::new(BoardSerial(Arc::clone(board)))
}

#[derive(Debug)]
struct BoardPower<B>(Arc<B>);

#[derive(Debug)]
struct BoardSerial<B>(Arc<B>);

#[async_trait]
impl<B: VirtualBoard> Driver for BoardPower<B> {
    async fn probe(&self) -> Result<()> {
        self.0.probe().await
    }

    async fn identities(&self) -> Vec<String> {
        self.0.identities().await
    }

    async fn close(&self) -> Result<()> {
        self.0.close().await
    }
}

#[async_trait]
impl<B: VirtualBoard> PowerDriver for BoardPower<B> {
    async fn on(&self) -> Result<()> {
        self.0.switch_on().await
    }

    async fn off(&self) -> Result<()> {
        self.0.switch_off().await
    }

    async fn state(&self) -> Result<Option<bool>> {
        Ok(Some(self.0.is_on().await))
    }

    fn is_virtual(&self) -> bool {
        true
    }
}

#[async_trait]
impl<B: VirtualBoard> Driver for BoardSerial<B> {
    async fn probe(&self) -> Result<()> {
        self.0.probe().await
    }

    async fn identities(&self) -> Vec<String> {
        self.0.identities().await
    }

    async fn close(&self) -> Result<()> {
        self.0.close_serial().await
    }
}

#[async_trait]
impl<B: VirtualBoard> SerialDriver for BoardSerial<B> {
    async fn open(&self) -> Result<Box<dyn ByteStream>> {
        Arc::clone(&self.0).open_serial().await
    }

    async fn watch(&self) -> Result<Option<Box<dyn AsyncRead + Send + Unpin>>> {
        let refused = |error| {
            Error::infrastructure(format!("{}'s serial line cannot be watched", B::LABEL)).because(error)
        };
        self.0.watch_serial().await.map_err(refused)
    }

    async fn port(&self) -> Port {
        Port { name: format!("{}'s serial line", B::LABEL), is_missing: false }
    }
}
