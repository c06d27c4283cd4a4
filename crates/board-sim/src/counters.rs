//! What has happened on a simulated board, in numbers, for tests.

use std::sync::{Mutex, PoisonError};

/// What has happened since the board was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Times the power was switched on.
    pub power_on: u64,
    /// Times the power was switched off.
    pub power_off: u64,
    /// Times the power switch refused to obey.
    pub power_refused: u64,
    /// Times the power was cut by a fault knob.
    pub power_cuts: u64,
    /// Times the serial line was opened.
    pub serial_opens: u64,
    /// U-Boot commands run.
    pub uboot_commands: u64,
    /// Times U-Boot's `dhcp` failed.
    pub dhcp_failures: u64,
    /// Files that U-Boot has fetched whole.
    pub tftp_files: u64,
    /// Bytes of files that U-Boot has received.
    pub tftp_bytes: u64,
    /// Bytes that U-Boot has received by HTTP.
    pub http_bytes: u64,
    /// Bytes that U-Boot has sent by TFTP.
    pub tftp_sent: u64,
    /// TFTP packets dropped by a fault knob.
    pub tftp_lost: u64,
    /// Kernels started.
    pub kernels: u64,
    /// Resets by a fault knob when a kernel was started.
    pub boot_resets: u64,
    /// Starts of the system on the medium.
    pub medium_boots: u64,
    /// Logins into the Linux shell.
    pub shell_logins: u64,
    /// Typed characters lost by a fault knob.
    pub dropped_characters: u64,
    /// Printed characters changed by a fault knob.
    pub garbled_characters: u64,
    /// Kernel log lines printed while the shell ran.
    pub kernel_lines: u64,
    /// Bytes written to the medium with `dd`, or by U-Boot.
    pub written_bytes: u64,
    /// Times a byte of the medium was changed by a fault knob.
    pub flips: u64,
    /// Writes of U-Boot lost by a fault knob.
    pub lost_writes: u64,
    /// Reads of U-Boot that a fault knob made stale.
    pub stale_reads: u64,
    /// Reads of U-Boot that a fault knob changed.
    pub read_flips: u64,
    /// Loads of U-Boot that a fault knob changed.
    pub load_flips: u64,
    /// Times the guest asked to drop its caches.
    pub cache_drops: u64,
    /// Times the guest asked for a reboot.
    pub reboots: u64,
    /// Times the guest asked to be powered off or halted.
    pub poweroffs: u64,
    /// What the guest last set its clock to.
    pub date: Option<String>,
}

/// Counters that are being counted.
#[derive(Debug, Default)]
pub(crate) struct CounterCells(Mutex<Counters>);

impl CounterCells {
    pub(crate) fn read(&self) -> Counters {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
