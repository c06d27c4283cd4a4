//! One range of an image that is there decoded: read by its offset, and held to its digest.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

use crate::pipeline::chunk::{chunk_length, is_zero};
use crate::pipeline::image_state::ImageState;
use crate::source::file::FileSource;
use crate::source::origin::Origin;
use crate::{CHUNK, Digest, Extent, Format, RANGE, Range, RangeKind};

/// A range that was looked for in the decoded copy of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeCopy {
    /// Its bytes, which have its digest: data and zeros as [`Extent`] has them.
    Extents(Vec<Extent>),
    /// There is no decoded copy to read it from.
    Absent,
    /// The copy in the cache has other bytes there. It was removed from the cache.
    Damaged,
}

/// Whether `image` is there decoded.
pub(crate) fn is_there(image: &ImageState) -> bool {
    let is_file = matches!(image.origin, Origin::File(_) | Origin::Spool(_));
    image.copy().is_some() || image.assembled().is_some() || (is_file && image.format == Format::Raw)
}

/// Length of the decoded copy of `image` in bytes, where there is one.
pub(crate) fn length(image: &ImageState) -> Option<u64> {
    match image.copy() {
        Some(hit) => Some(hit.meta.decoded_length),
        None => image.source_length.filter(|_| is_there(image)),
    }
}

/// What the decoded copy of `image` has at some place, where there is one. Blocks.
pub(crate) fn look(image: &ImageState, offset: u64, length: u64) -> Option<Range> {
    let file = image.copy().map(|hit| Arc::clone(&hit.file)).or_else(|| raw_file(image))?;
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    file.read_exact_at(&mut bytes, offset).ok()?;
    let end = offset + length;
    let is_left = image.left_alone().iter().any(|stretch| stretch.start < end && offset < stretch.end);
    let kind = match is_left {
        true => RangeKind::Unmapped,
        false if is_zero(&bytes) => RangeKind::Zero,
        false => RangeKind::Data,
    };
    Some(Range { offset, length, sha256: Digest::of(&bytes), kind })
}

/// Reads `range` of `image` where it is there decoded. Blocks.
pub(crate) fn read(image: &ImageState, range: &Range) -> RangeCopy {
    if let Some(hit) = image.copy() {
        return read_from(&hit.file, range).map_or_else(
            || {
                // What cannot be removed is refused by its digest the next time, too.
                let _ = std::fs::remove_file(&hit.path);
                image.distrust_copy();
                RangeCopy::Damaged
            },
            RangeCopy::Extents,
        );
    }
    // A raw file that changed is for its decoding to report.
    let extents = raw_file(image).and_then(|file| read_from(&file, range));
    extents.map_or(RangeCopy::Absent, RangeCopy::Extents)
}

/// The file of a raw image on this machine.
fn raw_file(image: &ImageState) -> Option<Arc<File>> {
    if let Some(file) = image.assembled() {
        return Some(file);
    }
    match (&image.origin, image.format) {
        (Origin::File(path), Format::Raw) => {
            FileSource::open(&image.label, path, image.source_length).ok().map(|file| file.handle())
        }
        (Origin::Spool(file), Format::Raw) => Some(Arc::clone(file)),
        _ => None,
    }
}

/// The extents of `range`; none when the file does not hold its bytes.
fn read_from(file: &File, range: &Range) -> Option<Vec<Extent>> {
    if range.length > RANGE {
        return None;
    }
    let mut bytes = vec![0; range.length as usize];
    file.read_exact_at(&mut bytes, range.offset).ok()?;
    (Digest::of(&bytes) == range.sha256).then(|| extents(range.offset, bytes.into()))
}

/// Cuts bytes as a decoding does. Zeros are given as such where they fill a whole chunk.
fn extents(mut offset: u64, mut bytes: Bytes) -> Vec<Extent> {
    let mut extents = Vec::new();
    while !bytes.is_empty() {
        let piece = bytes.split_to(chunk_length(offset).min(bytes.len()));
        let length = piece.len() as u64;
        match extents.last_mut() {
            _ if length != CHUNK || !is_zero(&piece) => extents.push(Extent::Data { offset, bytes: piece }),
            Some(Extent::Zero { length: before, .. }) => *before += length,
            _ => extents.push(Extent::Zero { offset, length }),
        }
        offset += length;
    }
    extents
}
