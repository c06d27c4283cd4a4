//! `flasher verify-receipt`: whether a receipt proves what it says, by itself and against an image.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use disk_image::{BlockMapChoice, Image, SourceOptions, Summary};
use flasher_core::flash::audit::{self, Flaw, ImageMap, ImageRange, Matched, Part};
use flasher_core::flash::{RangeKind, Site};
use flasher_core::{Class, Error, Receipt, Result};

use crate::failure::Failure;
use crate::image_error::image_error;
use crate::receipt_file;
use crate::render::message::{Message, ProvenImage};
use crate::render::units::{shown, tame};
use crate::screen::Screen;

/// Which receipt, and the image it should be of.
#[derive(ClapArgs)]
pub(crate) struct VerifyArgs {
    /// The receipt, as `--receipt` keeps it
    pub(crate) receipt: PathBuf,
    /// The image it should be of: a file, an http(s) URL or `-`
    pub(crate) image: Option<String>,
    /// Block map (bmap) that the image was flashed with; without this, the one beside the image when the receipt tells of one
    #[arg(long, value_name = "FILE|URL", requires = "image")]
    pub(crate) bmap: Option<String>,
    /// Use no block map
    #[arg(long, conflicts_with = "bmap", requires = "image")]
    pub(crate) no_bmap: bool,
}

/// Prints what the receipt proves and gives 0; anything else is an error, or the code of the failure it tells of.
pub(super) async fn run(args: &VerifyArgs, screen: &Screen) -> Result<u8, Failure> {
    let file = shown(&args.receipt);
    let receipt = receipt_file::read(&args.receipt)?;
    if let Some(failure) = &receipt.failure {
        let message = Message::FailedReceipt { file: file.clone(), failure: Box::new(failure.clone()) };
        let (step, cause) = (failure.step, &failure.cause);
        screen.show(&message, |_| {
            format!("{} tells of a failure in step {step}: {}\n", tame(&file), tame(cause))
        })?;
        return Ok(receipt.exit_code());
    }
    let parts = sound(&receipt)?;
    let matched = match &args.image {
        Some(image) => Some(held_against(&receipt, image, args).await?),
        None => None,
    };
    let images: Vec<ProvenImage> = parts.iter().map(|part| proven(part, matched.as_ref())).collect();
    let by = by(&receipt);
    let message = Message::ProvingReceipt { file: file.clone(), images: images.clone() };
    screen.show(&message, |_| {
        images.iter().map(|image| format!("{} {}\n", tame(&file), told(image))).collect::<String>() + &by
    })?;
    Ok(0)
}

/// The images of a receipt that bears out its own verdict.
///
/// # Errors
/// When it does not, does not say `proven`, or could have been changed by any user.
fn sound(receipt: &Receipt) -> Result<Vec<Part<'_>>> {
    if !receipt.is_sealed() {
        return Err(nothing(
            "a former version wrote it, without a digest over the whole, so a change cannot be detected",
        )
        .help(former(receipt)));
    }
    if receipt.verdict == flasher_core::Verdict::Written {
        return Err(nothing("it says `written, not proven`"));
    }
    audit::audit(receipt).map_err(|flaw| nothing(&flaw.to_string()))
}

/// What a receipt without a digest over the whole still says.
fn former(receipt: &Receipt) -> String {
    let length =
        receipt.image.decoded_length.map_or_else(|| "an image".to_owned(), |it| format!("{it} bytes"));
    let device = receipt.medium.as_ref().map_or("no medium", |medium| medium.device.as_str());
    format!(
        "it says `{}` of {length} on {device}; keep it as a note, and flash again where a proof is needed",
        verdict(receipt)
    )
}

fn verdict(receipt: &Receipt) -> &'static str {
    match receipt.verdict {
        flasher_core::Verdict::Proven => "proven",
        flasher_core::Verdict::Written => "written, not proven",
        flasher_core::Verdict::Identified => "identified",
        flasher_core::Verdict::Failed => "failed",
    }
}

fn nothing(what: &str) -> Error {
    Error::new(Class::Source, format!("the receipt proves nothing: {what}"))
        .help("flash again, and keep the receipt as it is written")
}

async fn held_against<'a>(receipt: &'a Receipt, image: &str, args: &VerifyArgs) -> Result<Matched<'a>> {
    let further = receipt.further.iter().map(|further| &further.image);
    let mapped = std::iter::once(&receipt.image).chain(further).any(|image| image.block_map.is_some());
    let kept = receipt.medium.iter().flat_map(|medium| &medium.kept);
    let kept = kept.map(|part| part.offset..part.end()).filter(disk_image::can_be_left_alone).collect();
    let map = map(image, (mapped, kept), args).await?;
    let other = |flaw: Flaw| {
        Error::new(Class::Source, format!("the receipt is of another image: {flaw}"))
            .help("give the image as it was flashed; `--bmap` names the block map that was used with it")
    };
    audit::against(receipt, &map).map_err(other)
}

