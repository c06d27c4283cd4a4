//! The verdict of a proven flash as text.

use std::fmt::Write;

use flasher_core::flash::{
    BoardFacts, CacheBypass, CheckedDigest, DigestsBy, FurtherImage, ImageFacts, JobKind, KeptPartition,
    MediumFacts, OldTable, RangeFacts, RangeKind, Site,
};
use flasher_core::{Receipt, Verdict};

use super::found::found;
use super::paint::Paint;
use super::plan::content;
use super::trouble::power;
use super::units::{bytes, part, seconds, tame};

/// What was proven, or only written, on which board, with every digest. Ends with a newline.
pub(crate) fn good(receipt: &Receipt, kept: Option<&str>, paint: Paint) -> String {
    if receipt.verdict == Verdict::Identified {
        return found(receipt, kept, paint);
    }
    let board = &receipt.board;
    let word = match receipt.verdict {
        Verdict::Written => paint.bold("written, not proven"),
        Verdict::Proven | Verdict::Identified | Verdict::Failed => paint.good(&paint.bold("proven")),
    };
    let mut text = format!("{word}  {}\n", headline(receipt));
    let mut fact = |key: &str, value: String| {
        let key = paint.dim(&format!("  {key:<11}"));
        let _ = writeln!(text, "{key} {}", tame(&value)); // into memory
    };
    about(&receipt.image, receipt.medium.as_ref(), receipt.job, &mut fact);
    for FurtherImage { image, medium } in &receipt.further {
        about(image, medium.as_ref(), receipt.job, &mut fact);
    }
    fact("board", whole(board));
    board.bundle_sha256.iter().for_each(|digest| fact("bundle", format!("sha256:{digest}")));
    place(&receipt.site).into_iter().for_each(|place| fact("bench", place));
    fact("when", format!("{} to {}", receipt.begun, receipt.ended));
    fact("power", power(receipt));
    receipt.warnings.iter().for_each(|warning| fact("warning", warning.clone()));
    receipt.transcript.iter().for_each(|transcript| fact("transcript", transcript.file.clone()));
    kept.iter().for_each(|file| fact("receipt", (*file).to_owned()));
    text
}

/// One image, and what is known of its place.
fn about(
    image: &ImageFacts,
    medium: Option<&MediumFacts>,
    job: JobKind,
    fact: &mut impl FnMut(&str, String),
) {
    let what = if job == JobKind::Dump { "dump" } else { "image" };
    fact(
        what,
        [Some(image.source.clone()), image.format.clone()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", "),
    );
    if let Some(content) = content(image.content.as_deref(), image.format_choice) {
        fact("content", content);
    }
    image.source_sha256.iter().for_each(|digest| fact("file", format!("sha256:{digest}")));
    image.decoded_sha256.iter().for_each(|digest| fact("unpacked", format!("sha256:{digest}")));
    image.block_map.iter().for_each(|map| fact("block map", map.clone()));
    if image.cached {
        fact("cache", "had it, unpacked".to_owned());
    }
    if let Some(which) = &image.checked {
        let of = match which {
            CheckedDigest::Source => "file",
            CheckedDigest::Decoded => "unpacked image",
        };
        match &image.checksums {
            Some(list) => fact("checksum", format!("that of `{list}` equals the digest of the {of}")),
            None => fact("--sha256", format!("equals the digest of the {of}")),
        }
    }
    if let Some(medium) = medium {
        let key = if job == JobKind::Dump { "read again" } else { "read back" };
        read_back(medium).into_iter().for_each(|value| fact(key, value));
        if job == JobKind::Flash {
            let there = medium.compare.as_ref().filter(|facts| facts.compared > 0);
            there.iter().for_each(|facts| fact("there", part(facts.equal, facts.compared)));
            fact("written", written(medium));
        }
        medium.kept.iter().for_each(|part| fact("kept", kept_partition(part)));
        if medium.old_table == Some(OldTable::Wiped) {
            fact("old table", "removed at the medium's end".to_owned());
        }
        fact("medium", identity(medium));
    }
}

/// A partition that was to stay.
fn kept_partition(part: &KeptPartition) -> String {
    let state = match part.after == part.before {
        true => "read before and after: the same",
        false => "not read again",
    };
    format!("`{}`, {}, {state}", part.label, bytes(part.length))
}

