//! Brings packages of the machine's own Debian release, through an apt of their own for each architecture.

use super::lock::{self, Locked};
use super::together::together;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use xtask_support::own_apt::OwnApt;
use xtask_support::programs::output;

/// The architecture of the board whose RAM disk also comes with tools.
pub(crate) const ARM64: &str = "arm64";
/// 32-bit Arm.
pub(crate) const ARMHF: &str = "armhf";
/// The 64-bit PC.
pub(crate) const AMD64: &str = "amd64";
/// Debian's architectures, and what depends on the release's kernel there.
pub(crate) const ARCHITECTURES: [(&str, &str); 3] =
    [(ARM64, "linux-image-arm64"), (ARMHF, "linux-image-armmp"), (AMD64, "linux-image-amd64")];
/// The one package of the plain RAM disk.
pub(crate) const BUSYBOX: &str = "busybox-static";
/// Takes kernels of the release itself before those of its security updates: 6.1.192-3, an update, panics on the Orange Pi as
/// soon as its network card hears something.
const PREFERENCES: &str = "Package: linux-image-*\nPin: release l=Debian-Security\nPin-Priority: 200\n";
/// What the RAM disk with tools adds, with all it depends on.
const TOOLS: [&str; 6] = ["bash", "coreutils", "curl", "util-linux", "xz-utils", "zstd"];

/// The packages in the cache; downloads them when one is missing or `refresh` asks for the newest.
pub(crate) fn ensure(cache: &Path, refresh: bool) -> Result<Vec<Locked>> {
    if !refresh && let Some(packages) = lock::read(cache)?.filter(|it| has_every_kernel(it)) {
        return Ok(packages);
    }
    fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let packages = download_all(&cache.canonicalize()?)?;
    lock::write(cache, &packages)?;
    Ok(packages)
}

/// Whether a package is a kernel.
pub(crate) fn is_kernel(name: &str) -> bool {
    name.starts_with("linux-image-")
}

/// A lock of before may know fewer architectures.
fn has_every_kernel(packages: &[Locked]) -> bool {
    let has = |architecture| packages.iter().any(|it| is_kernel(&it.name) && it.architecture == architecture);
    ARCHITECTURES.iter().all(|it| has(it.0))
}

fn download_all(cache: &Path) -> Result<Vec<Locked>> {
    let found =
        together(&ARCHITECTURES, |(architecture, metapackage)| download(cache, architecture, metapackage))?;
    let mut packages: Vec<Locked> = found.into_iter().flatten().collect();
    packages.sort_by(|a, b| (&a.name, &a.architecture).cmp(&(&b.name, &b.architecture)));
    Ok(packages)
}

fn download(cache: &Path, architecture: &str, metapackage: &str) -> Result<Vec<Locked>> {
    let state = cache.join("apt").join(architecture);
    let apt = OwnApt::new(&state, architecture)?.with_preferences(PREFERENCES)?;
    println!("reading the lists of {architecture} packages");
    if let Err(error) = apt.run("apt-get", &["update"]) {
        // One list that does not come may be one that is not needed.
        println!("{error:#}");
    }
    let names = names(&apt, architecture, metapackage)?;
    println!("downloading {} {architecture} packages into {}", names.len(), cache.display());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let plan = apt.run("apt-get", &[&["download", "--print-uris"], &names[..]].concat())?;
    let files = files_of_uris(&plan, names.len())?;
    output(apt.command("apt-get", &[&["download"], &names[..]].concat()).current_dir(cache))?;
    // What apt makes of its lists takes more room than the packages, and is out of date when it is wanted again.
    fs::remove_dir_all(&state).with_context(|| format!("cannot remove {}", state.display()))?;
    files.iter().map(|it| Locked::of(&cache.join(it))).collect()
}

/// Names of the packages that are needed of an architecture.
fn names(apt: &OwnApt, architecture: &str, metapackage: &str) -> Result<Vec<String>> {
    let show = apt.run("apt-cache", &["show", "--no-all-versions", metapackage])?;
    let mut names = vec![kernel_behind(&show, metapackage, architecture)?, BUSYBOX.to_owned()];
    if architecture == ARM64 {
        let closure = ["install", "--print-uris", "-qq", "-y", "--no-install-recommends"];
        names.extend(names_of_uris(&apt.run("apt-get", &[&closure[..], &TOOLS].concat())?)?);
    }
    names.sort();
    Ok(names)
}

/// The kernel package that the metapackage depends on.
fn kernel_behind(show: &str, metapackage: &str, architecture: &str) -> Result<String> {
    let depends = show.lines().find_map(|it| it.strip_prefix("Depends: ")).unwrap_or_default();
    let kernel = depends.split([' ', ',']).find(|it| is_kernel(it));
    kernel.map(str::to_owned).with_context(|| {
        format!(
            "apt knows no kernel behind `{metapackage}`: the machine's sources must offer Debian for {architecture}"
        )
    })
}

/// Package names in lines of `--print-uris`.
fn names_of_uris(text: &str) -> Result<Vec<String>> {
    let name = |line| Ok(file_of_uri(line)?.split('_').next().unwrap_or_default().to_owned());
    text.lines().map(name).collect()
}

/// File names in lines of `--print-uris`, which must be as many as the packages that were asked for.
fn files_of_uris(text: &str, count: usize) -> Result<Vec<&str>> {
    let files = text.lines().map(file_of_uri).collect::<Result<Vec<_>>>()?;
    if files.len() != count {
        bail!("apt-get --print-uris: {} package files, expected {count}", files.len());
    }
    Ok(files)
}

/// The file name in a line `'URI' FILE SIZE DIGEST`.
fn file_of_uri(line: &str) -> Result<&str> {
    let file = line.split(' ').nth(1).filter(|it| it.ends_with(".deb") && !it.contains('/'));
    file.with_context(|| format!("apt-get --print-uris: no package file in `{line}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_kernel_is_the_one_the_metapackage_names() {
        let show = "Package: linux-image-arm64\nVersion: 6.1.192-2\nDepends: linux-image-6.1.0-56-arm64 (= 6.1.192-2)\n";
        let found = |show| kernel_behind(show, "linux-image-arm64", ARM64);
        assert_eq!(found(show).unwrap(), "linux-image-6.1.0-56-arm64");
        let error = found("").unwrap_err().to_string();
        assert_eq!(
            error,
            "apt knows no kernel behind `linux-image-arm64`: the machine's sources must offer Debian for arm64"
        );
    }

    #[test]
    fn names_are_read_from_what_apt_would_fetch() {
        let text = "'http://m/pool/z/zlib1g_1.2_arm64.deb' zlib1g_1%3a1.2_arm64.deb 82744 SHA256:ab\n";
        assert_eq!(names_of_uris(text).unwrap(), ["zlib1g"]);
        assert_eq!(files_of_uris(text, 1).unwrap(), ["zlib1g_1%3a1.2_arm64.deb"]);
        let error = files_of_uris(text, 2).unwrap_err().to_string();
        assert_eq!(error, "apt-get --print-uris: 1 package files, expected 2");
        for line in ["E: no", "'u' ../x.deb 1 2"] {
            let error = names_of_uris(line).unwrap_err().to_string();
            assert_eq!(error, format!("apt-get --print-uris: no package file in `{line}`"));
        }
    }

    #[test]
    fn a_program_that_fails_is_quoted() {
        let error = output(Command::new("sh").args(["-c", "echo no luck >&2; exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "`sh`: exit status: 3\nno luck");
    }
}
