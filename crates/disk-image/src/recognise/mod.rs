//! What an image is by its bytes: something that can be on a medium, another format, or a document.

mod content;
mod foreign;
mod signatures;
mod table;
mod text;

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::format::{HEAD, recognise};
use crate::layer::{Layer, unwrap_layers};
use crate::memory::InMemory;
use crate::{Error, Expected};

pub(crate) use foreign::WEB_PAGE_BY_SERVER;
pub use table::PartitionTable;

/// Bytes from the beginning of an image that are looked at: the furthest mark is that of btrfs and of boot loaders at 128 KiB.
pub(crate) const LOOK: usize = 192 * 1024;

/// Bytes at the end of an image that are looked at: the footers of VHD and dmg.
pub(crate) const TAIL: usize = 512;

/// Shortest image, in bytes: one sector.
const SECTOR: u64 = 512;

/// What an image begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageContent {
    /// A partition table.
    Table(PartitionTable),
    /// A file system, volume or boot container, by its name.
    Known(&'static str),
    /// Nothing but zeros.
    Zeros,
    /// Bytes that are none of these.
    Unknown,
}

impl fmt::Display for ImageContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageContent::Table(table) => table.fmt(f),
            ImageContent::Known(name) => f.write_str(name),
            ImageContent::Zeros => f.write_str("zeros"),
            ImageContent::Unknown => f.write_str("unknown content"),
        }
    }
}

/// What is seen of an image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'s> {
    /// Its beginning.
    pub(crate) head: &'s [u8],
    /// Whether that is [`LOOK`] bytes, or all there are.
    pub(crate) complete: bool,
    /// Its last [`TAIL`] bytes, once they are known.
    pub(crate) tail: Option<&'s [u8]>,
    /// Its length in bytes, if it is known.
    pub(crate) length: Option<u64>,
}

/// What the image is, if that may be where it is to be written. `None` when too little of it was seen.
///
/// # Errors
///
/// It is another format or a document, too short, or nothing that a whole device can hold.
pub(crate) fn judge(label: &str, expected: Expected, seen: Seen<'_>) -> Result<Option<ImageContent>, Error> {
    let content = content::of(seen.head);
    if expected == Expected::Anything {
        return Ok(seen.complete.then_some(content));
    }
    if let Some(found) = foreign::of(seen, content, expected) {
        return Err(found.error(label));
    }
    if !seen.complete {
        return Ok(None);
    }
    if let Some(length) = seen.length.or_else(|| short(seen)).filter(|length| *length < SECTOR) {
        return Err(Error::Tiny { label: label.into(), length });
    }
    match content {
        ImageContent::Unknown if expected == Expected::Device => {
            Err(Error::Unknown { label: label.into(), begins: hex(seen.head) })
        }
        ImageContent::Table(table) if expected == Expected::Device => {
            fits(label, table, seen.length).map(|()| Some(content))
        }
        _ => Ok(Some(content)),
    }
}

/// The length of an image that is seen as a whole.
fn short(seen: Seen<'_>) -> Option<u64> {
    (seen.complete && seen.head.len() < LOOK).then_some(seen.head.len() as u64)
}

/// What is in the partitions must be in the image.
fn fits(label: &str, table: PartitionTable, length: Option<u64>) -> Result<(), Error> {
    match length.filter(|length| *length < table.end) {
        Some(length) => Err(Error::BeyondEnd { label: label.into(), table, length }),
        None => Ok(()),
    }
}

/// The first bytes as a person may compare them.
fn hex(head: &[u8]) -> String {
    head.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// Whether the beginning of a file shows a text or a document.
pub(crate) fn is_document(head: &[u8]) -> bool {
    text::of(head).is_some() || foreign::is_document(head)
}

/// Looks at an image that is a file, decoded already.
pub(crate) fn judge_file(
    label: &str,
    expected: Expected,
    file: &File,
    length: u64,
) -> Result<Option<ImageContent>, Error> {
    let read = |offset: u64, wanted: u64| {
        let mut bytes = vec![0; wanted as usize];
        let failed = |source| Error::Read { label: label.into(), offset, source };
        file.read_exact_at(&mut bytes, offset).map_err(failed).map(|()| bytes)
    };
    let head = read(0, length.min(LOOK as u64))?;
    let last = length.min(TAIL as u64);
    let tail = read(length - last, last)?;
    judge(label, expected, Seen { head: &head, complete: true, tail: Some(&tail), length: Some(length) })
}

/// Looks at the beginning of what a layer gives, which is a whole image of `length` bytes, if that is known. What cannot
/// be read is reported when the image is decoded.
pub(crate) fn judge_layer(
    label: &str,
    expected: Expected,
    top: &mut dyn Layer,
    length: Option<u64>,
) -> Result<Option<ImageContent>, Error> {
    let (mut head, mut filled) = (vec![0; LOOK], 0);
    let mut complete = true;
    while filled < LOOK {
        match top.read(&mut head[filled..]) {
            Ok(read_result) if read_result.count == 0 => break,
            Ok(read_result) => filled += read_result.count,
            Err(_) => {
                complete = false;
                break;
            }
        }
    }
    judge(label, expected, Seen { head: &head[..filled], complete, tail: None, length })
}

/// Looks at an image of which only the first stored bytes are here, `whole` when they are all of it; also tells whether there is
/// an archive in it, as far as it can be seen.
pub(crate) fn judge_stored(
    label: &str,
    expected: Expected,
    stored: Vec<u8>,
    whole: bool,
    length: Option<u64>,
) -> Result<(Option<ImageContent>, bool), Error> {
    let is_archive = recognise(label, &stored[..stored.len().min(HEAD)])?.is_archive();
    match unwrap_layers(label, Box::new(InMemory::new(stored, whole))) {
        Ok(mut peeled) => {
            let has_archive = peeled.formats.iter().any(|format| format.is_archive());
            let length = peeled.length.or(length);
            judge_layer(label, expected, peeled.top.as_mut(), length).map(|content| (content, has_archive))
        }
        Err(Error::Ended { .. }) => Ok((None, is_archive)), // more than is here would have to be seen
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
