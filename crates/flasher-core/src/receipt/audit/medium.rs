//! One image and its medium: ranges, digests, counts, and how they were read back.

use std::collections::{BTreeMap, BTreeSet};

use super::flaw::{Audited, Flaw, Part, demand, is_digest};
use super::{compare, kept, zeros};
use crate::receipt::{
    CacheBypass, DigestsBy, ImageFacts, JobKind, MediumFacts, RangeFacts, RangeKind, Receipt, Verdict,
    Verify, ViaUsed, WireUsed,
};

/// The format of an image that is not packed.
const RAW: &str = "raw";
/// A format that says by itself what need not be written.
const SPARSE: &str = "simg";
/// Every format an image can be wrapped in.
const PACKED: [&str; 8] = ["gz", "xz", "zst", "bz2", "lz4", "zip", "tar", SPARSE];

/// Whether an image may be stored in this format, in the words of a receipt: `raw`, `xz`, `simg in zip`.
pub fn is_known_format(format: &str) -> bool {
    format == RAW || format.split(" in ").all(|word| PACKED.contains(&word))
}

/// One image bears out the receipt's verdict. `place` is what its places begin with.
pub(super) fn audit(receipt: &Receipt, place: &str, part: Part<'_>) -> Audited {
    let Part { image, medium } = part;
    let at = |name: &str| format!("{place}{name}");
    facts(receipt.job, place, image)?;
    demand(!medium.target.is_empty(), at("medium.target"), "it names no target")?;
    let is_device = match medium.via {
        None | Some(ViaUsed::Linux | ViaUsed::Host) => medium.device.starts_with('/'),
        Some(ViaUsed::Uboot) => medium.device.split_once(' ').is_some_and(|(_, number)| !number.is_empty()),
    };
    demand(is_device, at("medium.device"), "it names no device")?;
    let is_part = medium.partition.is_some();
    demand(
        is_part == medium.disk.is_some(),
        at("medium.disk"),
        "a partition is on a disk, and nothing else is",
    )?;
    demand(medium.disk.as_ref() != Some(&medium.device), at("medium.disk"), "it is the partition itself")?;
    covers(image, medium, place)?;
    demand(
        image.decoded_length <= Some(medium.size),
        at("medium.size"),
        "the image is larger than the medium",
    )?;
    kinds(medium, place)?;
    let full = medium.verify == Verify::Full;
    let fits = full == (receipt.verdict == Verdict::Proven);
    demand(fits, at("medium.verify"), "`proven` is what was read back in full, and nothing else is")?;
    for (index, range) in medium.ranges.iter().enumerate() {
        let borne_out = is_borne_out(range, medium.verify, receipt.job);
        demand(borne_out, at(&format!("medium.ranges[{index}]")), "a range was not read back, or differs")?;
    }
    whole(image, medium, place)?;
    ways(receipt.job, medium, place)?;
    counts(receipt.job, medium, place)?;
    let again = medium.ranges.iter().any(|range| range.writes > 1);
    demand(
        !again || !receipt.warnings.is_empty(),
        "warnings",
        "a range was written again without a warning",
    )?;
    kept::audit(receipt.job, medium, place)?;
    let unmapped =
        medium.ranges.iter().any(|range| range.kind == RangeKind::Unmapped && !kept::is_kept(medium, range));
    let explained =
        image.block_map.is_some() || image.format.as_ref().is_some_and(|it| it.starts_with(SPARSE));
    demand(!unmapped || explained, at("image.block_map"), "nothing says that ranges do not matter")
}

/// What an image is.
fn facts(job: JobKind, place: &str, image: &ImageFacts) -> Audited {
    let at = |name: &str| format!("{place}image.{name}");
    let ImageFacts { decoded_sha256, source_sha256, .. } = image;
    demand(is_digest(decoded_sha256.as_ref()), at("decoded_sha256"), "it has no digest of the image")?;
    if job == JobKind::Dump {
        return Ok(());
    }
    demand(is_digest(source_sha256.as_ref()), at("source_sha256"), "it has no digest of the source")?;
    demand(image.source_length.is_some(), at("source_length"), "it has no length of the source")?;
    let format = image.format.as_deref();
    let Some(format) = format else { return Err(Flaw::new(at("format"), "it names no format")) };
    demand(is_known_format(format), at("format"), "there is no such format")?;
    let same = source_sha256 == decoded_sha256 && image.source_length == image.decoded_length;
    demand(
        (format == RAW) == same,
        at("source_sha256"),
        "a raw image is what it is decoded to, and no other is",
    )
}

/// The ranges are the whole image, in order and without gaps.
fn covers(image: &ImageFacts, medium: &MediumFacts, place: &str) -> Audited {
    let mut end = 0_u64;
    for (index, range) in medium.ranges.iter().enumerate() {
        let at = format!("{place}medium.ranges[{index}]");
        demand(range.offset == end && range.length > 0, &at, "the ranges do not cover the image")?;
        demand(range.length <= zeros::LONGEST, &at, "it is longer than any range")?;
        let next = end.checked_add(range.length);
        end = next.ok_or_else(|| Flaw::new(at, "the ranges do not cover the image"))?;
    }
    demand(
        image.decoded_length == Some(end),
        format!("{place}image.decoded_length"),
        "the ranges do not cover the image",
    )
}

