//! The kernel of a package, and the modules a RAM disk needs, in the order they load.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask_support::programs::output;

/// Lists of modules by name: what the emulated board always has, and disk controllers it may have.
/// MMC disks and packet sockets are part of the kernel.
const LISTS: [(&str, &[&str]); 3] =
    [("virtio", &["virtio_pci", "virtio_blk", "virtio_net"]), ("nvme", &["nvme"]), ("sdhci", &["sdhci-pci"])];

/// Files of modules by the name of their list; each comes after those it depends on.
pub(super) type ModuleLists = Vec<(&'static str, Vec<PathBuf>)>;

/// An unpacked kernel package.
#[derive(Debug)]
pub(super) struct Kernel {
    /// The uncompressed arm64 `Image`.
    pub(super) image: Vec<u8>,
    pub(super) modules: ModuleLists,
}

impl Kernel {
    /// Reads what `dpkg-deb --extract` made of the package.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let folder = root.join("lib/modules");
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        let releases = entries
            .map(|it| Ok(it?.file_name().to_string_lossy().into_owned()))
            .collect::<Result<Vec<_>>>()?;
        let [release] = &releases[..] else {
            bail!("the kernel package holds {} kernels, expected one", releases.len());
        };
        let path = root.join(format!("boot/vmlinuz-{release}"));
        let image = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if !is_arm64_image(&image) {
            bail!("{} is not an uncompressed arm64 Image, which `booti` needs", path.display());
        }
        depmod(root, release)?;
        let path = folder.join(release).join("modules.dep");
        let dependencies =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let modules = LISTS.iter().map(|(list, wanted)| {
            let order = load_order(&dependencies, wanted)?;
            Ok((*list, order.iter().map(|it| folder.join(release).join(it)).collect()))
        });
        Ok(Self { image, modules: modules.collect::<Result<_>>()? })
    }
}

/// Writes `modules.dep`, which the package itself does not hold.
fn depmod(root: &Path, release: &str) -> Result<()> {
    // Debian keeps it where an ordinary user's search path does not lead.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    output(Command::new("depmod").env("PATH", path).arg("--basedir").arg(root).arg(release)).map(|_| ())
}

/// Unpacks a package file.
pub(super) fn extract(package: &Path, into: &Path) -> Result<()> {
    output(Command::new("dpkg-deb").arg("--extract").arg(package).arg(into)).map(|_| ())
}

/// Magic number at byte 56 (Linux `Documentation/arch/arm64/booting.rst`).
fn is_arm64_image(image: &[u8]) -> bool {
    image.get(56..60) == Some(b"ARM\x64")
}

/// `modules.dep` names for each module what it depends on; the last of these is to be loaded first (modules.dep(5)).
fn load_order<'a>(dependencies: &'a str, wanted: &[&str]) -> Result<Vec<&'a str>> {
    let lines: Vec<(&str, &str)> = dependencies.lines().filter_map(|it| it.split_once(':')).collect();
    let mut order: Vec<&str> = Vec::new();
    for name in wanted {
        let file = format!("{name}.ko");
        let found = lines.iter().find(|it| it.0.rsplit('/').next() == Some(&file));
        let (path, needs) = found.with_context(|| format!("the kernel has no module `{name}`"))?;
        for it in needs.split_whitespace().rev().chain([*path]) {
            if !order.contains(&it) {
                order.push(it);
            }
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_loads_after_what_it_needs_and_once() {
        let text = "k/nvme.ko: k/core.ko k/t10.ko k/crc.ko\nk/core.ko: k/t10.ko k/crc.ko\nk/crc.ko:\nk/virtio_blk.ko:\n";
        assert_eq!(
            load_order(text, &["virtio_blk", "nvme", "core"]).unwrap(),
            ["k/virtio_blk.ko", "k/crc.ko", "k/t10.ko", "k/core.ko", "k/nvme.ko"]
        );
        let error = load_order(text, &["blk"]).unwrap_err().to_string();
        assert_eq!(error, "the kernel has no module `blk`");
    }

    #[test]
    fn a_kernel_package_must_hold_one_kernel_that_booti_starts() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("lib/modules/6.1-a")).unwrap();
        fs::create_dir_all(root.path().join("boot")).unwrap();
        let image = root.path().join("boot/vmlinuz-6.1-a");
        fs::write(&image, [0x1f; 64]).unwrap();
        let error = Kernel::read(root.path()).unwrap_err().to_string();
        let said = format!("{} is not an uncompressed arm64 Image, which `booti` needs", image.display());
        assert_eq!(error, said);
        fs::create_dir_all(root.path().join("lib/modules/6.1-b")).unwrap();
        let error = Kernel::read(root.path()).unwrap_err().to_string();
        assert_eq!(error, "the kernel package holds 2 kernels, expected one");
    }
}
