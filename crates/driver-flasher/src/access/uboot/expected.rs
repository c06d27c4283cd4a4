//! The bytes that a range of the medium should hold, range by range: out of the decoded copy of the image where there is one,
//! else decoded once more.

use bytes::{Bytes, BytesMut};
use disk_image::{Decoding, Digest, Extent, Image, Range, RangeCopy};
use flasher_core::{Class, Error, Result};

use crate::trouble;

/// Gives ranges of an image in their order.
pub(super) struct ExpectedBytes<'a> {
    image: &'a Image,
    decoding: Option<Decoding>,
    /// The extent that reaches beyond the range that was given last.
    rest: Option<Extent>,
}

impl<'a> ExpectedBytes<'a> {
    pub(super) fn of(image: &'a Image) -> Self {
        Self { image, decoding: None, rest: None }
    }

    /// The bytes of `range`, which lies behind those that were asked for before. They have its digest.
    ///
    /// # Errors
    /// When the image cannot be read again, or is not the same any more.
    pub(super) async fn of_range(&mut self, range: &Range) -> Result<Bytes> {
        if self.decoding.is_none()
            && self.image.has_ranges()
            && let RangeCopy::Extents(extents) = self.image.range(range).await
        {
            let mut bytes = BytesMut::zeroed(length(range)?);
            extents.iter().for_each(|extent| place(extent, range, &mut bytes));
            return must_be(range, bytes);
        }
        self.decoded(range).await
    }

    async fn decoded(&mut self, range: &Range) -> Result<Bytes> {
        let end = range.offset + range.length;
        let mut bytes = BytesMut::zeroed(length(range)?);
        let decoding = self.decoding.get_or_insert_with(|| self.image.decode());
        loop {
            let next = match self.rest.take() {
                None => decoding.next().await.map_err(trouble::image)?,
                rest => rest,
            };
            let Some(extent) = next else { break };
            place(&extent, range, &mut bytes);
            let reaches = extent.offset() + extent.length();
            if reaches >= end {
                // What lies behind the range belongs to the next one.
                self.rest = Some(extent).filter(|_| reaches > end);
                break;
            }
        }
        must_be(range, bytes)
    }
}

fn length(range: &Range) -> Result<usize> {
    usize::try_from(range.length)
        .map_err(|_| Error::new(Class::Internal, "a range is larger than the memory"))
}

/// Copies what an extent has of the range.
fn place(extent: &Extent, range: &Range, into: &mut [u8]) {
    let Extent::Data { offset, bytes } = extent else { return };
    let start = (*offset).max(range.offset);
    let end = (offset + bytes.len() as u64).min(range.offset + range.length);
    if start < end {
        let from = &bytes[(start - offset) as usize..(end - offset) as usize];
        into[(start - range.offset) as usize..(end - range.offset) as usize].copy_from_slice(from);
    }
}

fn must_be(range: &Range, bytes: BytesMut) -> Result<Bytes> {
    if Digest::of(&bytes) == range.sha256 {
        return Ok(bytes.freeze());
    }
    let text = "the image is not the same any more: its bytes differ from those that were written";
    Err(Error::new(Class::Source, text)
        .with("bytes", format!("{}-{}", range.offset, range.offset + range.length - 1))
        .help("does something change the image while it is flashed? flash again when it is whole"))
}
