//! The RAM disk: busybox, the drivers, and on demand GNU tools with the libraries they need.

use super::cpio::{Archive, Node};
use super::elf;
use super::modules::ModuleLists;
use anyhow::{Context, Result};
use flate2::{Compression, write::GzEncoder};
use std::fs;
use std::io::Write;
use std::path::Path;

/// Files of our own: path, whether it is a program, text.
pub(super) const FILES: [(&str, bool, &str); 9] = [
    ("etc/inittab", false, include_str!("rootfs/inittab")),
    ("etc/init.d/rcS", true, include_str!("rootfs/rcS")),
    ("etc/udhcpc/default.script", true, include_str!("rootfs/udhcpc.script")),
    ("sbin/refresh-partlabels", true, include_str!("rootfs/refresh-partlabels")),
    ("etc/profile", false, include_str!("rootfs/profile")),
    ("etc/hostname", false, "flashboard\n"),
    ("etc/hosts", false, "127.0.0.1 localhost flashboard\n"),
    ("etc/passwd", false, "root::0:0:root:/root:/bin/sh\n"),
    ("etc/group", false, "root:x:0:\n"),
];

/// Directories that are mounted on, or that `busybox --install` fills.
const DIRECTORIES: [&str; 10] =
    ["bin", "dev", "mnt", "proc", "root", "sbin", "sys", "tmp", "usr/bin", "usr/sbin"];

/// Programs of the RAM disk with tools, where Debian has them, so that `busybox --install` leaves them in place.
const PROGRAMS: [&str; 13] = [
    "bin/bash",
    "bin/dd",
    "bin/sync",
    "sbin/blkdiscard",
    "usr/bin/curl",
    "usr/bin/head",
    "usr/bin/sha256sum",
    "usr/bin/stat",
    "usr/bin/tee",
    "usr/bin/timeout",
    "usr/bin/truncate",
    "usr/bin/xz",
    "usr/bin/zstd",
];

/// Other names of programs above. The shell is not busybox's, which prefers its own tools to those of the search path.
const PROGRAM_LINKS: [(&str, &str); 6] = [
    ("bin/sh", "bash"),
    ("usr/bin/blkdiscard", "../../sbin/blkdiscard"),
    ("usr/bin/unxz", "xz"),
    ("usr/bin/xzcat", "xz"),
    ("usr/bin/unzstd", "zstd"),
    ("usr/bin/zstdcat", "zstd"),
];

/// Where the dynamic loader looks; it needs no configuration for these.
const LIBRARY_FOLDERS: [&str; 4] = ["lib", "usr/lib", "lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu"];

/// The plain RAM disk. `busybox` is the folder its package was unpacked into.
pub(super) fn plain(busybox: &Path, modules: &ModuleLists) -> Result<Archive> {
    let mut archive = Archive::default();
    for path in DIRECTORIES {
        archive.add(path, Node::Directory);
    }
    for (path, executable, text) in FILES {
        archive.add(path, Node::File { executable, content: text.into() });
    }
    // The kernel gives this to init before anything is mounted (console: major 5, minor 1).
    archive.add("dev/console", Node::CharacterDevice { major: 5, minor: 1 });
    archive.add("bin/busybox", program(&busybox.join("bin/busybox"))?);
    archive.add("bin/sh", Node::Link("busybox".into()));
    archive.add("init", Node::Link("bin/busybox".into()));
    add_modules(&mut archive, modules)?;
    Ok(archive)
}

/// Adds the tools and their libraries from the folder their packages were unpacked into.
pub(super) fn add_tools(archive: &mut Archive, root: &Path) -> Result<()> {
    let mut pending: Vec<String> = PROGRAMS.map(str::to_owned).to_vec();
    let mut known = pending.clone();
    while let Some(path) = pending.pop() {
        let content = read(&root.join(&path))?;
        for wanted in wanted_by(&content, root).with_context(|| format!("`{path}`"))? {
            if !known.contains(&wanted) {
                known.push(wanted.clone());
                pending.push(wanted);
            }
        }
        archive.add(&path, Node::File { executable: true, content });
    }
    for (path, target) in PROGRAM_LINKS {
        archive.add(path, Node::Link(target.into()));
    }
    Ok(())
}

/// The archive compressed; without a time stamp, so equal content gives equal bytes.
pub(crate) fn gzip(archive: &Archive) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&archive.bytes()).and_then(|()| encoder.finish()).context("cannot compress")
}

/// Paths of the libraries and the loader an ELF file asks for.
fn wanted_by(file: &[u8], root: &Path) -> Result<Vec<String>> {
    let mut paths = elf::needed(file)?.iter().map(|it| library(it, root)).collect::<Result<Vec<String>>>()?;
    paths.extend(elf::interpreter(file)?.map(|it| it.trim_start_matches('/').to_owned()));
    Ok(paths)
}

fn library(name: &str, root: &Path) -> Result<String> {
    let paths = LIBRARY_FOLDERS.iter().map(|it| format!("{it}/{name}"));
    let mut found = paths.filter(|it| root.join(it).is_file());
    found.next().with_context(|| format!("needs `{name}`, which none of the packages has"))
}

/// The modules in one folder, and their lists in another.
pub(crate) fn add_modules(archive: &mut Archive, modules: &ModuleLists) -> Result<()> {
    for (list, paths) in modules {
        let mut lines = String::new();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            archive
                .add(&format!("lib/modules/{name}"), Node::File { executable: false, content: read(path)? });
            lines += &format!("{name}\n");
        }
        archive.add(&format!("etc/modules/{list}"), Node::File { executable: false, content: lines.into() });
    }
    Ok(())
}

pub(crate) fn program(path: &Path) -> Result<Node> {
    Ok(Node::File { executable: true, content: read(path)? })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests;
