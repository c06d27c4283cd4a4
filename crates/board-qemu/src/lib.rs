//! An emulated board: power and serial drivers over QEMU running a real U-Boot and a real Linux.
//!
//! One QEMU process per board. Power on starts it; power off kills it, so its memory is lost as in a power cut. The
//! serial line belongs to this side and outlives the process, as a USB adapter outlives the board: it stays open across
//! power cycles, and what is typed while the board is off is lost.
//!
//! **What it needs.** `qemu-system-aarch64` and U-Boot's `u-boot.bin` for QEMU (Debian: `qemu-system-arm` and
//! `u-boot-qemu`). Without a network no privilege is needed. With one it needs `ip` (`iproute2`), `/dev/net/tun` and a
//! **private network namespace** in which it may make a tap and bind UDP port 67: no packet of the board may leave the
//! machine, so it refuses to run in a namespace with any other interface. `flasher sandbox -- …` makes such a namespace;
//! so does `sudo unshare --net --pid --fork --kill-child …`.
//!
//! **What it leaves.** Nothing. QEMU is killed, the tap removed and the DHCP server stopped when the board is closed or
//! dropped. When this process is killed, the kernel kills QEMU (`setpriv --pdeathsig`, of util-linux, when it is there),
//! and the tap goes with the namespace; a tap left over in a namespace that lives on is replaced at the next start.
//! Only the board's folder of sockets, a few kilobytes, then stays in the temporary folder.
//!
//! Limits: killing QEMU does not lose what the guest's disk already took, as a real cut may: that is in this machine's
//! page cache. U-Boot on QEMU uses the MAC address 52:52:52:52:52:52 whatever the emulated card says, so each board
//! needs a tap of its own.

mod arguments;
mod board;
mod config;
mod dhcp;
mod driver;
mod error;
mod folder;
mod host;
mod model;
mod monitor;
mod process;
mod serial_line;
mod tap;

pub use board::QemuBoard;
pub use config::{BoardNetwork, Cache, Config, Disk, DiskKind, HostAddress, Size};
pub use error::QemuError;
pub use model::Model;

flasher_core::register_driver!(QemuBoard);
