//! A simulated board: power and serial drivers over a scripted U-Boot and the host's own shell.
//!
//! For rehearsing a flash without hardware, and for tests. The board's U-Boot is a script with the real one's texts; it
//! fetches files with a real TFTP client. Its Linux is the host's own `/bin/sh` on a pty with the host's own `dd`,
//! `sha256sum`, `wget` and so on, so downloads, writes and read-backs are real.
//!
//! **It cannot touch a real device.** Device paths typed on the console are rewritten into the board's private folder;
//! the shell has an empty environment and only an explicit list of tools, `reboot` and its like being the simulation's
//! own; started by root it runs as an unprivileged user. Power off kills everything the guest has started.
//!
//! Limits: scripts must get device paths as arguments (a script's own text is not rewritten), and must ask `test -b`,
//! as `[` cannot be taught that the medium is a block device.

mod board;
mod config;
mod console;
mod counters;
mod driver;
mod error;
mod faults;
mod guest;
mod http_client;
mod linux_faults;
mod machine;
mod network_stack;
mod outlet;
mod power_cycle;
mod serial_pty;
mod size;
mod storage_interface;
mod strikes;
mod tftp_client;
mod tftp_upload;
mod uboot;
mod uboot_faults;

pub use board::SimBoard;
pub use config::{Config, Partition, UsbGadget};
pub use counters::Counters;
pub use error::SimError;
pub use faults::{Beyond, Faults, RealSize};
pub use linux_faults::LinuxFaults;
pub use network_stack::NetworkStack;
pub use size::Size;
pub use storage_interface::StorageInterface;
pub use strikes::{FlipBit, Times};
pub use uboot_faults::UbootFaults;

flasher_core::register_driver!(SimBoard);
