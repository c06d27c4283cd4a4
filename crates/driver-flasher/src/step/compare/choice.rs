//! Whether an image is compared with what the medium holds, and how much of it.

use disk_image::Image;
use flasher_core::flash::{Compare, MediumState};

use super::reasons;
use super::sample::SAMPLE;
use crate::job::Session;

/// What is done.
pub(crate) enum Choice {
    /// Nothing, as asked for.
    Never,
    /// Nothing, for this reason.
    Skipped(String),
    /// What is missing is fetched, and then all of it is compared.
    Missing,
    /// A sample decides.
    Sampled,
    /// All of it is compared.
    Whole,
}

impl Choice {
    /// Whether the digests of the image are wanted before it is written.
    pub(crate) fn needs_survey(&self) -> bool {
        matches!(self, Self::Sampled | Self::Whole)
    }
}

/// What is done with this image in this attempt.
pub(crate) fn choose(session: Session<'_>, image: &Image) -> Choice {
    match at_hand(session, image) {
        Choice::Never => Choice::Never,
        _ if !session.job.direct && image.index().is_some() => Choice::Missing,
        choice => choice,
    }
}

/// The same of an image that is not put together by its block map.
pub(super) fn at_hand(session: Session<'_>, image: &Image) -> Choice {
    let how = session.job.compare.unwrap_or(session.flasher.config.compare);
    let has_written = !matches!(session.run.on_medium.now(), MediumState::Untouched | MediumState::Prepared);
    match (how, image.copied_length()) {
        (Compare::Never, _) => Choice::Never,
        _ if session.job.direct => Choice::Skipped("the board fetches the image by itself".to_owned()),
        (Compare::Always, _) => Choice::Whole,
        // An attempt goes on from what the one before has written.
        (Compare::Auto, _) if has_written => Choice::Whole,
        (Compare::Auto, Some(length)) if length <= SAMPLE => Choice::Whole,
        (Compare::Auto, Some(_)) => Choice::Sampled,
        (Compare::Auto, None) => Choice::Skipped(reasons::no_index()),
    }
}
