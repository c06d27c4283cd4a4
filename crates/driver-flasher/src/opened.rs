//! One image of a job that was opened, and its decoding.

use disk_image::{Decoding, Image, Partition};
use flasher_core::Error;
use flasher_core::flash::ViaUsed;

use crate::survey::Survey;

/// An image and where on the target it goes.
pub(crate) struct OpenedImage {
    pub(crate) image: Image,
    /// Label of a partition; none means the whole device.
    pub(crate) partition: Option<String>,
    /// For which platform it is, where its registry has several.
    pub(crate) platform: Option<String>,
    /// Partitions of it that stay as the medium has them.
    pub(crate) keep: Vec<Partition>,
    /// Its decoding, when that has begun.
    begun: Option<Decoding>,
    /// Whether it was in the cache when it was opened.
    pub(crate) was_cached: bool,
    /// What is found out about it before it is written, when that has begun.
    survey: Option<Survey>,
}

impl OpenedImage {
    /// An image that is not being decoded yet.
    pub(crate) fn new(image: Image, partition: Option<String>, platform: Option<String>) -> Self {
        let was_cached = image.is_cached();
        Self { image, partition, platform, keep: Vec::new(), begun: None, was_cached, survey: None }
    }

    /// The same, of which these partitions stay as the medium has them.
    pub(crate) fn keeping(self, keep: Vec<Partition>) -> Self {
        Self { keep, ..self }
    }

    /// Begins to decode, so that much is ready when the board is, unless that would keep a server waiting. A failure is reported
    /// when its extents are taken.
    pub(crate) fn begin(&mut self) {
        if self.image.can_wait() {
            self.begun.get_or_insert_with(|| self.image.decode());
        }
    }

    /// Begins to decode it for the digests of its pieces.
    pub(crate) fn begin_survey(&mut self, via: ViaUsed) {
        self.survey.get_or_insert_with(|| Survey::begin(&self.image, via));
    }

    /// The survey, when it was begun.
    pub(crate) fn take_survey(&mut self) -> Option<Survey> {
        self.survey.take()
    }

    /// Whether it is being decoded, without a failure so far.
    pub(crate) fn is_under_way(&mut self) -> bool {
        if self.survey.as_ref().is_some_and(|survey| !survey.is_over()) {
            return true;
        }
        self.begun.as_mut().is_some_and(|decoding| decoding.failure().is_none())
    }

    /// Says of a failure which image of the job it is about.
    pub(crate) fn about(&self, error: Error) -> Error {
        match &self.partition {
            Some(label) => error.with("image", self.image.label()).with("partition", label.clone()),
            None => error,
        }
    }

    /// The decoding, from its beginning.
    pub(crate) fn decoding(&mut self) -> Decoding {
        self.begun.take().unwrap_or_else(|| self.image.decode())
    }
}
