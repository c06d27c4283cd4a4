//! The lock file beside an exporter YAML: which digest each bundle's name stands for in this lab.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{Digest, OciError, Reference, json_file};

/// Name of the lock file, in the folder of the exporter YAML.
pub const LOCK_FILE: &str = "flasher.lock";
const VERSION: u32 = 1;

/// A lock file, read. All exporter YAMLs of a folder share one: a name means the same for each of its boards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockFile {
    path: PathBuf,
    pins: BTreeMap<String, Digest>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u32,
    bundles: BTreeMap<String, String>,
}

impl LockFile {
    /// Reads the lock file of `folder`; one that is not there pins nothing.
    ///
    /// # Errors
    /// [`OciError::LockFile`] for one that cannot be understood, [`OciError::Storage`].
    pub fn load(folder: &Path) -> Result<LockFile, OciError> {
        let path = folder.join(LOCK_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                return Ok(LockFile { path, pins: BTreeMap::new() });
            }
            Err(fault) => return Err(OciError::storage("read", path)(fault)),
        };
        let refuse = |reason: String| OciError::LockFile { path: path.clone(), reason };
        let text: Text = serde_json::from_str(&text).map_err(|fault| refuse(fault.to_string()))?;
        if text.version != VERSION {
            return Err(refuse(format!("its version is {}, this program knows {VERSION}", text.version)));
        }
        let pin = |(name, digest): (String, String)| match digest.parse() {
            Ok(digest) => Ok((name, digest)),
            Err(_) => Err(refuse(format!("`{name}` is pinned to `{digest}`, which is no digest"))),
        };
        let pins = text.bundles.into_iter().map(pin).collect::<Result<_, _>>()?;
        Ok(LockFile { path, pins })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it pins `reference` to.
    pub fn pin(&self, reference: &Reference) -> Option<Digest> {
        self.pins.get(&reference.to_string()).copied()
    }

    /// Pins `reference`; gives what it was pinned to before.
    pub fn set(&mut self, reference: &Reference, digest: Digest) -> Option<Digest> {
        self.pins.insert(reference.to_string(), digest)
    }

    /// Writes it: aside first, then renamed.
    ///
    /// # Errors
    /// [`OciError::Storage`].
    pub fn save(&self) -> Result<(), OciError> {
        let bundles = self.pins.iter().map(|(name, digest)| (name.clone(), digest.prefixed())).collect();
        let folder = self.path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        json_file::write(&self.path, folder, &Text { version: VERSION, bundles })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_kept_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let name: Reference = "quay.io/acme/b:v1".parse().unwrap();
        let mut lock = LockFile::load(folder.path()).unwrap();
        assert_eq!(lock.pin(&name), None);
        assert_eq!(lock.set(&name, Digest::of("1")), None);
        assert_eq!(lock.set(&name, Digest::of("2")), Some(Digest::of("1")));
        lock.save().unwrap();
        let read = LockFile::load(folder.path()).unwrap();
        assert_eq!((read.pin(&name), &read), (Some(Digest::of("2")), &lock));
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_damaged_lock_file_is_an_error_and_never_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let cases = [
            ("", "EOF while parsing"),
            (r#"{"version":2,"bundles":{}}"#, "its version is 2, this program knows 1"),
            (r#"{"version":1,"bundles":{"a":"b"}}"#, "`a` is pinned to `b`, which is no digest"),
            (r#"{"version":1,"bundles":{},"extra":1}"#, "unknown field `extra`"),
        ];
        for (text, expected) in cases {
            fs::write(folder.path().join(LOCK_FILE), text).unwrap();
            let error = LockFile::load(folder.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
