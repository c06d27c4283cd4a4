//! The checks that run before a decoded image is reported complete.

use crate::image::Inner;
use crate::{Digest, DigestSubject, Error, Format, Summary};

/// Whether it is what was demanded, and what was decoded before.
pub(crate) fn accept(image: &Inner, summary: &mut Summary) -> Result<(), Error> {
    check_name(image, summary.source_sha256)?;
    check_same(image, summary.source_sha256)?;
    summary.checked = check_digest(image, summary.source_sha256, summary.decoded_sha256)?;
    image.demanded_length.map_or(Ok(()), |expected| {
        check_demanded_length(&image.label, expected, summary.source_length, summary.decoded_length)
    })
}

/// The length that the user demands is that of the source or that of the image.
pub(crate) fn check_demanded_length(
    label: &str,
    expected: u64,
    source_length: u64,
    decoded_length: u64,
) -> Result<(), Error> {
    match expected == source_length || expected == decoded_length {
        true => Ok(()),
        false => Err(Error::LengthDiffers { label: label.into(), expected, source_length, decoded_length }),
    }
}

/// The length must be the announced one.
pub(crate) fn check_length(image: &Inner, source_length: u64, length: u64) -> Result<(), Error> {
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
pub(crate) fn check_format(image: &Inner, now: Option<&Format>) -> Result<(), Error> {
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
fn check_name(image: &Inner, found: Digest) -> Result<(), Error> {
    match image.origin_sha256() {
        Some(expected) if expected != found => {
            Err(Error::Misnamed { label: image.label.clone(), expected, found })
        }
        _ => Ok(()),
    }
}

/// A source decoded twice must be the same both times.
fn check_same(image: &Inner, now: Digest) -> Result<(), Error> {
    let before = *image.source_sha256.get_or_init(|| now);
    if before == now {
        return Ok(());
    }
    let told = |digest| format!("sha256 {digest}");
    Err(Error::Changed { label: image.label.clone(), before: told(before), now: told(now) })
}

fn check_digest(image: &Inner, source: Digest, decoded: Digest) -> Result<Option<DigestSubject>, Error> {
    match image.sha256 {
        None => Ok(None),
        Some(expected) if expected == source => Ok(Some(DigestSubject::Source)),
        Some(expected) if expected == decoded => Ok(Some(DigestSubject::Decoded)),
        Some(expected) => Err(Error::DigestDiffers {
            label: image.label.clone(),
            expected,
            list: image.checksums.clone(),
            source_sha256: source,
            decoded_sha256: Box::new(decoded),
        }),
    }
}
