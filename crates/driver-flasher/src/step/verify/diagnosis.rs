//! Why a medium differs after its second writing: the first byte, and whether it holds less than it tells.

use disk_image::Range;
use flasher_core::{Class, Error, Result};

use super::differences::{Cause, Differences, First, Stretch};
use super::{Put, differs, place};
use crate::config::ReadBack;
use crate::job::Session;
use crate::step::read_back::intake::Incoming;
use crate::step::read_back::line;
use crate::step::read_back::network::{Broken, Sent, send};
use crate::step::shell::Guest;
use crate::step::write;
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
    guest: &mut Guest,
) -> Error {
    let put = &puts[index];
    let error = differs(put.target, put.ranges(), still);
    let (Some(first), ReadBack::Auto | ReadBack::Network) = (still.first(), session.flasher.config.read_back)
    else {
        return error;
    };
    session.run.note("reading what differs once more, to find out why");
    match differences(session, puts, index, still, guest).await {
        Ok(differences) => {
            let cause = differences.cause(to_the_end(put, still));
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
    guest: &mut Guest,
) -> Result<Differences> {
    let wanted = wanted(puts[index].ranges(), still);
    let stretches = read(session, &puts[index], &wanted, guest).await?;
    let mut differences = Differences::new(index, stretches);
    for (image, put) in puts.iter().enumerate() {
        let mut decoding = put.piece.image.decode();
        while let Some(piece) = decoding.next().await.map_err(trouble::image)? {
            differences.take(image, &piece);
        }
        write::must_be_same(decoding.summary(), &put.written)?;
    }
    Ok(differences)
}

/// The first range that differs, whole, and a little of the others: their beginnings.
fn wanted(ranges: &[Range], still: &[usize]) -> Vec<(u64, u64)> {
    let mut still = still.iter().map(|index| &ranges[*index]);
    let first = still.next().map(|range| (range.offset, range.length));
    let rest: Vec<&Range> = still.collect();
    let stride = rest.len().div_ceil(SAMPLES).max(1);
    let samples = rest.iter().step_by(stride).map(|range| (range.offset, range.length.min(SAMPLE)));
    first.into_iter().chain(samples).collect()
}

/// These stretches of the medium, offset and length.
async fn read(
    session: Session<'_>,
    put: &Put<'_>,
    wanted: &[(u64, u64)],
    guest: &mut Guest,
) -> Result<Vec<Stretch>> {
    let list = wanted.iter().enumerate().map(|(number, (offset, length))| line(number, *offset, *length));
    let total = wanted.iter().map(|(_, length)| length).sum();
    let bytes = match send(session, put.target, list.collect(), total, guest, collect).await? {
        Sent::All(bytes) => bytes,
        Sent::Not(what, why) => {
            return Err(Error::new(Class::Board, format!("the board did not send it: {what}: {why}")));
        }
    };
    let mut rest = bytes.as_slice();
    let cut = wanted.iter().map(|(offset, length)| {
        let (bytes, after) = rest.split_at((*length as usize).min(rest.len()));
        rest = after;
        Stretch { offset: *offset, bytes: bytes.to_vec() }
    });
    Ok(cut.collect())
}

fn collect(mut incoming: Incoming) -> std::result::Result<Vec<u8>, Broken> {
    let mut bytes = Vec::new();
    while let Some(piece) = incoming.next().map_err(Broken::Bytes)? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
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
                puts[image].piece.image.label(),
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
        .with("differing", format!("{count} of {length} bytes in {}", place(range)))
}

/// The failure of a medium that holds less than it tells.
fn counterfeit(put: &Put<'_>, held: Option<u64>) -> Error {
    let error = match (held, &put.piece.partition) {
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
        .retryable(false)
}
