//! `flasher verify-receipt`: whether a receipt proves what it says, by itself and against an image.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use disk_image::{Digest, Image, SourceOptions, Summary};
use flasher_core::flash::{MediumFacts, RangeFacts, RangeKind};
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
    let medium = sound(&receipt)?;
    if let Some(image) = image {
        same(&receipt, medium, &decoded(image).await?)?;
    }
    let against = if image.is_some() { ", and the image is the one it is of" } else { "" };
    screen.text(&format!(
        "{} proves {} bytes on {}, read back in {} ranges{against}\n",
        super::shown(file),
        receipt.image.decoded_length.unwrap_or_default(),
        medium.device,
        medium.ranges.len()
    ))?;
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

/// Whether the receipt bears out its own verdict, whoever wrote it.
fn sound(receipt: &Receipt) -> Result<&MediumFacts> {
    let not = |what: &str| {
        Err(Error::new(Class::Source, format!("the receipt proves nothing: {what}"))
            .help("flash again, and keep the receipt as it is written"))
    };
    match (receipt.verdict, &receipt.medium) {
        (Verdict::Failed, _) => not("it says `failed`"),
        (Verdict::Written, _) => not("it says `written, not proven`"),
        (Verdict::Proven, None) => not("it names no medium"),
        (Verdict::Proven, Some(medium)) => match flaw(receipt, medium) {
            Some(what) => not(what),
            None => Ok(medium),
        },
    }
}

fn flaw(receipt: &Receipt, medium: &MediumFacts) -> Option<&'static str> {
    let end = medium.ranges.iter().try_fold(0, |at, range| (range.offset == at).then_some(at + range.length));
    if receipt.image.decoded_sha256.is_none() {
        Some("it has no digest of the image")
    } else if end.is_none() || end != receipt.image.decoded_length {
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

/// Every range of the receipt must have the digest that the image has there.
fn same(receipt: &Receipt, medium: &MediumFacts, summary: &Summary) -> Result<()> {
    let other = |what: String| Error::new(Class::Source, format!("the receipt is of another image: {what}"));
    let (ours, theirs) = (summary.decoded_sha256.to_string(), receipt.image.decoded_sha256.as_deref());
    if theirs != Some(ours.as_str()) {
        let theirs = theirs.unwrap_or("none");
        return Err(other(format!("its sha256 is {theirs}, that of the image {ours}")));
    }
    let ours = summary.ranges.iter().map(|range| (range.offset, range.length, range.sha256.to_string()));
    let theirs = medium.ranges.iter().map(|range| (range.offset, range.length, range.sha256.clone()));
    match ours.eq(theirs) {
        true => Ok(()),
        false => Err(other("the digests of its ranges are others".to_owned())),
    }
}

#[cfg(test)]
mod tests;