fn whole(board: &BoardFacts) -> String {
    let variant = board.variant.as_ref().map(|variant| format!("variant {variant}"));
    let address = board.address.as_ref().map(|address| format!("at {address}"));
    [board.name.clone(), variant, address].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The bench, and who used it from where.
fn place(site: &Site) -> Option<String> {
    let Site { exporter, node, host, user } = site;
    let facts = [("", exporter), ("node ", node), ("host ", host), ("user ", user)];
    let facts = facts.iter().filter_map(|(key, value)| Some(format!("{key}{}", value.as_ref()?)));
    Some(facts.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
}

fn headline(receipt: &Receipt) -> String {
    let images = std::iter::once(&receipt.image).chain(receipt.further.iter().map(|further| &further.image));
    let length: Option<u64> = images.map(|image| image.decoded_length).sum();
    let mut length = length.map_or_else(|| "the image".to_owned(), bytes);
    let kept = receipt.medium.iter().flat_map(|medium| &medium.kept).map(|part| part.length).sum();
    if kept > 0 {
        length = format!("{length} but for {} kept", bytes(kept));
    }
    let on = if receipt.job == JobKind::Dump { "from" } else { "on" };
    let place = receipt
        .medium
        .as_ref()
        .map(|medium| format!(" {on} {} ({})", tame(&medium.target), tame(whole_device(medium))));
    let board = receipt.board.name.as_ref().map(|name| format!(" of board {}", tame(name)));
    let attempts =
        if receipt.attempts > 1 { format!(", attempt {}", receipt.attempts) } else { String::new() };
    let (place, board) = (place.unwrap_or_default(), board.unwrap_or_default());
    format!("{length}{place}{board} in {}{attempts}", seconds(receipt.seconds))
}

/// The device that the job was about; what was written on it may be partitions.
fn whole_device(medium: &MediumFacts) -> &str {
    medium.disk.as_deref().unwrap_or(&medium.device)
}

/// How the ranges compared, and the digest over all of them.
fn read_back(medium: &MediumFacts) -> Vec<String> {
    let cared: Vec<&RangeFacts> =
        medium.ranges.iter().filter(|range| range.kind != RangeKind::Unmapped).collect();
    let unread = cared.iter().filter(|range| range.read_back.is_none()).count();
    let count = cared.len();
    let equal = cared.iter().filter(|range| range.read_back.as_ref() == Some(&range.sha256)).count();
    let equal = match (equal == count, unread) {
        (true, _) => "all equal".to_owned(),
        (false, 0) => format!("{equal} equal"),
        (false, _) => format!("{equal} equal, {unread} not read back"),
    };
    let how = match (medium.read_back, medium.digests_by) {
        (Some(CacheBypass::Direct), _) => ", read past the page cache",
        (Some(CacheBypass::Dropped), _) => ", read after the page cache was dropped",
        (Some(CacheBypass::Bootloader), Some(DigestsBy::Board)) => ", read and hashed by the boot loader",
        (Some(CacheBypass::Bootloader), _) => {
            ", read by the boot loader and compared with what was loaded once more"
        }
        (None, _) => "",
    };
    let compared = format!("{}, {equal}{how}", ranges(count));
    let digest =
        medium.read_back_sha256.as_ref().map(|digest| format!("sha256:{digest}, as every range is equal"));
    [Some(compared), digest].into_iter().flatten().collect()
}

fn ranges(count: usize) -> String {
    if count == 1 { "1 range".to_owned() } else { format!("{count} ranges") }
}

fn written(medium: &MediumFacts) -> String {
    let again = medium.ranges.iter().filter(|range| range.writes > 1).count();
    let again = if again > 0 { format!(", {} written again", ranges(again)) } else { String::new() };
    let left: u64 = medium
        .ranges
        .iter()
        .filter(|range| range.kind == RangeKind::Unmapped)
        .map(|range| range.length)
        .sum();
    let left = if left > 0 { format!(", {} left as they were", bytes(left)) } else { String::new() };
    format!("{} of data, {} of zeros{left}{again}", bytes(medium.data_written), bytes(medium.zeros_written))
}

fn identity(medium: &MediumFacts) -> String {
    let more = medium.identity.iter().map(|(key, value)| format!(", {key} {value}")).collect::<String>();
    let part = medium.partition.as_ref().map(|label| format!(" (partition {label})")).unwrap_or_default();
    format!("{}{part}, {}{more}", medium.device, bytes(medium.size))
}
