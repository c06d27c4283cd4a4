//! `cargo xtask test-guest`: a Linux with drivers that the kernel of this machine may lack, for tests of what real ones do.
//!
//! It is made of the packages of `cargo xtask qemu-bundle`. Its RAM disk has the drivers; programs and tests are those of the machine that
//! starts it, whose files it sees read-only.

use crate::qemu_bundle::cpio::{Archive, Node};
use crate::qemu_bundle::kernel::{self, Kernel};
use crate::qemu_bundle::modules::ModuleNames;
use crate::qemu_bundle::{digest, initramfs, lock, packages, unpack_into};
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use xtask_support::packages as host_packages;
use xtask_support::workspace::Workspace;

/// What it loads as it starts, and what scripts load themselves, with options. Debian's kernels have no gpio-sim; they have a driver for
/// a chip of AMD that is nothing but registers in memory, which a guest gets by an ACPI table.
const MODULES: &ModuleNames = &[
    (
        "first",
        &[
            "virtio_pci",
            "9pnet_virtio",
            "9p",
            // The sums that the drivers of disks ask for by name.
            "crct10dif_generic",
            "crc64_rocksoft_generic",
            "sd_mod",
            "loop",
            "dm-flakey",
            "gpio-amdpt",
        ],
    ),
    ("later", &["scsi_debug"]),
];
const DIRECTORIES: [&str; 5] = ["bin", "dev", "machine", "proc", "sys"];
const INIT: &str = include_str!("test_guest/init");
const BOOT: &str = include_str!("test_guest/boot");
/// The command last: with it, everything is there.
const FILES: [&str; 4] = ["vmlinuz", "initrd", "stamp", "boot"];

/// Makes kernel, RAM disk and the command that boots them in `target/test-guest`, unless they are up to date.
pub(crate) fn run() -> Result<()> {
    let root = Workspace::load()?.root;
    let folder = root.join("target/test-guest");
    host_packages::require(&["qemu-system-x86", "kmod"])?;
    let cache = root.join("target/qemu-bundle/cache");
    let packages = packages::ensure(&cache, false)?;
    let inputs = digest::of_texts([include_str!("test_guest.rs"), INIT, BOOT, &lock::text(&packages)]);
    let stamp = fs::read_to_string(folder.join("stamp")).unwrap_or_default();
    if stamp != inputs || !FILES.iter().all(|name| folder.join(name).is_file()) {
        let work = tempfile::tempdir().context("no temporary folder")?;
        unpack_into(work.path(), &cache, &packages, packages::AMD64)?;
        make(&folder, work.path(), &inputs)?;
    }
    println!("a Linux for tests in {}: `{0}/boot SCRIPT`", folder.display());
    Ok(())
}

fn make(folder: &Path, work: &Path, inputs: &str) -> Result<()> {
    let kernel = Kernel::read(&work.join("kernel"), &kernel::BZIMAGE)?;
    let ramdisk = ramdisk(&work.join("busybox"), &kernel)?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, content) in FILES.iter().zip([&kernel.image[..], &ramdisk, inputs.as_bytes(), BOOT.as_bytes()])
    {
        let path = folder.join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let boot = folder.join("boot");
    fs::set_permissions(&boot, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} a program", boot.display()))
}

fn ramdisk(busybox: &Path, kernel: &Kernel) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for path in DIRECTORIES {
        archive.add(path, Node::Directory);
    }
    archive.add("dev/console", Node::CharacterDevice { major: 5, minor: 1 });
    archive.add("init", Node::File { executable: true, content: INIT.into() });
    archive.add("bin/busybox", initramfs::program(&busybox.join("bin/busybox"))?);
    initramfs::add_modules(&mut archive, &kernel.modules(MODULES)?)?;
    initramfs::gzip(&archive)
}
