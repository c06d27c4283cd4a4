//! Step 11: everything that counts is read back around the page cache, after the last write to the medium, and compared.
//! What differs is written once more, and then everything is read again. Only here does the proof of a flash come into being.

mod diagnosis;
mod differences;

use std::sync::Arc;

use disk_image::{Digest, Range};
use flasher_core::flash::{MediumFacts, MediumState, RangeFacts, Verify};
use flasher_core::{Class, Error, Result};

use super::commit;
use super::read_back::{self, Count, Wanted};
use super::shell::Guest;
use super::target::Target;
use super::write::{self, Written};
use crate::job::{Proof, Session};
use crate::piece::Piece;

/// An image that was put on the medium, whole.
pub(crate) struct Put<'p> {
    pub(crate) piece: &'p Piece,
    pub(crate) target: &'p Target,
    pub(crate) written: Written,
}

impl Put<'_> {
    fn ranges(&self) -> &[Range] {
        &self.written.summary.ranges
    }
}

/// Which ranges of each image differ.
type Differing = Vec<Vec<usize>>;

/// Proves all images of the job. When the medium does not hold one of them, its first block is made zeros again, so that
/// nothing half right boots.
pub(crate) async fn all(session: Session<'_>, puts: &[Put<'_>], guest: &mut Guest) -> Result<Vec<Proof>> {
    let mut equal = vec![false; puts.len()];
    match prove(session, puts, &mut equal, guest).await {
        Err(error) if error.class() == Class::Medium => {
            let wrong = puts.iter().enumerate().filter(|(index, _)| !equal[*index]).collect();
            Err(spoil(session, wrong, error, guest).await)
        }
        outcome => outcome,
    }
}

/// Notes in `equal` which images were seen to be on the medium.
async fn prove(
    session: Session<'_>,
    puts: &[Put<'_>],
    equal: &mut [bool],
    guest: &mut Guest,
) -> Result<Vec<Proof>> {
    let reading = Reading::of(session, puts);
    let differing = look(session, puts, &reading, equal, guest).await?;
    if differing.iter().any(|of| !of.is_empty()) {
        reading.count.more_follows();
        mend(session, puts, &differing, &reading.count, guest).await?;
        let still = look(session, puts, &reading, equal, guest).await?;
        if let Some((index, still)) = still.iter().enumerate().find(|(_, still)| !still.is_empty()) {
            let failure = diagnosis::failure(session, puts, index, still, guest).await;
            return Err(puts[index].piece.about(failure));
        }
    }
    Ok(puts.iter().enumerate().map(|(index, put)| proof(session, index, put)).collect())
}

fn proof(session: Session<'_>, index: usize, put: &Put<'_>) -> Proof {
    session.run.select(index);
    let summary = &put.written.summary;
    session.run.medium(|medium| note_whole(medium, &summary.decoded_sha256));
    Proof { decoded: summary.decoded_sha256, length: summary.decoded_length }
}

/// What is read of each image, and how far that is.
struct Reading {
    wanted: Vec<Vec<usize>>,
    count: Arc<Count>,
}

impl Reading {
    /// Everything that counts: what the job asks for, and the first block of each image that does not leave it alone.
    fn of(session: Session<'_>, puts: &[Put<'_>]) -> Self {
        let how = session.job.verify;
        let of_one = |put: &Put<'_>| -> Vec<usize> {
            let first = |index: usize| index == 0 && put.written.kept.is_none();
            let counts = |index: &usize| first(*index) || how.reads(write::kind(&put.ranges()[*index]));
            (0..put.ranges().len()).filter(counts).collect()
        };
        let wanted: Vec<Vec<usize>> = puts.iter().map(of_one).collect();
        let lengths = puts
            .iter()
            .zip(&wanted)
            .flat_map(|(put, wanted)| wanted.iter().map(|index| put.ranges()[*index].length));
        let count = Count::new(session.run.progress(), lengths.sum());
        Self { wanted, count }
    }
}

