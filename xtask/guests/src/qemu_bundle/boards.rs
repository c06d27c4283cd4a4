//! The files of the bundles, out of unpacked packages.

use super::kernel::{self, Kernel};
use super::{bzimage, formats, initramfs, modules, packages};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

pub(super) const IMAGE: &str = "data/Image";
pub(super) const RAMDISK: &str = "data/initramfs.cpio.gz";
const WRAPPED: &str = "data/initramfs.uimage";
const PACKED: &str = "data/flashboard.itb";
const ZIMAGE: &str = "data/zImage";
const BZIMAGE: &str = "data/bzImage";
const DEVICE_TREE: &str = "data/sun8i-h3-orangepi-pc.dtb";

/// Every bundle and the files its manifest names.
pub(super) const BUNDLES: [(&str, &[&str]); 7] = [
    ("qemu-virt", &[IMAGE, RAMDISK]),
    ("qemu-virt-tools", &[IMAGE, RAMDISK]),
    ("qemu-virt-uimage", &[IMAGE, WRAPPED]),
    ("qemu-virt-fit", &[PACKED]),
    ("qemu-armhf", &[ZIMAGE, RAMDISK]),
    ("qemu-orangepi", &[ZIMAGE, RAMDISK, DEVICE_TREE]),
    ("qemu-x86_64", &[BZIMAGE, RAMDISK]),
];

/// Writes the files of an architecture's bundles. `work` is where its packages are unpacked.
pub(super) fn fill(architecture: &str, out: &Path, work: &Path) -> Result<()> {
    match architecture {
        packages::ARM64 => arm64(out, work),
        packages::ARMHF => armhf(out, work),
        _ => amd64(out, work),
    }
}

fn arm64(out: &Path, work: &Path) -> Result<()> {
    let bundle = |name| out.join(name);
    let [plain, tools] = ["qemu-virt", "qemu-virt-tools"].map(bundle);
    let [wrapped, packed] = ["qemu-virt-uimage", "qemu-virt-fit"].map(bundle);
    let kernel = Kernel::read(&work.join("kernel"), &kernel::IMAGE)?;
    write(&plain.join(IMAGE), &kernel.image)?;
    for bundle in [&tools, &wrapped] {
        link(&plain.join(IMAGE), &bundle.join(IMAGE))?;
    }
    let mut archive = initramfs::plain(&work.join("busybox"), &kernel.modules(&modules::VIRT)?)?;
    write(&plain.join(RAMDISK), &initramfs::gzip(&archive)?)?;
    initramfs::add_tools(&mut archive, &work.join("tools"))?;
    write(&tools.join(RAMDISK), &initramfs::gzip(&archive)?)?;
    formats::uimage(&plain.join(RAMDISK), &wrapped.join(WRAPPED))?;
    create_parent(&packed.join(PACKED))?;
    let [kernel, ramdisk] = [IMAGE, RAMDISK].map(|it| plain.join(it).canonicalize());
    formats::fit(&kernel?, &ramdisk?, work, &packed.join(PACKED))
}

/// One kernel is for both boards; the Allwinner's device tree comes with it, that of `virt` from QEMU.
fn armhf(out: &Path, work: &Path) -> Result<()> {
    let [virt, orangepi] = ["qemu-armhf", "qemu-orangepi"].map(|it| out.join(it));
    let kernel = Kernel::read(&work.join("kernel"), &kernel::ZIMAGE)?;
    write(&virt.join(ZIMAGE), &kernel.image)?;
    link(&virt.join(ZIMAGE), &orangepi.join(ZIMAGE))?;
    write_ramdisk(&virt, work, &kernel, &modules::VIRT)?;
    write_ramdisk(&orangepi, work, &kernel, &modules::H3)?;
    write(&orangepi.join(DEVICE_TREE), &kernel.device_tree("sun8i-h3-orangepi-pc.dtb")?)
}

fn amd64(out: &Path, work: &Path) -> Result<()> {
    let bundle = out.join("qemu-x86_64");
    let kernel = Kernel::read(&work.join("kernel"), &kernel::BZIMAGE)?;
    write(&bundle.join(BZIMAGE), &bzimage::startable(&kernel.image)?)?;
    write_ramdisk(&bundle, work, &kernel, &modules::PC)
}

fn write_ramdisk(bundle: &Path, work: &Path, kernel: &Kernel, wanted: &modules::ModuleNames) -> Result<()> {
    let archive = initramfs::plain(&work.join("busybox"), &kernel.modules(wanted)?)?;
    write(&bundle.join(RAMDISK), &initramfs::gzip(&archive)?)
}

/// Writes a file, and the folder it is in.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<()> {
    create_parent(path)?;
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

fn link(from: &Path, to: &Path) -> Result<()> {
    create_parent(to)?;
    fs::hard_link(from, to).with_context(|| format!("cannot link {}", to.display()))
}

fn create_parent(path: &Path) -> Result<()> {
    let folder = path.parent().context("a file of a bundle has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}
