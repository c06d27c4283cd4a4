//! What opening an image finds out.

use crate::bmap::BlockMap;
use crate::cache::{CacheHit, CacheSlot};
use crate::demanded::Demanded;
use crate::open::companions::Archive;
use crate::source::origin::Origin;
use crate::{Digest, Format, ImageContent};

/// What is known of an image once it is open.
pub(crate) struct Opened {
    pub(crate) format: Format,
    pub(crate) source_length: Option<u64>,
    pub(crate) decoded_length: Option<u64>,
    pub(crate) origin: Origin,
    pub(crate) content: Option<ImageContent>,
    pub(crate) block_map: Option<BlockMap>,
    pub(crate) demanded: Demanded,
    /// Digest of the stored bytes, if they were read already.
    pub(crate) source_sha256: Option<Digest>,
    /// Whether only a decoding tells if the image has the demanded digest, although the source is here, or if an archive holds
    /// one image.
    pub(crate) has_open_question: bool,
    /// Whether an archive was seen in it.
    pub(crate) has_archive: bool,
    /// The block map of the archive that a copy came out of.
    pub(crate) archive_map: Option<BlockMap>,
    pub(crate) cache_slot: Option<CacheSlot>,
    pub(crate) hit: Option<CacheHit>,
}

impl Opened {
    pub(crate) fn new(
        format: Format,
        origin: Origin,
        source_length: Option<u64>,
        decoded_length: Option<u64>,
    ) -> Opened {
        Opened {
            format,
            source_length,
            decoded_length,
            origin,
            content: None,
            block_map: None,
            demanded: Demanded::default(),
            source_sha256: None,
            has_open_question: false,
            has_archive: false,
            archive_map: None,
            cache_slot: None,
            hit: None,
        }
    }

    /// A copy in the cache, without its source.
    pub(crate) fn copy(hit: CacheHit) -> Opened {
        let meta = hit.meta.clone();
        let format = meta.formats.first().copied().unwrap_or(Format::Raw);
        let (source_length, decoded_length) = (Some(meta.source_length), Some(meta.decoded_length));
        Opened { hit: Some(hit), ..Opened::new(format, Origin::Copy, source_length, decoded_length) }
    }

    /// What is known of its archive.
    pub(crate) fn archive(&self) -> Archive<'_> {
        let kept = self.hit.as_ref().and_then(|hit| hit.meta.archive_map.as_ref());
        Archive { kept, is_ahead: self.has_archive }
    }
}
