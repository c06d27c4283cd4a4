//! The kernel of an unpacked package.

use super::modules::{ModuleLists, ModuleNames, load_order};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask_support::programs::output;

/// What a kernel file must be for a command of U-Boot to start it.
#[derive(Debug)]
pub(crate) struct Format {
    /// Where its magic number is.
    at: usize,
    magic: &'static [u8],
    /// What it is, and which command needs it.
    name: &'static str,
}

/// Linux `Documentation/arch/arm64/booting.rst`.
pub(crate) const IMAGE: Format =
    Format { at: 56, magic: b"ARM\x64", name: "an uncompressed arm64 Image, which `booti` needs" };
/// Linux `arch/arm/boot/compressed/head.S`.
pub(crate) const ZIMAGE: Format =
    Format { at: 36, magic: &[0x18, 0x28, 0x6f, 0x01], name: "a 32-bit Arm zImage, which `bootz` needs" };
/// Linux `Documentation/arch/x86/boot.rst`.
pub(crate) const BZIMAGE: Format =
    Format { at: 0x202, magic: b"HdrS", name: "a bzImage, which `zboot` needs" };

/// An unpacked kernel package.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// What U-Boot starts.
    pub(crate) image: Vec<u8>,
    root: PathBuf,
    release: String,
    /// The text of `modules.dep`.
    dependencies: String,
}

impl Kernel {
    /// Reads what `dpkg-deb --extract` made of the package.
    pub(crate) fn read(root: &Path, format: &Format) -> Result<Self> {
        let release = release(root)?;
        let path = root.join(format!("boot/vmlinuz-{release}"));
        let image = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if image.get(format.at..format.at + format.magic.len()) != Some(format.magic) {
            bail!("{} is not {}", path.display(), format.name);
        }
        depmod(root, &release)?;
        let path = root.join("lib/modules").join(&release).join("modules.dep");
        let dependencies =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { image, root: root.to_owned(), release, dependencies })
    }

    /// The files of modules that are wanted, and of those they need.
    pub(crate) fn modules(&self, wanted: &ModuleNames) -> Result<ModuleLists> {
        let folder = self.root.join("lib/modules").join(&self.release);
        let files = |(list, names): &(&'static str, &[&str])| {
            let order = load_order(&self.dependencies, names)?;
            Ok((*list, order.iter().map(|it| folder.join(it)).collect()))
        };
        wanted.iter().map(files).collect()
    }

    /// A device tree that comes with the kernel.
    pub(crate) fn device_tree(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.root.join(format!("usr/lib/linux-image-{}", self.release)).join(name);
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}

/// The one kernel release that a package has.
fn release(root: &Path) -> Result<String> {
    let folder = root.join("lib/modules");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let releases =
        entries.map(|it| Ok(it?.file_name().to_string_lossy().into_owned())).collect::<Result<Vec<_>>>()?;
    let [release] = &releases[..] else {
        bail!("the kernel package holds {} kernels, expected one", releases.len());
    };
    Ok(release.clone())
}

/// Writes `modules.dep`, which the package itself does not hold.
fn depmod(root: &Path, release: &str) -> Result<()> {
    // Debian keeps it where an ordinary user's search path does not lead.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    output(Command::new("depmod").env("PATH", path).arg("--basedir").arg(root).arg(release)).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_package_must_hold_one_kernel_that_u_boot_starts() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("lib/modules/6.1-a")).unwrap();
        fs::create_dir_all(root.path().join("boot")).unwrap();
        let image = root.path().join("boot/vmlinuz-6.1-a");
        fs::write(&image, [0x1f; 64]).unwrap();
        for (format, expected) in [
            (IMAGE, "an uncompressed arm64 Image, which `booti` needs"),
            (ZIMAGE, "a 32-bit Arm zImage, which `bootz` needs"),
            (BZIMAGE, "a bzImage, which `zboot` needs"),
        ] {
            let error = Kernel::read(root.path(), &format).unwrap_err().to_string();
            assert_eq!(error, format!("{} is not {expected}", image.display()));
        }
        fs::create_dir_all(root.path().join("lib/modules/6.1-b")).unwrap();
        let error = Kernel::read(root.path(), &IMAGE).unwrap_err().to_string();
        assert_eq!(error, "the kernel package holds 2 kernels, expected one");
    }
}