/// Zeros have the digest of zeros, and so has what does not matter: images are decoded to zeros there, and a block map is believed
/// only where they are. Data has another. What stays may be anything.
fn kinds(medium: &MediumFacts, place: &str) -> Audited {
    let zeros: BTreeMap<u64, String> = zeros::digests(medium.ranges.iter().map(|range| range.length));
    for (index, range) in medium.ranges.iter().enumerate() {
        let at = format!("{place}medium.ranges[{index}]");
        demand(is_digest(Some(&range.sha256)), format!("{at}.sha256"), "it is no digest")?;
        let is_zero = zeros.get(&range.length) == Some(&range.sha256);
        let right = is_zero == (range.kind != RangeKind::Data) || kept::is_kept(medium, range);
        demand(right, format!("{at}.kind"), "its digest is that of something else")?;
    }
    Ok(())
}

fn cared(range: &RangeFacts) -> bool {
    range.kind != RangeKind::Unmapped
}

/// Nothing is written where the image does not care, and nothing at all by a dump; what is to be read back equals the image,
/// and so does the first block whatever else is read.
fn is_borne_out(range: &RangeFacts, verify: Verify, job: JobKind) -> bool {
    let read = range.read_back.as_ref() == Some(&range.sha256);
    let is_flash = job == JobKind::Flash;
    let written = (range.writes > 0) == is_flash || is_flash && range.held;
    match range.kind {
        RangeKind::Unmapped => range.writes == 0 && range.read_back.is_none(),
        kind if verify.reads(kind) || range.offset == 0 => written && read,
        _ => written && (read || range.read_back.is_none()),
    }
}

/// A digest over all bytes is there exactly when all were read back, and is that of the image.
fn whole(image: &ImageFacts, medium: &MediumFacts, place: &str) -> Audited {
    let at = format!("{place}medium.read_back_sha256");
    let all = medium.verify == Verify::Full && medium.ranges.iter().all(|range| range.read_back.is_some());
    let digest = &medium.read_back_sha256;
    demand(all || digest.is_none(), &at, "not everything was read back, so there is no digest of it")?;
    demand(!all || digest == &image.decoded_sha256, at, "the digest of what was read back is another")
}

/// How bytes travelled is on the receipt.
fn ways(job: JobKind, medium: &MediumFacts, place: &str) -> Audited {
    let at = |name: &str| format!("{place}medium.{name}");
    demand(medium.read_back.is_some(), at("read_back"), "nothing says how the page cache was left out")?;
    demand(medium.digests_by.is_some(), at("digests_by"), "nothing says who read it back")?;
    let by_boot_loader = medium.via == Some(ViaUsed::Uboot);
    let reads = medium.read_back == Some(CacheBypass::Bootloader);
    demand(by_boot_loader == reads, at("read_back"), "this way to the medium reads otherwise")?;
    let by_this_machine = medium.via == Some(ViaUsed::Host);
    let direct = medium.read_back == Some(CacheBypass::Direct);
    demand(!by_this_machine || direct, at("read_back"), "this machine reads media directly")?;
    let here = medium.digests_by == Some(DigestsBy::Exporter);
    demand(!by_this_machine || here, at("digests_by"), "no board reads a medium that is here")?;
    let compares = medium.digests_by == Some(DigestsBy::Compared);
    demand(by_boot_loader || !compares, at("digests_by"), "this way to the medium compares nothing")?;
    let is_known = medium.wire.is_some();
    let travelled = job == JobKind::Flash && !compare::wrote_nothing(medium);
    demand(is_known == travelled, at("wire"), "nothing says how the image travelled")
}

/// What was sent adds up to what counts, but for the first block, which goes last and is counted nowhere.
fn counts(job: JobKind, medium: &MediumFacts, place: &str) -> Audited {
    let at = format!("{place}medium.data_written");
    let total = medium.data_written.checked_add(medium.zeros_written);
    let first = medium.ranges.first().map_or(0, |range| range.length);
    let counted = medium.ranges.iter().skip(1).filter(|range| cared(range));
    let counted: u64 = counted.map(|range| range.length).sum();
    let all: u64 = medium.ranges.iter().map(|range| range.length).sum();
    let expected = match (job, medium.wire) {
        (JobKind::Dump | JobKind::Identify, _) => 0,
        (JobKind::Flash, Some(WireUsed::Direct)) => all - first,
        // What differed: its comparison tells how much.
        (JobKind::Flash, _) if compare::wrote_less(medium) => total.unwrap_or_default().min(counted),
        (JobKind::Flash, _) => counted,
    };
    demand(total == Some(expected), at, "data and zeros do not add up to the ranges")
}

/// The images of one job are on one target, each in a partition of its own; a whole device has one image.
pub(super) fn together(job: JobKind, parts: &[(String, Part<'_>)]) -> Audited {
    let [(_, first), rest @ ..] = parts else { return Err(Flaw::new("medium", "it names no medium")) };
    if rest.is_empty() {
        return Ok(());
    }
    demand(job == JobKind::Flash, "further", "a dump is of one medium")?;
    let (mut devices, mut labels) = (BTreeSet::new(), BTreeSet::new());
    for (place, Part { medium, .. }) in parts {
        let at = format!("{place}medium.partition");
        demand(medium.partition.is_some(), &at, "several images are on one device")?;
        let same = medium.target == first.medium.target && medium.disk == first.medium.disk;
        demand(same, format!("{place}medium.disk"), "its images are on several devices")?;
        let new = devices.insert(&medium.device) && labels.insert(&medium.partition);
        demand(new, at, "several images are on one device")?;
    }
    Ok(())
}
