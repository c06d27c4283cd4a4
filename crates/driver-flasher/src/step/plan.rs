//! Step 3: what would go wrong for certain is refused before power is touched.

use std::time::Duration;

use flasher_core::flash::PlannedImage;
use flasher_core::{Class, Error, Plan, Result};

use super::image::Piece;
use super::resolve::Resolved;
use crate::transaction::Session;

pub(crate) fn run(session: Session<'_>, resolved: &Resolved) -> Result<()> {
    let overlaps = bundle_store::overlaps(&resolved.files);
    if let Some(first) = overlaps.first() {
        return Err(Error::config(first.to_string())
            .with("bundle", resolved.bundle.dir().display().to_string())
            .help("move one of the load addresses in the manifest"));
    }
    check_expectation(session)?;
    Ok(())
}

/// A pattern that does not parse must not be found out after the board was written.
fn check_expectation(session: Session<'_>) -> Result<()> {
    let Some(pattern) = &session.job.expect_boot else { return Ok(()) };
    board_console::Pattern::regex(pattern).map(drop).map_err(|error| {
        Error::config(error.to_string())
            .help("`--expect-boot` takes a regular expression, for example `login:`")
    })
}

/// What the job would do with its images.
///
/// # Errors
/// When it has none, which would be a bug.
pub(crate) fn describe(
    resolved: &Resolved,
    pieces: &[Piece],
    bound: Option<Duration>,
    warnings: Vec<String>,
) -> Result<Plan> {
    let (Piece { image, partition, .. }, also) =
        pieces.split_first().ok_or_else(|| Error::new(Class::Internal, "the job has no image"))?;
    Ok(Plan {
        image: image.label().to_owned(),
        format: image.format().to_string(),
        source_length: image.source_length(),
        decoded_length: image.decoded_length(),
        block_map: image.block_map(),
        cached: image.is_cached(),
        target: resolved.target.clone(),
        device: resolved.device.clone(),
        partition: partition.clone(),
        also: also.iter().map(planned).collect(),
        boots: resolved.description.clone(),
        attempt_limit: bound.map(|bound| bound.as_secs_f64()),
        warnings,
    })
}

fn planned(piece: &Piece) -> PlannedImage {
    PlannedImage {
        image: piece.image.label().to_owned(),
        format: piece.image.format().to_string(),
        decoded_length: piece.image.decoded_length(),
        partition: piece.partition.clone().unwrap_or_default(),
    }
}
