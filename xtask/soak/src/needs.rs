//! What a case takes of this machine besides the program.

use std::path::Path;
use std::sync::OnceLock;

use crate::case::{Case, Via};
use crate::disk::LoopDisk;

/// The boot loader of the emulated board, of Debian's package u-boot-qemu.
const BOOT_LOADER: &str = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";
const EMULATOR: &str = "qemu-system-aarch64";

/// What this machine lacks for the case; none when it can be played.
pub(crate) fn lacking(case: &Case) -> Option<&'static str> {
    match case.via {
        Via::Linux | Via::Uboot => None,
        Via::Host => (!gives_disks()).then_some("loop devices (`losetup`, as root)"),
        Via::Emulated => (!emulates()).then_some("QEMU for arm64 with U-Boot, and root for its network"),
    }
}

fn gives_disks() -> bool {
    static GIVES: OnceLock<bool> = OnceLock::new();
    *GIVES.get_or_init(|| {
        let file = tempfile::NamedTempFile::new().ok();
        file.is_some_and(|file| {
            file.as_file().set_len(1 << 20).is_ok() && LoopDisk::of(file.path(), &[]).is_some()
        })
    })
}

fn emulates() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_here = std::env::split_paths(&path).any(|folder| folder.join(EMULATOR).is_file());
    is_here && Path::new(BOOT_LOADER).is_file() && rustix::process::geteuid().is_root()
}
