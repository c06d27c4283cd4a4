//! How a serial line is set up: speed, bits, flow control and control lines.

use schemars::JsonSchema;
use serde::Deserialize;
use serialport::{DataBits, StopBits};

/// How a port is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Bits a second.
    pub(crate) baudrate: u32,
    /// Data bits.
    pub(crate) data_bits: DataBits,
    /// Stop bits.
    pub(crate) stop_bits: StopBits,
    /// Parity.
    pub(crate) parity: Parity,
    /// Flow control.
    pub(crate) flow: Flow,
    /// DTR after opening.
    pub(crate) dtr: Option<bool>,
    /// RTS after opening.
    pub(crate) rts: Option<bool>,
    /// Leave DTR as it is when the port is closed.
    pub(crate) keep_dtr: bool,
}

/// Parity bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    /// No such bit.
    #[default]
    None,
    /// Odd.
    Odd,
    /// Even.
    Even,
}

/// Flow control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// None.
    #[default]
    None,
    /// XON and XOFF characters.
    Software,
    /// RTS and CTS.
    Hardware,
}
