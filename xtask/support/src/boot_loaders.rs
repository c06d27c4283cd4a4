//! Boot loaders of emulated boards that Debian has for another architecture alone: the package is unpacked, not installed.

use crate::own_apt::OwnApt;
use crate::programs::output;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The package with the boot loaders of Allwinner's boards, and the architecture it is for.
const PACKAGE: (&str, &str) = ("u-boot-sunxi", "armhf");
/// The file of it that is used.
const FILE: &str = "usr/lib/u-boot/orangepi_zero/u-boot-sunxi-with-spl.bin";

/// Brings the boot loader into `target/u-boot-sunxi`, unless it is there or installed; says how it ended.
///
/// # Errors
///
/// When the package cannot be fetched, or lacks the file.
pub fn ensure(root: &Path) -> Result<String> {
    let folder = root.join("target/u-boot-sunxi");
    for place in [Path::new("/"), &folder] {
        if place.join(FILE).is_file() {
            return Ok(format!("present in {}", place.display()));
        }
    }
    let (name, architecture) = PACKAGE;
    let apt = OwnApt::new(&root.join("target/apt").join(architecture), architecture)?;
    println!("reading the lists of {architecture} packages");
    if let Err(error) = apt.run("apt-get", &["update"]) {
        // One list that does not come may be one that is not needed.
        println!("{error:#}");
    }
    // One that was cut short before must not be taken for the package.
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    output(apt.command("apt-get", &["download", "-qq", name]).current_dir(&folder))?;
    let package = package_in(&folder)?;
    output(Command::new("dpkg-deb").arg("-x").arg(folder.join(&package)).arg(&folder))?;
    if !folder.join(FILE).is_file() {
        bail!("the package {package} lacks {FILE}");
    }
    Ok(format!("unpacked {package} into {}", folder.display()))
}

/// The one package file of a folder.
fn package_in(folder: &Path) -> Result<String> {
    let names = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let names = names.map(|it| Ok(it?.file_name().to_string_lossy().into_owned()));
    let names: Vec<String> = names.collect::<std::io::Result<_>>()?;
    let package = names.into_iter().find(|name| name.ends_with(".deb"));
    package.with_context(|| format!("apt-get downloaded no package into {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_loader_that_is_there_is_not_fetched_again() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("target/u-boot-sunxi").join(FILE);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "code").unwrap();
        assert!(ensure(root.path()).unwrap().starts_with("present in "));
    }

    #[test]
    fn the_package_is_found_among_other_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("readme"), "").unwrap();
        assert!(package_in(folder.path()).is_err());
        fs::write(folder.path().join("u-boot-sunxi_1_armhf.deb"), "").unwrap();
        assert_eq!(package_in(folder.path()).unwrap(), "u-boot-sunxi_1_armhf.deb");
    }
}
