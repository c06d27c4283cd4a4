//! What can go wrong while U-Boot has the board.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::size::Size;
use crate::strikes::{FlipBit, Times};

/// Fault knobs of U-Boot. The knobs of the medium (`flip_bit`, `write_error`, `cut_power_after_bytes` and so on) hold for
/// its writes and reads too.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UbootFaults {
    /// Writes to the medium are not carried out, and reported as done: always (`true`), or so many times.
    pub lost_writes: Times,
    /// Reads give what was there before U-Boot wrote, as a cache would: always (`true`), or so many times.
    pub stale_reads: Times,
    /// A byte of the medium that is changed when it is read; the medium itself is good.
    pub flip_read: Option<FlipBit>,
    /// One bit of this byte is changed, counted over all bytes that U-Boot has loaded since the board was made.
    pub flip_load_at: Option<Size>,
    /// One bit of this byte is changed on its way here, counted over all bytes that U-Boot has sent since the board was made.
    pub flip_put_at: Option<Size>,
    /// Writing ends in an error after so many blocks of each power cycle.
    pub write_error_after: Option<u64>,
    /// No device answers: the slot is empty.
    pub absent: bool,
    /// One in so many characters typed to U-Boot is lost.
    pub drop_console: Option<u32>,
    /// After so many lines U-Boot answers no more, and the line carries the byte 0xff every 100 ms.
    pub noise_after: Option<u32>,
    /// The echo of a typed line ends in CR only.
    pub cr_echo: bool,
}
