//! Files of a bundle: inside its folder, regular, with content, and nameable on a U-Boot command line.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use flasher_base::confine::{self, Outside};

/// A file that may be used.
#[derive(Debug)]
pub(crate) struct ConfinedFile {
    /// Where it really is: absolute, symbolic links resolved.
    pub(crate) path: PathBuf,
    /// Length in bytes, not zero.
    pub(crate) length: u64,
}

/// Finds `file` below `root`, which must be absolute and without symbolic links.
///
/// # Errors
/// Says why it may not be used, as the end of a sentence that begins with the file's name.
pub(crate) fn find(root: &Path, file: &str) -> Result<ConfinedFile, String> {
    relative(file)?;
    let unreadable = |fault: io::Error| match fault.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        _ => format!("cannot be read: {fault}"),
    };
    let path = root.join(file).canonicalize().map_err(unreadable)?;
    if !path.starts_with(root) {
        return Err("leads out of the bundle; a symbolic link must stay inside".into());
    }
    let about = fs::metadata(&path).map_err(unreadable)?;
    match about.len() {
        _ if !about.is_file() => Err("is not a regular file".into()),
        0 => Err("is empty".into()),
        length => Ok(ConfinedFile { path, length }),
    }
}

/// `file` without `.` and doubled slashes, its parts joined by `/`.
///
/// # Errors
/// As [`find`]: absolute, upwards, or nothing at all.
pub(crate) fn relative(file: &str) -> Result<String, String> {
    let inside = confine::relative(Path::new(file)).map_err(|outside| match outside {
        Outside::Upwards => "goes upwards with `..`; expected a path inside the bundle",
        Outside::Absolute => "is absolute; expected a path relative to the bundle",
    })?;
    match inside.to_string_lossy() {
        name if name.is_empty() => Err("names no file".into()),
        name => Ok(name.into_owned()),
    }
}

/// The base name of `file`, as `tftpboot` will be given it.
///
/// # Errors
/// As [`find`]: the name has a character that U-Boot's command line takes as its own (white space, quotes,
/// `$`, `;`, `&`, `|`, `\`) or that TFTP cannot carry (control characters, RFC 1350 section 5).
pub(crate) fn served_name(file: &str) -> Result<String, String> {
    let name = relative(file)?.rsplit('/').next().unwrap_or_default().to_owned();
    let special = |c: &char| c.is_control() || c.is_whitespace() || "'\"$;&|\\".contains(*c);
    match name.chars().find(special) {
        Some(c) => {
            Err(format!("has {c:?} in its name, which U-Boot's command line does not take; rename it"))
        }
        None => Ok(name),
    }
}
