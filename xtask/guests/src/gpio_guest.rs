//! `cargo xtask gpio-guest`: a kernel with a GPIO chip for the tests of `driver-power-gpio`, out of Debian's kernel package.
//!
//! Debian's kernels have no gpio-sim. They do have a driver for a chip of AMD that is nothing but registers in memory, and a
//! guest can get one by an ACPI table.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use xtask_support::packages as host_packages;
use xtask_support::programs::output;
use xtask_support::workspace::Workspace;

/// Depends on the newest kernel of the release.
const NEWEST_KERNEL: &str = "linux-image-amd64";
/// What the guest loads, in this order.
const MODULES: [&str; 2] = ["gpio-generic.ko", "gpio-amdpt.ko"];

/// Brings kernel and modules into `target/gpio-guest`, unless they are there.
pub(crate) fn run() -> Result<()> {
    let folder = Workspace::load()?.root.join("target/gpio-guest");
    let is_complete = || [&["vmlinuz"][..], &MODULES].concat().iter().all(|it| folder.join(it).is_file());
    if !is_complete() {
        host_packages::require(&["qemu-system-x86", "busybox"])?;
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        fetch(&folder)?;
        if !is_complete() {
            bail!("the kernel package lacks a module: expected {}", MODULES.join(", "));
        }
    }
    println!("kernel and modules in {}", folder.display());
    Ok(())
}

fn fetch(folder: &Path) -> Result<()> {
    let shown = output(Command::new("apt-cache").args(["show", "--no-all-versions", NEWEST_KERNEL]))?;
    let name = kernel(&shown)
        .with_context(|| format!("apt knows no kernel behind `{NEWEST_KERNEL}`: is this Debian on amd64?"))?;
    println!("downloading {name}");
    output(Command::new("apt-get").args(["download", "-qq", name]).current_dir(folder))?;
    let package = fs::read_dir(folder)?
        .flatten()
        .map(|it| it.path())
        .find(|it| it.extension().is_some_and(|it| it == "deb"));
    let package = package.context("apt-get downloaded no package")?;
    unpack(&package, folder)?;
    fs::remove_file(&package).with_context(|| format!("cannot remove {}", package.display()))
}

/// The kernel package that a line `Depends:` names.
fn kernel(shown: &str) -> Option<&str> {
    let depends = shown.lines().find_map(|it| it.strip_prefix("Depends: "))?;
    depends.split([' ', ',']).find(|it| it.starts_with("linux-image-"))
}

/// Kernel and modules, without their folders.
fn unpack(package: &Path, folder: &Path) -> Result<()> {
    let mut reader =
        Command::new("dpkg-deb").arg("--fsys-tarfile").arg(package).stdout(Stdio::piped()).spawn()?;
    let tar = reader.stdout.take().context("no standard output")?;
    let wanted = MODULES.map(|it| format!("*/{it}"));
    output(
        Command::new("tar")
            .args(["-x", "--wildcards", "--transform", r"s,.*/,,;s,^vmlinuz-.*,vmlinuz,", "./boot/vmlinuz-*"])
            .args(wanted)
            .current_dir(folder)
            .stdin(tar),
    )?;
    if !reader.wait()?.success() {
        bail!("`dpkg-deb` cannot read {}", package.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_the_one_the_metapackage_names() {
        let shown = "Package: linux-image-amd64\nDepends: linux-image-6.1.0-56-amd64 (= 6.1.192-2)\n";
        assert_eq!(kernel(shown), Some("linux-image-6.1.0-56-amd64"));
        assert_eq!(kernel(""), None);
    }
}