/// Reads everything that counts, of all images; gives what differs.
async fn look(
    session: Session<'_>,
    puts: &[Put<'_>],
    reading: &Reading,
    equal: &mut [bool],
    guest: &mut Guest,
) -> Result<Differing> {
    equal.fill(false);
    let mut differing = Vec::new();
    for (index, put) in puts.iter().enumerate() {
        session.run.select(index);
        let indices = reading.wanted[index].as_slice();
        let wanted = Wanted { ranges: put.ranges(), indices, count: Some(&reading.count) };
        let found = compare(session, put.target, wanted, guest).await;
        let found = found.map_err(|error| put.piece.about(error))?;
        must_be_kept(session, put, guest).await.map_err(|error| put.piece.about(error))?;
        equal[index] = found.is_empty();
        differing.push(found);
    }
    Ok(differing)
}

/// What the image does not care about in the first block is as it was.
async fn must_be_kept(session: Session<'_>, put: &Put<'_>, guest: &mut Guest) -> Result<()> {
    let Some(kept) = &put.written.kept else { return Ok(()) };
    let wanted = Wanted::quietly(std::slice::from_ref(kept), &[0]);
    let read = read_back::digests(session, put.target, wanted, guest).await?;
    if read.get(&0) == Some(&kept.sha256) {
        return Ok(());
    }
    let device = &put.target.device;
    let text = format!("the first block of `{device}` changed, and the image leaves it alone");
    Err(Error::new(Class::Medium, text)
        .with("device", device.clone())
        .help("the medium seems to hold less than it tells; replace it, and write its first block again"))
}

/// Writes what differs once more, in the order of a flash: first block away, everything else, first block.
async fn mend(
    session: Session<'_>,
    puts: &[Put<'_>],
    differing: &Differing,
    count: &Arc<Count>,
    guest: &mut Guest,
) -> Result<()> {
    session.run.on_medium.leaves(MediumState::PartlyWritten { to: 0 });
    for (index, (put, differing)) in puts.iter().zip(differing).enumerate() {
        session.run.select(index);
        if !differing.is_empty() {
            mend_one(session, put, differing, count, guest).await.map_err(|error| put.piece.about(error))?;
        }
    }
    session.run.on_medium.leaves(MediumState::NotProven);
    Ok(())
}

async fn mend_one(
    session: Session<'_>,
    put: &Put<'_>,
    differing: &[usize],
    count: &Arc<Count>,
    guest: &mut Guest,
) -> Result<()> {
    let (target, written, ranges) = (put.target, &put.written, put.ranges());
    let text =
        format!("{} read back differently and {} written again", ranges_of(differing), were(differing));
    session.run.warn(text);
    write::spoil(session, target, written, guest).await?;
    let rest: Vec<usize> = differing.iter().copied().filter(|index| *index != 0).collect();
    if !rest.is_empty() {
        let again = rest.iter().map(|index| ranges[*index].clone()).collect();
        write::again(session, put, again, count, guest).await?;
        count.settle(written.summary.decoded_length);
        session.run.medium(|medium| rest.iter().for_each(|index| medium.ranges[*index].writes += 1));
    }
    commit::first_block(session, target, written, guest).await
}

/// Makes the first block of these images zeros again; gives the error.
async fn spoil(session: Session<'_>, puts: Vec<(usize, &Put<'_>)>, error: Error, guest: &mut Guest) -> Error {
    let mut first_block_erased = puts.iter().all(|(_, put)| put.written.spoils);
    session.run.on_medium.leaves(MediumState::Differs { first_block_erased: false });
    for (index, put) in puts {
        session.run.select(index);
        if let Err(refused) = write::spoil(session, put.target, &put.written, guest).await {
            session.run.warn(format!("the first block could not be made zeros again: {}", refused.cause()));
            first_block_erased = false;
        }
    }
    session.run.on_medium.leaves(MediumState::Differs { first_block_erased });
    error
}

/// Reads ranges back; gives those that differ. An unreadable range is an error at once.
pub(crate) async fn compare(
    session: Session<'_>,
    target: &Target,
    wanted: Wanted<'_>,
    guest: &mut Guest,
) -> Result<Vec<usize>> {
    // What is written while it is read would be newer than what was read.
    let writes = session.run.writes.so_far();
    let read = read_back::digests(session, target, wanted, guest).await?;
    session.run.read_back(writes, &read);
    let differs = |index: &usize| read.get(index) != Some(&wanted.ranges[*index].sha256);
    Ok(wanted.indices.iter().copied().filter(differs).collect())
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
    .help("the medium is bad or reports a false size; replace it")
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

fn ranges_of(indices: &[usize]) -> String {
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
