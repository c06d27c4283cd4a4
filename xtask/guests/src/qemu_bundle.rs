//! `cargo xtask qemu-bundle`: flash bundles for QEMU's arm64 board, out of Debian packages.
//!
//! The manifests are those of `flasher-bundles`. Equal packages give equal bytes.

mod cpio;
mod digest;
mod elf;
mod formats;
mod initramfs;
mod lock;
mod modules;
mod packages;
mod stamp;

use anyhow::{Context, Result};
use lock::Locked;
use stamp::Digests;
use std::fs;
use std::path::{Path, PathBuf};
use xtask_support::packages as host_packages;
use xtask_support::workspace::Workspace;

const MANIFESTS: &str = "crates/flasher-bundles/boards";
const MANIFEST: &str = "manifest.yaml";
const KERNEL: &str = "data/Image";
const RAMDISK: &str = "data/initramfs.cpio.gz";
const WRAPPED: &str = "data/initramfs.uimage";
const PACKED: &str = "data/flashboard.itb";

/// Every bundle and the files its manifest names.
const BUNDLES: [(&str, &[&str]); 4] = [
    ("qemu-virt", &[KERNEL, RAMDISK]),
    ("qemu-virt-tools", &[KERNEL, RAMDISK]),
    ("qemu-virt-uimage", &[KERNEL, WRAPPED]),
    ("qemu-virt-fit", &[PACKED]),
];

/// Options of `cargo xtask qemu-bundle`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Folder for the bundles [default: target/qemu-bundle]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Folder for downloaded packages and their lock file [default: `cache` in the folder for the bundles]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Look for newer packages
    #[arg(long)]
    refresh: bool,
}

/// Builds the bundles unless they are up to date; prints the digest of every file.
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = Workspace::load()?.root;
    let out = args.out.clone().unwrap_or_else(|| root.join("target/qemu-bundle"));
    let cache = args.cache.clone().unwrap_or_else(|| out.join("cache"));
    host_packages::require(&["u-boot-tools", "device-tree-compiler", "kmod"])?;
    let manifests = manifests(&root)?;
    let packages = packages::ensure(&cache, args.refresh)?;
    let inputs = stamp::inputs(&lock::text(&packages), manifests.iter().map(String::as_str));
    let digests = match stamp::up_to_date(&out, &inputs, &paths()) {
        Some(digests) => digests,
        None => {
            stamp::remove(&out)?;
            build(&out, &cache, &packages, &manifests)?;
            let digests = stamp::digests(&out, &paths())?;
            stamp::write(&out, &inputs, &digests)?;
            digests
        }
    };
    print!("{}", listing(&digests));
    println!("bundles for `-bios u-boot.bin -machine virt -m 1024` in {}", out.display());
    Ok(())
}

/// Texts of the manifests, in the order of [`BUNDLES`].
fn manifests(root: &Path) -> Result<Vec<String>> {
    let read = |name| {
        let path = root.join(MANIFESTS).join(format!("{name}.yaml"));
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    BUNDLES.iter().map(|it| read(it.0)).collect()
}

/// Paths of all files of all bundles.
fn paths() -> Vec<String> {
    let of_bundle = |(name, files): &(&str, &'static [&'static str])| {
        let name = (*name).to_owned();
        [MANIFEST].into_iter().chain(files.iter().copied()).map(move |it| format!("{name}/{it}"))
    };
    BUNDLES.iter().flat_map(of_bundle).collect()
}

fn listing(digests: &Digests) -> String {
    digests.iter().map(|(path, digest)| format!("{digest}  {path}\n")).collect()
}

fn build(out: &Path, cache: &Path, packages: &[Locked], manifests: &[String]) -> Result<()> {
    println!("building the bundles");
    let work = out.join("work");
    empty(&work)?;
    let work = work.canonicalize()?;
    for package in packages {
        package.verify(cache)?;
        modules::extract(&cache.join(package.file()), &work.join(part(package)))?;
    }
    for ((name, _), manifest) in BUNDLES.iter().zip(manifests) {
        empty(&out.join(name))?;
        write(&out.join(name).join(MANIFEST), manifest.as_bytes())?;
    }
    fill(out, &work)?;
    lock::write(out, packages)?;
    fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))
}

/// Folder a package is unpacked into; the tools and their libraries share one.
fn part(package: &Locked) -> &'static str {
    match package.name.as_str() {
        packages::BUSYBOX => "busybox",
        name if packages::is_kernel(name) => "kernel",
        _ => "tools",
    }
}

/// Writes the files of the bundles from the unpacked packages.
fn fill(out: &Path, work: &Path) -> Result<()> {
    let [plain, tools, wrapped, packed] = BUNDLES.map(|it| out.join(it.0));
    let kernel = modules::Kernel::read(&work.join("kernel"))?;
    write(&plain.join(KERNEL), &kernel.image)?;
    for bundle in [&tools, &wrapped] {
        link(&plain.join(KERNEL), &bundle.join(KERNEL))?;
    }
    let mut archive = initramfs::plain(&work.join("busybox"), &kernel.modules)?;
    write(&plain.join(RAMDISK), &initramfs::gzip(&archive)?)?;
    initramfs::add_tools(&mut archive, &work.join("tools"))?;
    write(&tools.join(RAMDISK), &initramfs::gzip(&archive)?)?;
    formats::uimage(&plain.join(RAMDISK), &wrapped.join(WRAPPED))?;
    create_parent(&packed.join(PACKED))?;
    let [kernel, ramdisk] = [KERNEL, RAMDISK].map(|it| plain.join(it).canonicalize());
    formats::fit(&kernel?, &ramdisk?, work, &packed.join(PACKED))
}

fn empty(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(e).with_context(|| format!("cannot remove {}", folder.display()));
        }
        _ => {}
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifests_name_exactly_the_files_their_bundles_have() {
        let root = &Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for ((name, files), text) in BUNDLES.iter().zip(manifests(root).unwrap()) {
            let named: Vec<&str> = text.lines().filter_map(|it| it.trim().strip_prefix("file: ")).collect();
            assert_eq!(named, *files, "{name}");
            assert!(text.contains(&format!("\n  name: {name}\n")), "{name}");
        }
    }

    #[test]
    fn a_bundle_has_its_manifest_and_its_files() {
        let expected =
            ["qemu-virt/manifest.yaml", "qemu-virt/data/Image", "qemu-virt/data/initramfs.cpio.gz"];
        assert_eq!(paths()[..3], expected);
    }
}
