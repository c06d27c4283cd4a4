//! `cargo xtask qemu-bundle`: flash bundles for emulated boards, out of Debian packages.
//!
//! The manifests are those of `flasher-bundles`. Equal packages give equal bytes.

mod boards;
mod bzimage;
pub(crate) mod cpio;
pub(crate) mod digest;
mod elf;
mod formats;
pub(crate) mod initramfs;
pub(crate) mod kernel;
pub(crate) mod lock;
pub(crate) mod modules;
pub(crate) mod packages;
mod stamp;
mod together;

use anyhow::{Context, Result};
use boards::{BUNDLES, write};
use lock::Locked;
use packages::ARCHITECTURES;
use stamp::Digests;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use together::together;
use xtask_support::packages as host_packages;
use xtask_support::programs::output;
use xtask_support::workspace::Workspace;

const MANIFESTS: &str = "crates/flasher-bundles/boards";
const MANIFEST: &str = "manifest.yaml";
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
    println!("bundles for emulated boards with 1 GiB of memory in {}", out.display());
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
    for ((name, _), manifest) in BUNDLES.iter().zip(manifests) {
        empty(&out.join(name))?;
        write(&out.join(name).join(MANIFEST), manifest.as_bytes())?;
    }
    together(&ARCHITECTURES, |(architecture, _)| {
        let work = work.join(architecture);
        unpack_into(&work, cache, packages, architecture)?;
        boards::fill(architecture, out, &work)
    })?;
    lock::write(out, packages)?;
    fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))
}

/// Whether a package is used for an architecture; only arm64 takes some that are for all.
fn is_of(package: &Locked, architecture: &str) -> bool {
    package.architecture == architecture || package.architecture == "all" && architecture == packages::ARM64
}

/// Unpacks the packages of an architecture.
pub(crate) fn unpack_into(work: &Path, cache: &Path, packages: &[Locked], architecture: &str) -> Result<()> {
    for package in packages.iter().filter(|it| is_of(it, architecture)) {
        package.verify(cache)?;
        let into = work.join(part(package));
        fs::create_dir_all(&into).with_context(|| format!("cannot create {}", into.display()))?;
        output(Command::new("dpkg-deb").arg("--extract").arg(cache.join(package.file())).arg(into))?;
    }
    Ok(())
}

/// Folder a package is unpacked into; the tools and their libraries share one.
fn part(package: &Locked) -> &'static str {
    match package.name.as_str() {
        packages::BUSYBOX => "busybox",
        name if packages::is_kernel(name) => "kernel",
        _ => "tools",
    }
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
            let jumps_to_it = text.contains(&format!("address: \"{:#x}\"", bzimage::ADDRESS));
            assert_eq!(jumps_to_it, text.contains("zboot"), "{name}");
        }
    }

    #[test]
    fn a_bundle_has_its_manifest_and_its_files() {
        let expected =
            ["qemu-virt/manifest.yaml", "qemu-virt/data/Image", "qemu-virt/data/initramfs.cpio.gz"];
        assert_eq!(paths()[..3], expected);
    }
}
