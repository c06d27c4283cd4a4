//! The board while its power is on: U-Boot, then Linux or the system on the medium, until it resets or goes off.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::console::{Keys, Screen};
use crate::counters::CounterCells;
use crate::guest::{self, End, HomeSlot};
use crate::serial_pty::SerialPty;
use crate::uboot::{UBoot, UBootExit};

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
    pub(crate) home: HomeSlot,
    /// What makes and removes files in the folder.
    pub(crate) file_work: TaskTracker,
    serial_pty: Arc<SerialPty>,
}

impl Machine {
    pub(crate) fn new(
        config: Arc<Config>,
        serial_pty: Arc<SerialPty>,
        tally: Arc<CounterCells>,
        folder: PathBuf,
        medium: PathBuf,
        home: HomeSlot,
        file_work: TaskTracker,
    ) -> Self {
        let screen = Screen::new(Arc::clone(&serial_pty), Arc::clone(&tally), &config.faults);
        let keys = Keys::new(serial_pty.attach(), Arc::clone(&tally), &config.faults);
        Self { config, screen, keys, tally, folder, medium, home, file_work, serial_pty }
    }

    /// Runs until the task is aborted: that is what switching the power off does.
    pub(crate) async fn run(mut self) {
        tokio::time::sleep(Duration::from_millis(self.config.faults.boot_delay_ms)).await;
        loop {
            let end = match UBoot::new(&mut self).run().await {
                UBootExit::Reset => End::Reset,
                UBootExit::Off => End::Off,
                UBootExit::Kernel => self.kernel().await,
                UBootExit::Medium => self.medium_system().await,
            };
            if end != End::Reset {
                // Dead until the power is cycled: silent and deaf.
                self.serial_pty.detach();
                return std::future::pending().await;
            }
        }
    }

    /// Whether the medium has a partition table to boot from: an MBR's signature or a GPT's header.
    pub(crate) fn medium_is_bootable(&self) -> bool {
        let mut start = [0; 520];
        let read = File::open(&self.medium).and_then(|file| file.read_exact_at(&mut start, 0));
        read.is_ok() && (start[510..512] == [0x55, 0xaa] || start[512..520] == *b"EFI PART")
    }

    async fn kernel(&mut self) -> End {
        self.tally.count(|counters| counters.kernels += 1);
        self.screen.print("\nStarting kernel ...\n\n");
        let faults = &self.config.faults;
        if faults.reset_on_boot.strikes(self.tally.read().boot_resets) {
            self.tally.count(|counters| counters.boot_resets += 1);
            return End::Reset;
        }
        if faults.no_login {
            return std::future::pending().await;
        }
        self.kernel_log("console=ttyS0,115200 root=/dev/ram0");
        guest::run(self).await
    }

    async fn medium_system(&mut self) -> End {
        self.tally.count(|counters| counters.medium_boots += 1);
        self.screen.print("\nStarting kernel ...\n\n");
        self.kernel_log("console=ttyS0,115200 root=/dev/mmcblk0p1");
        self.screen.print("sim system booted from medium\n\n");
        loop {
            self.screen.print(&format!("sim-medium {} ", self.config.login_prompt));
            guest::login::read_line(&mut self.keys, &self.screen, true).await;
            self.screen.print("Password: ");
            guest::login::read_line(&mut self.keys, &self.screen, false).await;
            self.screen.print("\nLogin incorrect\n");
        }
    }

    fn kernel_log(&self, command_line: &str) {
        let lines = [
            "[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x411fd070]".to_owned(),
            "[    0.000000] Linux version 6.1.0-sim (build@sim) (gcc 12.2.0) #1 SMP Mon Jan 9 16:07:33 UTC 2023".to_owned(),
            "[    0.000000] Machine model: simulated board".to_owned(),
            format!("[    0.000000] Kernel command line: {command_line}"),
            "[    0.214071] mmc0: new HS200 MMC card at address 0001".to_owned(),
            "[    0.214802] mmcblk0: mmc0:0001 SIMMED".to_owned(),
            "[    0.402113] Run /init as init process".to_owned(),
        ];
        self.screen.print(&(lines.join("\n") + "\n"));
    }
}
