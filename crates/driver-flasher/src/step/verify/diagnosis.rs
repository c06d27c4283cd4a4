//! Why a medium differs after its second writing: the first byte, and whether it holds less than it tells.

use disk_image::Range;
use flasher_core::flash::HoldsLess;
use flasher_core::{Class, Error, Result, RootCause};

use super::differences::{Cause, Differences, First, MediumBytes};
use crate::access::{MediumAccess, Stretch, Target};
use crate::config::ReadBack;
use crate::job::Session;
use crate::range_text::{bytes_of, bytes_of_all};
use crate::step::read_back;
use crate::step::write::{self, Put};
use crate::trouble;

/// Further ranges that are looked at beside the first, at most, and how many bytes of each.
const SAMPLES: usize = 64;
const SAMPLE: u64 = 4096;

/// The failure of the image number `index`, whose ranges `still` differ.
pub(super) async fn failure(
    session: Session<'_>,
    puts: &[Put<'_>],
    index: usize,
    still: &[usize],
    access: &mut dyn MediumAccess,
) -> Error {
    let put = &puts[index];
    let error = differs(put.target, put.ranges(), still);
    let (Some(first), ReadBack::Auto | ReadBack::Network) = (still.first(), session.flasher.config.read_back)
    else {
        return error;
    };
    if !access.abilities().sends {
        return error;
    }
    session.run.note("reading what differs once more, to find out why");
    match differences(session, puts, index, still, access).await {
        Ok(differences) => {
            let cause = differences.cause(to_the_end(put, still));
            let holds_less = cause.as_ref().map(|cause| HoldsLess { bytes: cause.held() });
            session.run.record.medium(|medium| medium.holds_less = holds_less.or(medium.holds_less));
            explained(error, put, puts, (differences.first(), &put.ranges()[*first]), cause)
        }
        Err(refused) => {
            let text = format!("why the medium differs could not be found out: {}", refused.cause());
            session.run.warn(text);
            error
        }
    }
}

/// Whether everything with data from the first differing range on differs.
fn to_the_end(put: &Put<'_>, still: &[usize]) -> bool {
    let first = still.first().copied().unwrap_or_default();
    let mut behind = put.ranges().iter().enumerate().skip(first);
    behind.all(|(index, range)| range.kind != disk_image::RangeKind::Data || still.contains(&index))
}

async fn differences(
    session: Session<'_>,
    puts: &[Put<'_>],
    index: usize,
    still: &[usize],
    access: &mut dyn MediumAccess,
) -> Result<Differences> {
    let wanted = wanted(puts[index].ranges(), still);
    let stretches = read(session, &puts[index], &wanted, access).await?;
    let mut differences = Differences::new(index, stretches);
    for (image, put) in puts.iter().enumerate() {
        let mut decoding = put.opened.image.decode();
        while let Some(extent) = decoding.next().await.map_err(trouble::image)? {
            differences.take(image, &extent);
        }
        write::must_be_same(decoding.summary(), &put.written)?;
    }
    Ok(differences)
}

/// The first range that differs, whole, and a little of the others: their beginnings.
fn wanted(ranges: &[Range], still: &[usize]) -> Vec<Stretch> {
    let mut still = still.iter().map(|index| &ranges[*index]);
    let first = still.next().map(|range| Stretch { offset: range.offset, length: range.length });
    let rest: Vec<&Range> = still.collect();
    let stride = rest.len().div_ceil(SAMPLES).max(1);
    let sample = |range: &&Range| Stretch { offset: range.offset, length: range.length.min(SAMPLE) };
    first.into_iter().chain(rest.iter().step_by(stride).map(sample)).collect()
}

/// What the medium has in these stretches.
async fn read(
    session: Session<'_>,
    put: &Put<'_>,
    wanted: &[Stretch],
    access: &mut dyn MediumAccess,
) -> Result<Vec<MediumBytes>> {
    let bytes = read_back::stretches(session, put.target, wanted, access).await?;
    let read = wanted.iter().zip(bytes);
    Ok(read.map(|(stretch, bytes)| MediumBytes { offset: stretch.offset, bytes }).collect())
}

/// The failure of a medium that does not hold what was written.
fn differs(target: &Target, ranges: &[Range], still: &[usize]) -> Error {
    Error::new(
        Class::Medium,
        format!(
            "`{}` does not hold what was written: bytes {} differ, twice",
            target.device,
            bytes_of_all(ranges, still)
        ),
    )
    .with("device", target.device.clone())
    .help("the medium is bad or reports a false size; replace it")
    .caused_by(RootCause::WritesLost)
}

/// The failure with what was found out.
fn explained(
    error: Error,
    put: &Put<'_>,
    puts: &[Put<'_>],
    (first, range): (Option<&First>, &Range),
    cause: Option<Cause>,
) -> Error {
    let error = match cause {
        None => error,
        Some(Cause::Wraps { held, at, from }) => counterfeit(put, Some(held)).with(
            "evidence",
            format!("byte {at} shows what was written to byte {from}: both are one place of the medium"),
        ),
        Some(Cause::Drops { held }) => counterfeit(put, Some(held))
            .with("evidence", format!("nothing that was written from byte {held} on is there")),
        Some(Cause::Shares { image, at, from }) => counterfeit(put, None).with(
            "evidence",
            format!(
                "byte {at} shows byte {from} of `{}`, which was written to `{}`: both are one place of the medium",
                puts[image].opened.image.label(),
                puts[image].target.device
            ),
        ),
    };
    match first {
        Some(first) => told(error, first, range),
        None => error.with("read again", "now nothing differs: the medium does not read the same each time"),
    }
}

fn told(error: Error, first: &First, range: &Range) -> Error {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    let (count, length) = (first.count, range.length);
    error
        .with("first byte", format!("{} is the first that differs", first.offset))
        .with("expected", hex(&first.expected))
        .with("read", hex(&first.read))
        .with("differing", format!("{count} of {length} bytes in {}", bytes_of(range)))
}

/// The failure of a medium that holds less than it tells.
fn counterfeit(put: &Put<'_>, held: Option<u64>) -> Error {
    let error = match (held, &put.opened.partition) {
        (Some(held), None) => return write::counterfeit(put.target, held),
        (Some(held), Some(_)) => format!(
            "the medium of `{}` seems to hold {} MiB, less than it tells: it is counterfeit or broken",
            put.target.device,
            held >> 20
        ),
        (None, _) => format!(
            "the medium of `{}` seems to hold less than it tells: it is counterfeit or broken",
            put.target.device
        ),
    };
    Error::new(Class::Medium, error)
        .with("device", put.target.device.clone())
        .help("replace the medium; the images need more than it holds")
        .caused_by(RootCause::Counterfeit)
        .retryable(false)
}

#[cfg(test)]
mod tests {
    use disk_image::Digest;

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
