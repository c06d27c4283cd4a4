//! An opened image: what its head tells, and the way to decode it as often as needed.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};

use tokio::runtime::Handle;

use crate::bmap::BlockMap;
use crate::open::opened::Opened;
use crate::open::{open, open_external};
use crate::pipeline::assembly::{self, Assembly};
use crate::pipeline::backlog::backlog;
use crate::pipeline::decoding::Tasks;
use crate::pipeline::image_state::{ArchiveMapUse, ImageState};
use crate::pipeline::range_copy::{self, RangeCopy};
use crate::pipeline::{run, turn};
use crate::source::label;
use crate::source::origin::Origin;
use crate::{
    BlockMapChoice, Decoding, Error, Extent, ExternalSource, Format, ImageContent, LOOK, Range, SourceOptions,
};

/// An image source that was there and readable when it was opened. Clones share it.
#[derive(Clone)]
pub struct Image {
    inner: Arc<ImageState>,
}

impl Image {
    /// Opens `source`, reads its head and recognises its format. It is a path, a `file://`, `http://` or `https://` URL, or
    /// `-` for standard input, which is read to its end into a file without a name. A block map and a file of checksums
    /// are read too when `options` say so. Must be called within a tokio runtime, which later also runs the decodings.
    ///
    /// # Errors
    ///
    /// The source is missing, empty, out of reach, forbidden or nothing that can be written as a disk image.
    pub async fn open(source: &str, options: SourceOptions) -> Result<Image, Error> {
        let label = label::redact(source);
        let opened = open(&label, source, &options).await?;
        Ok(Image::new(label, options, opened))
    }

    /// Opens a source whose bytes the caller brings. Of `options`, those for a server are not used.
    ///
    /// # Errors
    ///
    /// As [`Image::open`]; what the caller says of its source.
    pub async fn open_external(external: ExternalSource, options: SourceOptions) -> Result<Image, Error> {
        let label = external.label.clone();
        let opened = open_external(external, &options).await?;
        Ok(Image::new(label, options, opened))
    }

    fn new(label: String, options: SourceOptions, opened: Opened) -> Image {
        let is_wanted = options.block_map == BlockMapChoice::Beside && opened.block_map.is_none();
        let archive_map_use =
            (is_wanted && opened.has_archive).then_some(ArchiveMapUse { keyring: options.map_keyring });
        let Opened { format, source_length, decoded_length, origin, .. } = opened;
        let Opened { content, block_map, archive_map, demanded, cache_slot, hit, .. } = opened;
        let runtime = Handle::current();
        let inner = ImageState {
            label,
            format,
            source_length,
            decoded_length,
            origin,
            expected: options.expected,
            content,
            block_map,
            archive_map: archive_map.map_or_else(OnceLock::new, OnceLock::from),
            archive_map_use,
            demanded,
            has_open_question: opened.has_open_question,
            source_sha256: opened.source_sha256.map_or_else(OnceLock::new, OnceLock::from),
            cache_slot,
            hit: hit.map_or_else(OnceLock::new, OnceLock::from),
            is_copy_damaged: AtomicBool::new(false),
            left_alone: OnceLock::new(),
            assembled: Mutex::default(),
            runtime,
        };
        Image { inner: Arc::new(inner) }
    }

    /// The source for messages and receipts: without user information, query values and fragment.
    pub fn label(&self) -> &str {
        &self.inner.label
    }

    /// How the image is stored.
    pub fn format(&self) -> Format {
        self.inner.format
    }

    /// What the decoded image is by its first bytes, if enough of them could be looked at before it is decoded.
    pub fn content(&self) -> Option<ImageContent> {
        self.inner.content
    }

    /// Length of the source as stored, in bytes, if its server tells it.
    pub fn source_length(&self) -> Option<u64> {
        self.inner.source_length
    }

    /// Length of the decoded image, in bytes, if the source or its block map tells it: raw ones do, of the others sparse
    /// images, and xz and zstd files may.
    pub fn decoded_length(&self) -> Option<u64> {
        let mapped = self.inner.block_map().map(|found| found.map.image_length);
        self.inner.decoded_length.or(mapped)
    }

    /// Whether it comes out of the cache, so that nothing is fetched or decoded.
    pub fn is_cached(&self) -> bool {
        self.inner.copy().is_some()
    }

    /// The file of checksums that lists it and is in use, for messages and receipts.
    pub fn checksums(&self) -> Option<String> {
        self.inner.demanded.list.clone()
    }

    /// Whether only a decoding tells if it has the demanded digest, although its source is here, or if an archive holds one image:
    /// it costs nothing but time to know that before anything is touched.
    pub fn has_open_question(&self) -> bool {
        self.inner.has_open_question
    }

    /// Whether a decoding may begin long before its extents are taken: the source is here, or goes into the cache meanwhile. A
    /// server would be kept waiting with its answer half sent, and might give up.
    pub fn can_wait(&self) -> bool {
        let is_far = matches!(self.inner.origin, Origin::Http(..) | Origin::External(_));
        let is_far = is_far && self.inner.assembled().is_none();
        !is_far || self.inner.cache_slot.is_some() || self.is_cached()
    }

