//! The lock file: which packages, byte for byte, the bundles are made of.

use super::digest;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

const NAME: &str = "packages.lock";
/// A lock with another first line was made by other rules, and is made again.
const HEADER: &str = "# kernels of the release itself: name version architecture size sha256\n";

/// A package file in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Locked {
    pub(crate) name: String,
    version: String,
    pub(crate) architecture: String,
    size: u64,
    sha256: String,
}

impl Locked {
    /// What a downloaded file is; its name is `NAME_VERSION_ARCHITECTURE.deb`.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let words: Vec<&str> = file.strip_suffix(".deb").unwrap_or_default().split('_').collect();
        let [name, version, architecture] = words[..] else {
            bail!("`{file}` is not named as a package file is: NAME_VERSION_ARCHITECTURE.deb");
        };
        let size = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
        Ok(Self {
            name: name.to_owned(),
            version: version.replace("%3a", ":"),
            architecture: architecture.to_owned(),
            size,
            sha256: digest::of_file(path)?,
        })
    }

    /// Name of the file in the cache, as apt forms it.
    pub(crate) fn file(&self) -> String {
        format!("{}_{}_{}.deb", self.name, self.version.replace(':', "%3a"), self.architecture)
    }

    /// An error unless the file in the cache is the one that was locked.
    pub(crate) fn verify(&self, cache: &Path) -> Result<()> {
        let path = cache.join(self.file());
        if digest::of_file(&path)? != self.sha256 {
            bail!("{} is not what {NAME} says: run again with `--refresh`", path.display());
        }
        Ok(())
    }

    fn line(&self) -> String {
        let Self { name, version, architecture, size, sha256 } = self;
        format!("{name} {version} {architecture} {size} {sha256}\n")
    }

    fn parse(line: &str) -> Result<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, version, architecture, size, sha256] = words[..] else {
            bail!("{NAME}: expected five words in `{line}`");
        };
        let size = size.parse().with_context(|| format!("{NAME}: `{size}` is not a size in `{line}`"))?;
        let [name, version, architecture, sha256] = [name, version, architecture, sha256].map(str::to_owned);
        Ok(Self { name, version, architecture, size, sha256 })
    }
}

/// The text of a lock file.
pub(crate) fn text(packages: &[Locked]) -> String {
    let lines: String = packages.iter().map(Locked::line).collect();
    format!("{HEADER}{lines}")
}

/// Writes the lock file in one step, so that it is whole or absent.
pub(crate) fn write(folder: &Path, packages: &[Locked]) -> Result<()> {
    let (path, new) = (folder.join(NAME), folder.join(format!("{NAME}.new")));
    fs::write(&new, text(packages))
        .and_then(|()| fs::rename(&new, &path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The locked packages of a cache; `None` when there is no lock of these rules, or a file is missing or has another size.
pub(crate) fn read(cache: &Path) -> Result<Option<Vec<Locked>>> {
    let path = cache.join(NAME);
    let text = match fs::read_to_string(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let Some(lines) = text.strip_prefix(HEADER) else { return Ok(None) };
    let packages = lines.lines().map(Locked::parse).collect::<Result<Vec<_>>>()?;
    let is_there = |it: &Locked| fs::metadata(cache.join(it.file())).is_ok_and(|file| file.len() == it.size);
    Ok(packages.iter().all(is_there).then_some(packages))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_read_as_it_was_written_while_the_files_are_there() {
        let cache = tempfile::tempdir().unwrap();
        assert_eq!(read(cache.path()).unwrap(), None);
        let file = cache.path().join("zlib1g_1%3a1.2.13.dfsg-1_arm64.deb");
        fs::write(&file, "abc").unwrap();
        let locked = Locked::of(&file).unwrap();
        assert_eq!((locked.version.as_str(), locked.size), ("1:1.2.13.dfsg-1", 3));
        write(cache.path(), std::slice::from_ref(&locked)).unwrap();
        assert_eq!(read(cache.path()).unwrap(), Some(vec![locked.clone()]));
        let lock = cache.path().join(NAME);
        let text = fs::read_to_string(&lock).unwrap();
        fs::write(&lock, text.replace("# kernels of the release itself:", "#")).unwrap();
        assert_eq!(read(cache.path()).unwrap(), None, "a lock of other rules");
        fs::write(&lock, text).unwrap();
        locked.verify(cache.path()).unwrap();

        fs::write(&file, "abd").unwrap();
        let error = locked.verify(cache.path()).unwrap_err().to_string();
        let said = format!("{} is not what packages.lock says: run again with `--refresh`", file.display());
        assert_eq!(error, said);
        fs::write(&file, "ab").unwrap();
        assert_eq!(read(cache.path()).unwrap(), None);
    }

    #[test]
    fn what_is_no_lock_and_no_package_is_told() {
        let cases = [
            ("a b c", "packages.lock: expected five words in `a b c`"),
            ("a b c d e", "packages.lock: `d` is not a size in `a b c d e`"),
        ];
        for (line, expected) in cases {
            assert_eq!(Locked::parse(line).unwrap_err().to_string(), expected);
        }
        let error = Locked::of(Path::new("/x/readme.txt")).unwrap_err().to_string();
        assert_eq!(error, "`readme.txt` is not named as a package file is: NAME_VERSION_ARCHITECTURE.deb");
    }
}
