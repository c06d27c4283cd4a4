//! Files with a JSON value: written whole or not at all.

use std::{fs, io::Write, os::unix::fs::PermissionsExt, path::Path};

use serde::{Deserialize, Serialize};

use crate::OciError;

/// The value in `path`; a file that is not there or cannot be read counts as no value: it is made anew.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Writes into the folder `tmp` and renames to `path`, so that a reader sees the old or the new and nothing between.
pub(crate) fn write(path: &Path, tmp: &Path, value: &impl Serialize) -> Result<(), OciError> {
    let failed = |source| OciError::Storage { action: "write", path: path.into(), source };
    let mut file = tempfile::NamedTempFile::new_in(tmp).map_err(failed)?;
    serde_json::to_writer_pretty(&mut file, value).map_err(|fault| failed(fault.into()))?;
    file.write_all(b"\n").map_err(failed)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644)).map_err(failed)?;
    file.persist(path).map_err(|fault| failed(fault.error))?;
    Ok(())
}
