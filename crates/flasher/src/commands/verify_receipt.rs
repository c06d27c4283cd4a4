//! `flasher verify-receipt`: whether a receipt proves what it says, by itself and against an image.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use disk_image::{Digest, Image, SourceOptions, Summary};
use flasher_core::flash::{ImageFacts, JobKind, MediumFacts, RangeFacts, RangeKind};
use flasher_core::{Class, Error, Receipt, Result, Verdict};

use crate::failure::Failure;
use crate::screen::Screen;

/// Largest receipt that is read, bytes: 64 MiB hold the ranges of an image of several TiB.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Prints what the receipt proves and gives 0; anything else is an error, or the code of the failure it tells of.
pub(super) async fn run(file: &Path, image: Option<&str>, screen: &Screen) -> Result<u8, Failure> {
    let receipt = read(file)?;
    if let Some(failure) = &receipt.failure {
        screen.aside(&format!(
            "{} tells of a failure in step {}: {}\n",
            super::shown(file),
            failure.step,
            failure.cause
        ));
        return Ok(receipt.exit_code());
    }
    let proven = sound(&receipt)?;
    let of = match image {
        Some(image) => Some(same(receipt.job, &proven, &decoded(image).await?)?),
        None => None,
    };
    for Part { image, medium } in &proven {
        let is_it = of == Some(medium.device.as_str());
        let against = if is_it { ", and the image is the one it is of" } else { "" };
        screen.text(&format!(
            "{} proves {} bytes on {}, read back in {} ranges{against}\n",
            super::shown(file),
            image.decoded_length.unwrap_or_default(),
            medium.device,
            medium.ranges.len()
        ))?;
    }
    Ok(0)
}

fn read(file: &Path) -> Result<Receipt> {
    let unreadable = |error: std::io::Error| {
        Error::config(format!("cannot read the receipt `{}`", super::shown(file))).because(error)
    };
    let mut text = String::new();
    let bounded = File::open(file).map(|file| file.take(LARGEST));
    bounded.and_then(|mut file| file.read_to_string(&mut text)).map_err(unreadable)?;
    let receipt: Receipt = serde_json::from_str(&text).map_err(|error| {
        Error::config(format!("`{}` is no receipt", super::shown(file)))
            .because(error)
            .help("`flasher schema receipt` prints what one looks like")
    })?;
    match receipt.schema {
        1 => Ok(receipt),
        other => Err(Error::config(format!("the receipt has schema {other}, this build knows 1"))),
    }
}

/// One image of a receipt and where it is.
#[derive(Clone, Copy)]
struct Part<'a> {
    image: &'a ImageFacts,
    medium: &'a MediumFacts,
}

/// Whether the receipt bears out its own verdict for each of its images, whoever wrote it.
fn sound(receipt: &Receipt) -> Result<Vec<Part<'_>>> {
    let further = receipt.further.iter().map(|further| (&further.image, further.medium.as_ref()));
    let all = std::iter::once((&receipt.image, receipt.medium.as_ref())).chain(further);
    all.map(|(image, medium)| sound_part(receipt.verdict, image, medium)).collect()
}

fn sound_part<'a>(
    verdict: Verdict,
    image: &'a ImageFacts,
    medium: Option<&'a MediumFacts>,
) -> Result<Part<'a>> {
    let not = |what: &str| {
        Err(Error::new(Class::Source, format!("the receipt proves nothing: {what}"))
            .help("flash again, and keep the receipt as it is written"))
    };
    match (verdict, medium) {
        (Verdict::Failed, _) => not("it says `failed`"),
        (Verdict::Written, _) => not("it says `written, not proven`"),
        (Verdict::Proven, None) => not("it names no medium"),
        (Verdict::Proven, Some(medium)) => match flaw(image, medium) {
            Some(what) => not(what),
            None => Ok(Part { image, medium }),
        },
    }
}

fn flaw(image: &ImageFacts, medium: &MediumFacts) -> Option<&'static str> {
    let end = medium.ranges.iter().try_fold(0, |at, range| (range.offset == at).then_some(at + range.length));
    if image.decoded_sha256.is_none() {
        Some("it has no digest of the image")
    } else if end.is_none() || end != image.decoded_length {
        Some("its ranges do not cover the image")
    } else if !medium.ranges.iter().all(is_equal) {
        Some("a range was not read back, or differs")
    } else if medium.read_back_sha256.as_ref() != Some(&over_all(&medium.ranges)) {
        Some("the digest over all ranges is another")
    } else {
        None
    }
}

fn is_equal(range: &RangeFacts) -> bool {
    range.kind == RangeKind::DontCare || range.read_back.as_ref() == Some(&range.sha256)
}

/// SHA-256 over the digests of all ranges that were read back, in order.
fn over_all(ranges: &[RangeFacts]) -> String {
    let digests: String = ranges.iter().filter_map(|range| range.read_back.as_deref()).collect();
    Digest::of(digests.as_bytes()).to_string()
}

async fn decoded(image: &str) -> Result<Summary> {
    let failed = |error: disk_image::Error| {
        let class = match error.fault() {
            disk_image::Fault::Network => Class::Infrastructure,
            disk_image::Fault::Usage => Class::Config,
            _ => Class::Source,
        };
        Error::new(class, error.to_string())
    };
    let image = Image::open(image, SourceOptions::default()).await.map_err(failed)?;
    let mut decoding = image.decode();
    while decoding.next().await.map_err(failed)?.is_some() {}
    let summary = decoding.summary().cloned();
    summary.ok_or_else(|| Error::new(Class::Internal, "the image ended without a summary"))
}

/// The device the image is on. One of the receipt's images must have its digest, and, where it was cut by the same rules,
/// every range of it the digest that the image has there.
fn same<'a>(job: JobKind, parts: &[Part<'a>], summary: &Summary) -> Result<&'a str> {
    let other = |what: String| Error::new(Class::Source, format!("the receipt is of another image: {what}"));
    let ours = summary.decoded_sha256.to_string();
    let theirs = |part: &Part<'_>| part.image.decoded_sha256.clone().unwrap_or_else(|| "none".to_owned());
    let Some(Part { medium, .. }) = parts.iter().find(|part| theirs(part) == ours).copied() else {
        let theirs = parts.iter().map(theirs).collect::<Vec<_>>().join(", ");
        return Err(other(format!("its sha256 is {theirs}, that of the image {ours}")));
    };
    let ours = summary.ranges.iter().map(|range| (range.offset, range.length, range.sha256.to_string()));
    let theirs = medium.ranges.iter().map(|range| (range.offset, range.length, range.sha256.clone()));
    match job == JobKind::Dump || ours.eq(theirs) {
        true => Ok(&medium.device),
        false => Err(other("the digests of its ranges are others".to_owned())),
    }
}

#[cfg(test)]
mod tests;