/// The image, decoded to its end; with the block map beside it where the receipt was `mapped`, and without the partitions that were
/// `kept`.
async fn map(
    image: &str,
    (mapped, kept): (bool, Vec<std::ops::Range<u64>>),
    args: &VerifyArgs,
) -> Result<ImageMap> {
    let failed = image_error;
    let block_map = match &args.bmap {
        Some(place) => BlockMapChoice::At(place.clone()),
        None if mapped && !args.no_bmap => BlockMapChoice::Beside,
        None => BlockMapChoice::Off,
    };
    let options = SourceOptions { block_map, ..SourceOptions::default() };
    let image = Image::open(image, options).await.map_err(failed)?;
    image.leave_alone(kept);
    let mut decoding = image.decode();
    while decoding.next().await.map_err(failed)?.is_some() {}
    // The block map of an archive is known now, and used from the second decoding on.
    if mapped && image.has_open_question() && image.block_map().is_some() {
        decoding = image.decode();
        while decoding.next().await.map_err(failed)?.is_some() {}
    }
    let mapped = image.block_map().is_some();
    let summary = decoding.summary();
    summary
        .map(|summary| of(summary, mapped))
        .ok_or_else(|| Error::new(Class::Internal, "the image ended without a summary"))
}

/// An image in the words of receipts.
fn of(summary: &Summary, mapped: bool) -> ImageMap {
    let formats: Vec<String> = summary.formats.iter().rev().map(ToString::to_string).collect();
    let raw = || disk_image::Format::Raw.to_string();
    let kind = |kind| match kind {
        disk_image::RangeKind::Data => RangeKind::Data,
        disk_image::RangeKind::Zero => RangeKind::Zero,
        disk_image::RangeKind::Unmapped => RangeKind::Unmapped,
    };
    let ranges = summary.ranges.iter().map(|range| ImageRange {
        offset: range.offset,
        length: range.length,
        kind: kind(range.kind),
        sha256: range.sha256.to_string(),
    });
    ImageMap {
        source_length: summary.source_length,
        source_sha256: summary.source_sha256.to_string(),
        decoded_length: summary.decoded_length,
        decoded_sha256: summary.decoded_sha256.to_string(),
        format: if formats.is_empty() { raw() } else { formats.join(" in ") },
        mapped,
        data_length: summary.data_length,
        zero_length: summary.zero_length,
        ranges: ranges.collect(),
    }
}

fn proven(part: &Part<'_>, matched: Option<&Matched<'_>>) -> ProvenImage {
    let Part { image, medium } = part;
    let given = matched.filter(|it| std::ptr::eq(it.part.medium, *medium));
    ProvenImage {
        source: image.source.clone(),
        length: image.decoded_length.unwrap_or_default(),
        sha256: image.decoded_sha256.clone().unwrap_or_default(),
        device: medium.device.clone(),
        ranges: medium.ranges.len(),
        kept: medium.kept.iter().map(|part| part.label.clone()).collect(),
        is_given_image: given.is_some(),
        is_given_source: given.is_some_and(|it| it.same_source),
    }
}

fn told(image: &ProvenImage) -> String {
    let against = match (image.is_given_image, image.is_given_source) {
        (false, _) => "",
        (true, true) => ", and the image is the one it is of",
        (true, false) => ", and the image is the one it is of, packed otherwise than the receipt says",
    };
    let (length, device, ranges) = (image.length, tame(&image.device), image.ranges);
    let kept = match image.kept.is_empty() {
        true => String::new(),
        false => format!(" but for what was kept: `{}`", tame(&image.kept.join("`, `"))),
    };
    format!("proves {length} bytes on {device}{kept}, read back in {ranges} ranges{against}")
}

/// Who flashed which board, and when. The receipt's own words, which no image can confirm.
fn by(receipt: &Receipt) -> String {
    let Site { exporter, node, host, user } = &receipt.site;
    let facts =
        [("board", &receipt.board.name), ("bench", exporter), ("node", node), ("host", host), ("user", user)];
    let facts = facts.iter().filter_map(|(key, value)| Some(format!(", {key} {}", tame(value.as_ref()?))));
    format!("  {}{}\n", tame(&receipt.begun), facts.collect::<String>())
}

#[cfg(test)]
mod tests;
