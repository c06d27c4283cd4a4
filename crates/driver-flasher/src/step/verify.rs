//! Step 10: every range is read back around the page cache and compared; what differs is written once more.

use disk_image::{Digest, Image, Range};
use flasher_core::flash::{MediumFacts, RangeFacts, Verify};
use flasher_core::{Class, Error, Result};

use super::read_back::{self, Wanted};
use super::shell::Guest;
use super::target::Target;
use super::write::{self, Written};
use crate::transaction::Session;

/// All ranges but the first are on the medium. Made by [`all`] alone.
pub(crate) struct Checked(());

pub(crate) async fn all(
    session: Session<'_>,
    image: &Image,
    target: &Target,
    written: &Written,
    guest: &mut Guest,
) -> Result<Checked> {
    let ranges = &written.summary.ranges;
    let how = session.job.verify;
    let all: Vec<usize> = (1..ranges.len()).filter(|index| how.reads(write::kind(&ranges[*index]))).collect();
    let differing = compare(session, target, ranges, &all, guest).await?;
    if differing.is_empty() {
        return Ok(Checked(()));
    }
    session.run.warn(format!(
        "{} read back differently and {} written again",
        count(&differing),
        were(&differing)
    ));
    let again = differing.iter().map(|index| ranges[*index].clone()).collect();
    write::again(session, image, target, written, again, guest).await?;
    session.run.medium(|medium| differing.iter().for_each(|index| medium.ranges[*index].writes += 1));
    let still = compare(session, target, ranges, &differing, guest).await?;
    if still.is_empty() { Ok(Checked(())) } else { Err(differs(target, ranges, &still)) }
}

/// Reads ranges back; gives those that differ. An unreadable range is an error at once.
pub(crate) async fn compare(
    session: Session<'_>,
    target: &Target,
    ranges: &[Range],
    wanted: &[usize],
    guest: &mut Guest,
) -> Result<Vec<usize>> {
    let read = read_back::digests(session, target, Wanted { ranges, indices: wanted }, guest).await?;
    session.run.medium(|medium| {
        for (index, digest) in &read {
            medium.ranges[*index].read_back = Some(digest.to_string());
        }
    });
    Ok(wanted.iter().copied().filter(|index| read.get(index) != Some(&ranges[*index].sha256)).collect())
}

/// Notes the digest of all bytes of the image as the medium holds them: that of the image, once every range was read back and is
/// equal. A range that does not matter was not read, so there is none then.
pub(super) fn note_whole(medium: &mut MediumFacts, decoded: &Digest) {
    let is_equal = |range: &RangeFacts| range.read_back.as_ref() == Some(&range.sha256);
    let all = medium.verify == Verify::Full && medium.ranges.iter().all(is_equal);
    medium.read_back_sha256 = all.then(|| decoded.to_string());
}

/// The failure of a medium that does not hold what was written.
pub(crate) fn differs(target: &Target, ranges: &[Range], still: &[usize]) -> Error {
    Error::new(
        Class::Medium,
        format!(
            "`{}` does not hold what was written: bytes {} differ, twice",
            target.device,
            places(ranges, still)
        ),
    )
    .with("device", target.device.clone())
    .help("the medium is bad or lies about its size; replace it")
}

/// First and last byte of each of these ranges; the first eight of them.
pub(crate) fn places(ranges: &[Range], indices: &[usize]) -> String {
    let places: Vec<String> = indices.iter().take(8).map(|index| place(&ranges[*index])).collect();
    match indices.len() - places.len() {
        0 => places.join(", "),
        more => format!("{} and {more} more", places.join(", ")),
    }
}

/// First and last byte of a range.
pub(crate) fn place(range: &Range) -> String {
    format!("{}-{}", range.offset, range.offset + range.length - 1)
}

fn count(indices: &[usize]) -> String {
    if indices.len() == 1 { "1 range".to_owned() } else { format!("{} ranges", indices.len()) }
}

fn were(indices: &[usize]) -> &'static str {
    if indices.len() == 1 { "is" } else { "are" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(offset: u64, length: u64) -> Range {
        Range { offset, length, sha256: Digest::of(b""), kind: disk_image::RangeKind::Data }
    }

    #[test]
    fn a_bad_medium_is_named_with_the_bytes_that_differ() {
        let target =
            Target { device: "/dev/mmcblk0".to_owned(), size: 1 << 30, direct: true, old_table: false };
        let ranges = [range(0, 65536), range(65536, 100)];
        let error = differs(&target, &ranges, &[1]);
        assert_eq!(
            format!("{error:?}"),
            "medium error: `/dev/mmcblk0` does not hold what was written: bytes 65536-65635 differ, twice [device: /dev/mmcblk0]"
        );
    }
}
