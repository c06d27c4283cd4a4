//! What can go wrong on a simulated board: the fault knobs, and the dice they throw.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::linux_faults::LinuxFaults;
use crate::size::Size;
use crate::strikes::{FlipBit, Times};
use crate::uboot_faults::UbootFaults;

/// Fault knobs. None is on by default.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Milliseconds of silence between power on and U-Boot's banner.
    pub boot_delay_ms: u64,
    /// Autoboot cannot be interrupted.
    pub no_autoboot_stop: bool,
    /// The kernel hangs silently after "Starting kernel ...".
    pub no_login: bool,
    /// One in so many typed characters is lost.
    pub drop_console: Option<u32>,
    /// One in so many printed characters is changed.
    pub garble_console: Option<u32>,
    /// In each power cycle nothing more comes out of the line once so many bytes have been printed.
    pub console_dies_after: Option<Size>,
    /// While Linux runs, a kernel log line appears every so many milliseconds, also in the middle of other lines.
    pub kernel_lines: Option<u64>,
    /// Percent of TFTP packets that are lost on their way to the board.
    pub tftp_loss: u8,
    /// Percent of TFTP packets that come to the board twice.
    pub tftp_duplicates: u8,
    /// Percent of TFTP packets that come to the board after the next one.
    pub tftp_reorders: u8,
    /// Milliseconds that each answer of U-Boot takes on its way to a TFTP server.
    pub tftp_delay_ms: u64,
    /// Transfers by TFTP with a larger window than this stop after a few blocks, and nothing more is received.
    pub tftp_stall_above_window: Option<u16>,
    /// TFTP reports that the file does not exist.
    pub tftp_missing: bool,
    /// U-Boot's `dhcp` gets no answer: always (`true`), or so many times.
    pub dhcp_fail: Times,
    /// The board has no network at all.
    pub no_network: bool,
    /// A byte of the medium that does not keep what is written.
    pub flip_bit: Option<FlipBit>,
    /// The medium holds less than it tells, and says nothing of it: a counterfeit card.
    pub real_size: Option<RealSize>,
    /// The medium is full after so many bytes, whatever size it claims.
    pub full_at: Option<Size>,
    /// Writing at this place of the medium (bytes) is an I/O error.
    pub write_error: Option<Size>,
    /// Reading at this place of the medium (bytes) with `dd` is an I/O error.
    pub read_error_at: Option<Size>,
    /// The power switch refuses to obey: always (`true`), or so many times.
    pub power_stuck: Times,
    /// Power is cut, once, after so many bytes have been written to the medium.
    pub cut_power_after_bytes: Option<Size>,
    /// The board resets when a kernel is started, and falls back into autoboot: always (`true`), or so many times.
    pub reset_on_boot: Times,
    /// Linux has no `wget`.
    pub wget_missing: bool,
    /// Linux has no `curl`.
    pub curl_missing: bool,
    /// Linux has no `bash`, which can open connections by itself.
    pub bash_missing: bool,
    /// Bytes per second the medium takes at most.
    pub slow: Option<Size>,
    /// Writing to the medium never ends.
    pub dd_stuck: bool,
    /// Once the power has been switched on so many times, no later time has any of these faults, but for those of the
    /// power switch.
    pub heals_after: Option<u32>,
    /// The power is cut in every power cycle, not only once.
    pub cut_power_always: bool,
    /// What goes wrong while U-Boot has the board.
    pub uboot: UbootFaults,
    /// What goes wrong while Linux has the board.
    pub linux: LinuxFaults,
    /// Seed of everything that is random here; the same seed gives the same faults.
    pub seed: u64,
}

/// What a medium holds that tells more.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RealSize {
    /// So much it holds, in whole sectors of 512 bytes.
    pub bytes: Size,
    /// What becomes of what is written behind that.
    pub beyond: Beyond,
}

/// What becomes of what is written behind the real end of a medium. No error is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Beyond {
    /// It begins again at its beginning: each place answers to several addresses.
    Wrap,
    /// It is lost, and zeros are read there.
    Drop,
}

impl Faults {
    /// What goes wrong once the power has been on `times` times, this one included.
    pub(crate) fn in_cycle(&self, times: u64) -> Self {
        match self.heals_after {
            Some(ill) if times > u64::from(ill) => Self { seed: self.seed, ..Self::default() },
            _ => self.clone(),
        }
    }
}

/// Seeded dice (xorshift64*): the same seed gives the same faults.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % limit.max(1)
    }

    /// True one time in `times`; never without a number.
    pub(crate) fn one_in(&mut self, times: Option<u32>) -> bool {
        times.is_some_and(|times| self.below(u64::from(times)) == 0)
    }
}
