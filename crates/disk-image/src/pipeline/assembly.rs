//! An image at a server put together out of what is here already and what is fetched: by the digests of its block map.
//!
//! What its map leaves out is taken for zeros and not fetched. What was put together is decoded like any source: the checksums of the
//! map, a demanded digest and length, and everything else that is demanded of the image hold for it as well.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

use crate::bmap::{Mapped, SumKind};
use crate::pipeline::image_state::ImageState;
use crate::pipeline::range_hash::RangeHash;
use crate::source::http::{Http, RetryBudget, Validator};
use crate::source::origin::Origin;
use crate::{Error, Format, Range, RangeKind};

/// An image in the making: a file without a name, as long as the image.
pub struct Assembly {
    image: Arc<ImageState>,
    file: Arc<File>,
}

/// The stretches of an image of which its block map has a SHA-256; none where the image cannot be put together: it must be a raw one
/// at a server that tells its version, with a place in the cache and no copy there.
pub(crate) fn index(image: &ImageState) -> Option<Vec<Range>> {
    let (_, validator) = at_server(image)?;
    let map = &image.block_map.as_ref()?.map;
    let can = validator.tag().is_some()
        && image.format == Format::Raw
        && image.cache_slot.is_some()
        && image.copy().is_none()
        && image.assembled().is_none()
        && map.kind == SumKind::Sha256
        && image.source_length == Some(map.image_length);
    let stretch = |mapped: &Mapped| {
        let sha256 = <[u8; 32]>::try_from(mapped.sum.as_deref()?).ok()?.into();
        let (offset, length) = (mapped.start, mapped.end.checked_sub(mapped.start)?);
        Some(Range { offset, length, sha256, kind: RangeKind::Data })
    };
    let stretches: Option<Vec<Range>> = map.ranges.iter().map(stretch).collect();
    stretches.filter(|stretches| can && !stretches.is_empty())
}

/// Begins to put `image` together; none where it has no index. Blocks.
pub(crate) fn begin(image: &Arc<ImageState>) -> Option<io::Result<Assembly>> {
    index(image)?;
    let (slot, length) = (image.cache_slot.as_ref()?, image.source_length?);
    let file = slot.nameless().and_then(|file| file.set_len(length).map(|()| file));
    Some(file.map(|file| Assembly { image: Arc::clone(image), file: Arc::new(file) }))
}

fn at_server(image: &ImageState) -> Option<(&Arc<Http>, &Validator)> {
    match &image.origin {
        Origin::Http(http, validator) => Some((http, validator)),
        _ => None,
    }
}

impl Assembly {
    /// Where bytes that are here already are put.
    pub fn place(&self) -> AssemblyFile {
        AssemblyFile(Arc::clone(&self.file))
    }

    /// Fetches a stretch of the index, and holds it to its digest.
    ///
    /// # Errors
    /// The server does not give it, or it has other bytes; the file cannot be written.
    pub async fn fetch(&self, stretch: &Range) -> Result<(), Error> {
        let Some((http, validator)) = at_server(&self.image) else {
            return Err(Error::Ended { label: self.image.label.clone() });
        };
        let (mut hash, mut fetched) = (RangeHash::default(), 0);
        let mut patience = RetryBudget::new(http.retries());
        while fetched < stretch.length {
            let before = fetched;
            let part = (stretch.offset + fetched, stretch.offset + stretch.length);
            if let Err(error) = self.fetch_some((http, validator), part, (&mut hash, &mut fetched)).await {
                if fetched > before {
                    patience.renew();
                }
                patience.pause(error).await?;
            }
        }
        match hash.finish() == stretch.sha256 {
            true => Ok(()),
            false => Err(self.differs(stretch)),
        }
    }

    /// Takes what one answer of the server has of a part, from its beginning on.
    async fn fetch_some(
        &self,
        (http, validator): (&Http, &Validator),
        (from, until): (u64, u64),
        (hash, fetched): (&mut RangeHash, &mut u64),
    ) -> Result<(), Error> {
        let mut answer = http.get_part(from, until, validator).await?;
        let mut at = from;
        while let Some(chunk) = answer.next().await? {
            hash.update(&chunk);
            let length = chunk.len() as u64;
            self.write(at, chunk).await?;
            at += length;
            *fetched += length;
        }
        Ok(())
    }

    async fn write(&self, offset: u64, bytes: Bytes) -> Result<(), Error> {
        let place = self.place();
        let written = tokio::task::spawn_blocking(move || place.put(offset, &bytes)).await;
        let failed = |reason: String| Error::Machine { label: self.image.label.clone(), reason };
        written.map_err(|ended| failed(ended.to_string()))?.map_err(|error| failed(error.to_string()))
    }

    fn differs(&self, stretch: &Range) -> Error {
        let map = self.image.block_map().map(|found| found.label.clone()).unwrap_or_default();
        let (start, end) = (stretch.offset, stretch.offset + stretch.length - 1);
        Error::MapDiffers { label: self.image.label.clone(), map, start, end }
    }

    /// Has every decoding from now on read what was put together, in place of the source.
    pub fn finish(self) {
        self.image.use_assembled(self.file);
    }
}

/// The file of an [`Assembly`].
#[derive(Debug, Clone)]
pub struct AssemblyFile(Arc<File>);

impl AssemblyFile {
    /// Puts bytes at their place. Blocks.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn put(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }
}

impl std::fmt::Debug for Assembly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assembly").field("image", &self.image.label).finish_non_exhaustive()
    }
}
