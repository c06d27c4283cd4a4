//! Packed folders (`tar+gzip`), unpacked within bounds: files and folders only, nothing outside, nothing overwritten.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};
use tar::{Archive, Entry, EntryType};

use super::files::make_parents;
use crate::{Digest, OciError, confine, words::quoted};

/// Bounds on what a packed folder may unfold into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files of a bundle that come out of packed folders.
    pub unpacked: u64,
    /// Entries in a packed folder.
    pub entries: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { unpacked: 8 << 30, entries: 100_000 }
    }
}

/// Unpacks `blob` into the folder `below` of `root`; gives each file's digest by its path below `root`.
pub(super) fn unpack(
    blob: &Path,
    root: &Path,
    below: &Path,
    left: &mut Limits,
    layer: &str,
) -> Result<BTreeMap<String, Digest>, OciError> {
    let bad = |reason: String| OciError::Unpack { layer: layer.into(), reason };
    let file = File::open(blob).map_err(OciError::storage("read", blob))?;
    let mut archive = Archive::new(MultiGzDecoder::new(BufReader::new(file)));
    let mut digests = BTreeMap::new();
    for entry in archive.entries().map_err(|fault| bad(fault.to_string()))? {
        let mut entry = entry.map_err(|fault| bad(fault.to_string()))?;
        left.entries = left.entries.checked_sub(1).ok_or_else(|| bad("it has too many entries".into()))?;
        let Some(path) = place(&entry, below).map_err(&bad)? else { continue };
        let to = root.join(&path);
        if entry.header().entry_type() == EntryType::Directory {
            fs::create_dir_all(&to).map_err(OciError::storage("create the folder", &to))?;
            continue;
        }
        make_parents(&to)?;
        let digest = copy(&mut entry, &to, &mut left.unpacked, layer)?;
        digests.insert(path, digest);
    }
    Ok(digests)
}

/// Where an entry goes, below the root; `None` for the folder itself and for notes about other entries.
fn place(entry: &Entry<'_, impl Read>, below: &Path) -> Result<Option<String>, String> {
    let path = entry.path().map_err(|fault| fault.to_string())?;
    let name = path.to_str().ok_or("a name in it is not UTF-8")?.to_owned();
    let kind = entry.header().entry_type();
    match kind {
        EntryType::Regular | EntryType::Directory => {}
        EntryType::XGlobalHeader | EntryType::XHeader => return Ok(None),
        EntryType::Symlink | EntryType::Link => {
            return Err(format!("{} is a link; a bundle holds files only", quoted(&name)));
        }
        _ => return Err(format!("{} is neither a file nor a folder", quoted(&name))),
    }
    if name.trim_end_matches('/').is_empty() || name.trim_end_matches('/') == "." {
        return Ok(None);
    }
    let inside = confine::relative(&name).map_err(|reason| format!("{} {reason}", quoted(&name)))?;
    let joined: PathBuf = below.join(inside);
    Ok(joined.to_str().map(str::to_owned))
}

fn copy(from: &mut impl Read, to: &Path, left: &mut u64, layer: &str) -> Result<Digest, OciError> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(to).map_err(|fault| match fault.kind() {
            io::ErrorKind::AlreadyExists => OciError::Unpack {
                layer: layer.into(),
                reason: format!(
                    "{} is there twice",
                    quoted(&to.file_name().unwrap_or_default().to_string_lossy())
                ),
            },
            _ => OciError::storage("create", to)(fault),
        })?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = from
            .read(&mut buffer)
            .map_err(|fault| OciError::Unpack { layer: layer.into(), reason: fault.to_string() })?;
        let piece = buffer.get(..count).unwrap_or_default();
        if piece.is_empty() {
            return Ok(crate::digest::finish(hash));
        }
        *left = left.checked_sub(count as u64).ok_or_else(|| OciError::Unpack {
            layer: layer.into(),
            reason: "it unfolds into more bytes than a bundle may have".into(),
        })?;
        hash.update(piece);
        file.write_all(piece).map_err(OciError::storage("write to", to))?;
    }
}
