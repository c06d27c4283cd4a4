//! What U-Boot and Linux find on the board while its power is on: console, medium, counters.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::console::{Keys, Screen};
use crate::counters::CounterCells;
use crate::error::SimError;
use crate::guest::{HomeSlot, Medium};
use crate::serial_pty::SerialPty;

/// The board while its power is on.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) config: Arc<Config>,
    pub(crate) screen: Screen,
    pub(crate) keys: Keys,
    pub(crate) tally: Arc<CounterCells>,
    /// The board's own folder.
    pub(crate) folder: PathBuf,
    pub(crate) medium: PathBuf,
    /// Bytes of the medium.
    pub(crate) medium_bytes: u64,
    pub(crate) home: HomeSlot,
    /// What makes and removes files in the folder.
    pub(crate) file_work: TaskTracker,
    /// The line behind screen and keys.
    pub(crate) serial_pty: Arc<SerialPty>,
}

/// How a system ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SystemEnd {
    /// The board resets.
    Reset,
    /// The board goes off.
    Off,
}

impl Machine {
    /// A board whose power has just come.
    pub(crate) fn new(
        config: Arc<Config>,
        serial_pty: Arc<SerialPty>,
        tally: Arc<CounterCells>,
        folder: PathBuf,
        medium: &Medium,
        home: HomeSlot,
        file_work: TaskTracker,
    ) -> Self {
        let screen = Screen::new(Arc::clone(&serial_pty), Arc::clone(&tally), &config.faults);
        let keys = Keys::new(serial_pty.attach(), Arc::clone(&tally), &config.faults);
        let (medium, medium_bytes) = (medium.path().to_owned(), medium.bytes());
        Self { config, screen, keys, tally, folder, medium, medium_bytes, home, file_work, serial_pty }
    }

    /// Whether the medium has a partition table to boot from: an MBR's signature or a GPT's header.
    pub(crate) fn medium_is_bootable(&self) -> bool {
        let mut start = [0; 520];
        let read = File::open(&self.medium).and_then(|file| file.read_exact_at(&mut start, 0));
        read.is_ok() && (start[510..512] == [0x55, 0xaa] || start[512..520] == *b"EFI PART")
    }

    /// The simulation itself failed: said where a kernel says such things.
    pub(crate) fn panic(&self, error: &SimError) -> SystemEnd {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
        self.screen
            .print(&format!("[    1.000000] Kernel panic - not syncing: simulation: {error}{cause}\n"));
        SystemEnd::Off
    }
}
