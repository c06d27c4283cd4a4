//! The checks that run before a decoded image is reported complete.

use crate::pipeline::image_state::ImageState;
use crate::{Digest, Error, Format, Summary};

/// Whether it is what was demanded, and what was decoded before.
pub(crate) fn accept(image: &ImageState, summary: &mut Summary) -> Result<(), Error> {
    check_name(image, summary.source_sha256)?;
    check_same(image, summary.source_sha256)?;
    let (source, decoded) = (summary.source_sha256, summary.decoded_sha256);
    summary.checked = image.demanded.check_digest(&image.label, source, decoded)?;
    image.demanded.check_length(&image.label, summary.source_length, summary.decoded_length)
}

/// The length must be the announced one.
pub(crate) fn check_length(image: &ImageState, source_length: u64, length: u64) -> Result<(), Error> {
    let (label, format) = (image.label.clone(), image.format);
    match image.decoded_length {
        _ if length == 0 => Err(Error::EmptyImage { label, format }),
        Some(told) if told != length => {
            let reason = format!("it announces a length of {told} bytes and decodes to {length}");
            Err(Error::Corrupt { label, format, offset: source_length, reason })
        }
        _ => Ok(()),
    }
}

/// The source must still have the format that it was opened with.
pub(crate) fn check_format(image: &ImageState, now: Option<&Format>) -> Result<(), Error> {
    let (before, now) = (image.format, now.copied().unwrap_or(Format::Raw));
    match before == now {
        true => Ok(()),
        false => Err(Error::Changed {
            label: image.label.clone(),
            before: format!("{before} data"),
            now: format!("{now} data"),
        }),
    }
}

/// A source whose name is a digest must have it.
fn check_name(image: &ImageState, found: Digest) -> Result<(), Error> {
    match image.origin_sha256() {
        Some(expected) if expected != found => {
            Err(Error::Misnamed { label: image.label.clone(), expected, found })
        }
        _ => Ok(()),
    }
}

/// A source decoded twice must be the same both times. What was put together has zeros where its map leaves something out, and the
/// source may have something else there.
fn check_same(image: &ImageState, now: Digest) -> Result<(), Error> {
    if image.assembled().is_some() {
        return Ok(());
    }
    let before = *image.source_sha256.get_or_init(|| now);
    if before == now {
        return Ok(());
    }
    let told = |digest| format!("sha256 {digest}");
    Err(Error::Changed { label: image.label.clone(), before: told(before), now: told(now) })
}
