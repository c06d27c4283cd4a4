//! What gives a medium to its board or to this machine.

use std::fmt;

use async_trait::async_trait;

use super::Driver;
use crate::error::Result;

/// Gives a medium to its board or to this machine. All methods may be called in any position and any number of times, and return
/// when the mux has done so; the medium itself may take longer to show.
#[async_trait]
pub trait StorageMux: Driver {
    /// The medium to this machine.
    ///
    /// # Errors
    /// When the mux did not obey.
    async fn host(&self) -> Result<()>;

    /// The medium to the board.
    ///
    /// # Errors
    /// When the mux did not obey.
    async fn dut(&self) -> Result<()>;

    /// The medium to neither. A mux that cannot do this gives it to this machine, where nothing uses it by itself.
    ///
    /// # Errors
    /// When the mux did not obey.
    async fn off(&self) -> Result<()>;

    /// Who has the medium, read from the mux; none when it cannot report it. The last call is no evidence.
    ///
    /// # Errors
    /// When the mux does not answer.
    async fn position(&self) -> Result<Option<MuxPosition>> {
        Ok(None)
    }
}

/// Who has the medium of a mux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MuxPosition {
    /// This machine.
    Host,
    /// The board.
    Dut,
    /// Neither.
    Off,
}

impl fmt::Display for MuxPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "host",
            Self::Dut => "dut",
            Self::Off => "off",
        })
    }
}