    /// The block map in use (that of an archive once the image was decoded, so after its [`open question`](Self::has_open_question)) and how much of the image it vouches for, for messages and receipts.
    pub fn block_map(&self) -> Option<String> {
        self.inner.block_map().map(BlockMap::describe)
    }

    /// Starts decoding from the beginning. Each decoding must find the source that the first one found. One that is to be kept in the
    /// cache waits while another one of this process is making the same copy.
    pub fn decode(&self) -> Decoding {
        let (producer, events) = backlog();
        let (image, tasks) = (self.inner.clone(), Tasks::default());
        let decoding = Decoding::new(self.inner.label.clone(), events, tasks.clone());
        match image.copy_to_make() {
            None => run::begin(image, producer, &tasks),
            Some(slot) => {
                let (slot, of_all) = (slot.clone(), tasks.clone());
                let waiting = self.inner.runtime.spawn(async move {
                    producer.keep_turn(turn::wait(&slot).await);
                    run::begin_where_no_copy_is(image, producer, &tasks).await;
                });
                of_all.add(waiting.abort_handle());
            }
        }
        decoding
    }

    /// Has every decoding from now on call these stretches (bytes, in order) unmapped, whatever the image has there. They are what
    /// [`can_be_left_alone`](crate::can_be_left_alone) says. Called once, before the first decoding that is used; a second call changes nothing.
    pub fn leave_alone(&self, stretches: Vec<std::ops::Range<u64>>) {
        self.inner.left_alone.get_or_init(|| stretches);
    }

    /// The decoded image's first bytes, [`LOOK`](crate::LOOK) of them or all. It decodes so much, in a decoding of its own.
    ///
    /// # Errors
    /// Whatever is wrong with the source up to there.
    pub async fn head(&self) -> Result<Vec<u8>, Error> {
        let (mut decoding, mut head) = (self.decode(), Vec::new());
        while head.len() < LOOK
            && let Some(extent) = decoding.next().await?
        {
            match extent {
                Extent::Data { bytes, .. } => head.extend_from_slice(&bytes),
                Extent::Zero { length, .. } | Extent::Unmapped { length, .. } => {
                    head.resize((head.len() as u64 + length).min(LOOK as u64) as usize, 0);
                }
            }
        }
        head.truncate(LOOK);
        Ok(head)
    }

    /// The stretches of an image of which its block map has a SHA-256, where it can be put together by them: a raw image at a server
    /// that tells its version, with a place in the cache and no copy there. Stretches may be long.
    pub fn index(&self) -> Option<Vec<Range>> {
        assembly::index(&self.inner)
    }

    /// Begins to put the image together by its [`index`](Self::index); none where it has none.
    ///
    /// # Errors
    /// There is no place for it on the disk of the cache.
    pub async fn assemble(&self) -> Result<Option<Assembly>, Error> {
        let image = Arc::clone(&self.inner);
        let begun = self.inner.runtime.spawn_blocking(move || assembly::begin(&image)).await;
        let failed = |reason: String| Error::Machine { label: self.inner.label.clone(), reason };
        let begun = begun.map_err(|ended| failed(ended.to_string()))?;
        begun.transpose().map_err(|error| failed(error.to_string()))
    }

    /// Has the source be read again that an [`Assembly`] stands for.
    pub fn forget_assembled(&self) {
        self.inner.forget_assembled();
    }

    /// Whether ranges can be had without decoding, as far as that is known before they are read.
    pub fn has_ranges(&self) -> bool {
        range_copy::is_there(&self.inner)
    }

    /// Length of the decoded image in bytes, where ranges can be had without decoding.
    pub fn copied_length(&self) -> Option<u64> {
        range_copy::length(&self.inner)
    }

    /// What the decoded copy has at some place, without decoding; none where there is no copy, or it ends before. A copy is held to
    /// the digest of the whole image only when it is decoded: this is for a guess, and proves nothing.
    pub async fn look_at(&self, offset: u64, length: u64) -> Option<Range> {
        let image = self.inner.clone();
        let reading = self.inner.runtime.spawn_blocking(move || range_copy::look(&image, offset, length));
        reading.await.ok().flatten()
    }

    /// One range of the summary, without decoding: out of the copy in the cache, or of a raw file. Nothing else is read of it, and
    /// what is given has the digest of the range. A copy that has other bytes there is not used any more, where there is the source.
    pub async fn range(&self, range: &Range) -> RangeCopy {
        let (image, range) = (self.inner.clone(), range.clone());
        let reading = self.inner.runtime.spawn_blocking(move || range_copy::read(&image, &range));
        reading.await.unwrap_or(RangeCopy::Absent)
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image")
            .field("label", &self.inner.label)
            .field("format", &self.inner.format)
            .field("source_length", &self.inner.source_length)
            .field("decoded_length", &self.inner.decoded_length)
            .finish_non_exhaustive()
    }
}
