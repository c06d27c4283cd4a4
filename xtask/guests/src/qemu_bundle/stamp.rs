//! The stamp: what the bundles in a folder were built from, and the digest of every file they have.

use super::digest;
use super::initramfs::FILES;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const NAME: &str = "stamp";
/// The generator itself: a change of these files is a reason to build again.
const GENERATOR: [&str; 9] = [
    include_str!("../qemu_bundle.rs"),
    include_str!("boards.rs"),
    include_str!("bzimage.rs"),
    include_str!("cpio.rs"),
    include_str!("elf.rs"),
    include_str!("formats.rs"),
    include_str!("initramfs.rs"),
    include_str!("kernel.rs"),
    include_str!("modules.rs"),
];

/// Digest by path, relative to the folder of the bundles.
pub(super) type Digests = BTreeMap<String, String>;

/// Digest of all that decides what a build gives.
pub(super) fn inputs<'a>(lock: &'a str, manifests: impl Iterator<Item = &'a str>) -> String {
    let files = FILES.iter().map(|it| it.2);
    digest::of_texts(GENERATOR.into_iter().chain(files).chain([lock]).chain(manifests))
}

/// Digests of files below `out`; one that several paths share is read once.
pub(super) fn digests(out: &Path, paths: &[String]) -> Result<Digests> {
    let mut by_inode: BTreeMap<u64, String> = BTreeMap::new();
    let mut digests = Digests::new();
    for path in paths {
        let file = out.join(path);
        let inode = fs::metadata(&file).with_context(|| format!("cannot read {}", file.display()))?.ino();
        let digest = match by_inode.get(&inode) {
            Some(digest) => digest.clone(),
            None => digest::of_file(&file)?,
        };
        by_inode.insert(inode, digest.clone());
        digests.insert(path.clone(), digest);
    }
    Ok(digests)
}

/// The digests, when the stamp tells of these inputs and the files still are what it says.
pub(super) fn up_to_date(out: &Path, inputs: &str, paths: &[String]) -> Option<Digests> {
    let stamp = fs::read_to_string(out.join(NAME)).ok()?;
    stamp.starts_with(inputs).then_some(())?;
    let digests = digests(out, paths).ok()?;
    (stamp == text(inputs, &digests)).then_some(digests)
}

/// Takes the stamp away before its files change.
pub(super) fn remove(out: &Path) -> Result<()> {
    match fs::remove_file(out.join(NAME)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}/{NAME}", out.display()))
        }
        _ => Ok(()),
    }
}

/// Writes the stamp; the last step of a build.
pub(super) fn write(out: &Path, inputs: &str, digests: &Digests) -> Result<()> {
    fs::write(out.join(NAME), text(inputs, digests))
        .with_context(|| format!("cannot write {}/{NAME}", out.display()))
}

fn text(inputs: &str, digests: &Digests) -> String {
    let lines: String = digests.iter().map(|(path, digest)| format!("{digest}  {path}\n")).collect();
    format!("{inputs}\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_holds_until_an_input_or_a_file_changes() {
        let out = tempfile::tempdir().unwrap();
        let paths = ["a".to_owned(), "b".to_owned()];
        fs::write(out.path().join("a"), "1").unwrap();
        fs::hard_link(out.path().join("a"), out.path().join("b")).unwrap();
        let before = inputs("lock", ["manifest"].into_iter());
        assert_eq!(up_to_date(out.path(), &before, &paths), None);
        write(out.path(), &before, &digests(out.path(), &paths).unwrap()).unwrap();
        let current = up_to_date(out.path(), &before, &paths).unwrap();
        assert_eq!(current["a"], current["b"]);

        let after = inputs("lock", ["manifest, edited"].into_iter());
        assert_eq!(up_to_date(out.path(), &after, &paths), None);
        fs::write(out.path().join("a"), "2").unwrap();
        assert_eq!(up_to_date(out.path(), &before, &paths), None);
        remove(out.path()).unwrap();
        remove(out.path()).unwrap();
        assert!(!out.path().join(NAME).exists());
    }
}
