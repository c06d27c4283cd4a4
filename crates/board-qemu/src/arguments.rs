//! The command line of QEMU.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::config::{BoardNetwork, Cache, Config, Disk, DiskKind};

/// The socket of the serial line, in the board's folder.
pub(crate) const SERIAL: &str = "serial";
/// The socket of the monitor, in the board's folder.
pub(crate) const MONITOR: &str = "monitor";
/// The file of the blkdebug rules, in the board's folder.
pub(crate) const BLKDEBUG: &str = "blkdebug";
/// Id of the network backend, for the monitor's `set_link`.
pub(crate) const NETDEV: &str = "n0";

/// Everything after the name of the emulator. `folder` is where the sockets are; QEMU connects to them.
pub(crate) fn arguments(config: &Config, folder: &Path) -> Vec<OsString> {
    let mut line = CommandLine::default();
    line.plain(["-nodefaults", "-no-user-config", "-display", "none"]);
    line.plain(["-machine", &config.machine, "-cpu", &config.cpu]);
    line.plain(["-smp", &config.smp.to_string(), "-m", &config.memory.to_string()]);
    line.plain(["-bios"]);
    line.0.push(config.bios.clone().into());
    if let Some(flash) = &config.environment {
        line.with_path("-drive", "if=pflash,unit=1,format=raw,file=", flash, "");
    }
    if let Some(disk) = &config.disk {
        line.disk(disk, folder);
    }
    if let Some(network) = &config.network {
        line.network(network);
    }
    line.with_path("-chardev", "socket,id=serial,server=off,path=", &folder.join(SERIAL), "");
    line.plain(["-serial", "chardev:serial"]);
    line.with_path("-chardev", "socket,id=monitor,server=off,path=", &folder.join(MONITOR), "");
    line.plain(["-mon", "chardev=monitor,mode=control"]);
    line.plain(config.arguments.iter().map(String::as_str));
    line.0
}

#[derive(Default)]
struct CommandLine(Vec<OsString>);

impl CommandLine {
    fn plain<'a>(&mut self, words: impl IntoIterator<Item = &'a str>) {
        self.0.extend(words.into_iter().map(OsString::from));
    }

    /// An option whose value has a path in the middle; QEMU wants its commas doubled.
    fn with_path(&mut self, option: &str, before: &str, path: &Path, after: &str) {
        let doubled = doubled(path.as_os_str());
        let mut value = OsString::from(before);
        value.push(doubled);
        value.push(after);
        self.0.extend([option.into(), value]);
    }

    /// Errors of the file are reported to the guest: QEMU's default stops the board silently when the host is full.
    fn disk(&mut self, disk: &Disk, folder: &Path) {
        let cache = cache(disk.cache);
        let report = if disk.kind == DiskKind::Virtio { ",werror=report,rerror=report" } else { "" };
        let after = format!(",cache={cache},discard=unmap{report}");
        if disk.blkdebug.is_some() {
            let mut before = OsString::from("if=none,id=d0,driver=raw,file.driver=blkdebug,file.config=");
            before.push(doubled(folder.join(BLKDEBUG).as_os_str()));
            before.push(",file.image.driver=file,file.image.filename=");
            before.push(doubled(disk.file.as_os_str()));
            before.push(after);
            self.0.extend(["-drive".into(), before]);
        } else {
            self.with_path("-drive", "if=none,id=d0,format=raw,file=", &disk.file, &after);
        }
        self.plain(
            match disk.kind {
                DiskKind::Virtio => &["-device", "virtio-blk-pci,drive=d0"][..],
                DiskKind::Nvme => &["-device", "nvme,drive=d0,serial=flasher"],
                DiskKind::Sd => &["-device", "sdhci-pci", "-device", "sd-card,drive=d0"],
            }
            .iter()
            .copied(),
        );
    }

    fn network(&mut self, network: &BoardNetwork) {
        let netdev = format!("tap,id={NETDEV},ifname={},script=no,downscript=no", network.tap);
        // U-Boot has no memory barrier before it looks whether the device wants a notification of new receive buffers. With
        // event indices it looks once for all its buffers, and when it is too early the board is deaf until it is reset;
        // with flags it looks at each buffer.
        let device = format!("virtio-net-pci,netdev={NETDEV},mac={},romfile=,event_idx=off", network.mac());
        self.plain(["-netdev", &netdev, "-device", &device]);
    }
}

fn cache(cache: Cache) -> &'static str {
    match cache {
        Cache::Unsafe => "unsafe",
        Cache::Writeback => "writeback",
        Cache::Writethrough => "writethrough",
        Cache::None => "none",
        Cache::Directsync => "directsync",
    }
}

fn doubled(text: &OsStr) -> OsString {
    let bytes = text.as_bytes().iter();
    OsString::from_vec(
        bytes.flat_map(|&byte| std::iter::repeat_n(byte, 1 + usize::from(byte == b','))).collect(),
    )
}

#[cfg(test)]
mod tests;
