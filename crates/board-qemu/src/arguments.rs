//! The command line of QEMU.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::config::{BoardNetwork, Cache, Config, Disk, DiskKind};
use crate::model::{BootLoaderPlace, Card, Profile, VirtioBus};

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
    let profile = config.model.profile();
    line.plain(["-machine", config.machine.as_deref().unwrap_or(profile.machine)]);
    if let Some(cpu) = config.cpu.as_deref().or(profile.cpu) {
        line.plain(["-cpu", cpu]);
    }
    line.plain(["-smp", &config.smp.unwrap_or(profile.cores).to_string(), "-m", &config.memory.to_string()]);
    let option = match profile.place {
        BootLoaderPlace::Bios => Some("-bios"),
        BootLoaderPlace::Kernel => Some("-kernel"),
        BootLoaderPlace::Medium(_) => None,
    };
    if let Some(option) = option {
        line.0.extend([option.into(), config.boot_loader().into()]);
    }
    if let Some(flash) = &config.environment {
        line.with_path("-drive", "if=pflash,unit=1,format=raw,file=", flash, "");
    }
    if let Some(disk) = &config.disk {
        line.disk(disk, profile, folder);
    }
    if let Some(network) = &config.network {
        line.network(network, profile.card);
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
    fn disk(&mut self, disk: &Disk, profile: Profile, folder: &Path) {
        let cache = cache(disk.cache);
        let report = if disk.kind == DiskKind::Virtio { ",werror=report,rerror=report" } else { "" };
        let after = format!(",cache={cache},discard=unmap{report}");
        if let BootLoaderPlace::Medium(_) = profile.place {
            // The slot is the machine's own.
            return self.with_path("-drive", "if=sd,format=raw,file=", &disk.file, &after);
        }
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
                DiskKind::Virtio if profile.bus == VirtioBus::Mmio => {
                    &["-device", "virtio-blk-device,drive=d0"][..]
                }
                DiskKind::Virtio => &["-device", "virtio-blk-pci,drive=d0"],
                DiskKind::Nvme => &["-device", "nvme,drive=d0,serial=flasher"],
                DiskKind::Sd => &["-device", "sdhci-pci", "-device", "sd-card,drive=d0"],
            }
            .iter()
            .copied(),
        );
    }

    fn network(&mut self, network: &BoardNetwork, card: Card) {
        let tap = format!("ifname={},script=no,downscript=no", network.tap);
        let mac = network.mac();
        match card {
            Card::Device(device) => {
                let (netdev, device) =
                    (format!("tap,id={NETDEV},{tap}"), format!("{device},netdev={NETDEV},mac={mac}"));
                self.plain(["-netdev", &netdev, "-device", &device]);
            }
            Card::BuiltIn(model) => {
                let (netdev, nic) = (
                    format!("tap,id={NETDEV},{tap}"),
                    format!("nic,model={model},netdev={NETDEV},macaddr={mac}"),
                );
                self.plain(["-netdev", &netdev, "-net", &nic]);
                // This card does not say when it can receive again, and QEMU then reads nothing more of the tap. The filter
                // takes every packet, and drops those that the card does not take.
                let filter = format!("filter-buffer,id=f0,netdev={NETDEV},queue=tx,interval=200");
                self.plain(["-object", &filter]);
            }
        }
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
