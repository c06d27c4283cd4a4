//! Step 12: everything that counts is read back around the page cache, after the last write to the medium, and compared.
//! What differs is written once more, and then everything is read again. Only here does the proof of a flash come into being.

mod diagnosis;
mod differences;

use std::sync::Arc;

use disk_image::Digest;
use flasher_core::flash::{MediumFacts, MediumState, RangeFacts, Verify};
use flasher_core::{Class, Error, Result, RootCause, Step};

use super::commit;
use super::keep;
use super::read_back;
use super::write::{self, Put};
use crate::access::{MediumAccess, Target, Wanted};
use crate::job::{Count, Proof, Session};

/// Which ranges of each image differ.
type Differing = Vec<Vec<usize>>;

/// Proves all images of the job. When the medium does not hold one of them, its first block is made zeros again, so that
/// nothing half right boots.
pub(crate) async fn all(
    session: Session<'_>,
    puts: &[Put<'_>],
    access: &mut dyn MediumAccess,
) -> Result<Vec<Proof>> {
    let mut equal = vec![false; puts.len()];
    match prove(session, puts, &mut equal, access).await {
        Err(error) if error.class() == Class::Medium => {
            let wrong = puts.iter().enumerate().filter(|(index, _)| !equal[*index]).collect();
            Err(spoil(session, wrong, error, access).await)
        }
        outcome => outcome,
    }
}

/// Notes in `equal` which images were seen to be on the medium.
async fn prove(
    session: Session<'_>,
    puts: &[Put<'_>],
    equal: &mut [bool],
    access: &mut dyn MediumAccess,
) -> Result<Vec<Proof>> {
    let reading = Reading::of(session, puts);
    // Nothing was written since everything was compared: that reading is the proof.
    let is_known = |(index, wanted): (usize, &Vec<usize>)| {
        session.run.record.is_read(index, wanted, session.run.writes.so_far())
    };
    if reading.wanted.iter().enumerate().all(is_known) {
        keep::nothing_was_written(session);
        return Ok(puts.iter().enumerate().map(|(index, put)| proof(session, index, put)).collect());
    }
    let differing = look(session, puts, &reading, equal, access).await?;
    if differing.iter().any(|of| !of.is_empty()) {
        reading.count.more_follows();
        mend(session, puts, &differing, &reading.count, access).await?;
        let still = look(session, puts, &reading, equal, access).await?;
        if let Some((index, still)) = still.iter().enumerate().find(|(_, still)| !still.is_empty()) {
            let failure = diagnosis::failure(session, puts, index, still, access).await;
            return Err(puts[index].opened.about(failure));
        }
    }
    Ok(puts.iter().enumerate().map(|(index, put)| proof(session, index, put)).collect())
}

fn proof(session: Session<'_>, index: usize, put: &Put<'_>) -> Proof {
    session.run.record.select(index);
    let summary = &put.written.summary;
    session.run.record.medium(|medium| note_whole(medium, &summary.decoded_sha256));
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
        let total = lengths.sum::<u64>() + keep::length(session);
        let count = Count::new(session.run.progress(), Step::Verify, total);
        Self { wanted, count }
    }
}

/// Reads everything that counts, of all images; gives what differs.
async fn look(
    session: Session<'_>,
    puts: &[Put<'_>],
    reading: &Reading,
    equal: &mut [bool],
    access: &mut dyn MediumAccess,
) -> Result<Differing> {
    equal.fill(false);
    let mut differing = Vec::new();
    for (index, put) in puts.iter().enumerate() {
        session.run.record.select(index);
        let indices = reading.wanted[index].as_slice();
        let image = Some(&put.opened.image);
        let wanted = Wanted { ranges: put.ranges(), indices, image, count: Some(&reading.count) };
        let length = wanted.length();
        let found = compare(session, put.target, wanted, access).await;
        let found = found.map_err(|error| put.opened.about(error))?;
        must_be_kept(session, put, access).await.map_err(|error| put.opened.about(error))?;
        keep::must_be_unchanged(session, put.target, &reading.count, access).await?;
        session.run.record.medium(|medium| {
            medium.compare.iter_mut().for_each(|facts| facts.read_again += length);
        });
        equal[index] = found.is_empty();
        differing.push(found);
    }
    Ok(differing)
}

/// What the image does not care about in the first block is as it was.
async fn must_be_kept(session: Session<'_>, put: &Put<'_>, access: &mut dyn MediumAccess) -> Result<()> {
    let Some(kept) = &put.written.kept else { return Ok(()) };
    let wanted = Wanted::quietly(std::slice::from_ref(kept), &[0]);
    let read = read_back::digests(session, put.target, wanted, access).await?;
    if read.get(&0) == Some(&kept.sha256) {
        return Ok(());
    }
    let device = &put.target.device;
    let text = format!("the first block of `{device}` changed, and the image leaves it alone");
    Err(Error::new(Class::Medium, text)
        .with("device", device.clone())
        .help("the medium seems to hold less than it tells; replace it, and write its first block again")
        .caused_by(RootCause::Counterfeit))
}

/// Writes what differs once more, in the order of a flash: first block away, everything else, first block.
async fn mend(
    session: Session<'_>,
    puts: &[Put<'_>],
    differing: &Differing,
    count: &Arc<Count>,
    access: &mut dyn MediumAccess,
) -> Result<()> {
    session.run.on_medium.leaves(MediumState::PartlyWritten { to: 0 });
    for (index, (put, differing)) in puts.iter().zip(differing).enumerate() {
        session.run.record.select(index);
        if !differing.is_empty() {
            mend_one(session, put, differing, count, access)
                .await
                .map_err(|error| put.opened.about(error))?;
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
    access: &mut dyn MediumAccess,
) -> Result<()> {
    let (target, written, ranges) = (put.target, &put.written, put.ranges());
    let text =
        format!("{} read back differently and {} written again", ranges_of(differing), were(differing));
    session.run.warn(text);
    write::spoil(session, target, written, access).await?;
    let rest: Vec<usize> = differing.iter().copied().filter(|index| *index != 0).collect();
    if !rest.is_empty() {
        let again = rest.iter().map(|index| ranges[*index].clone()).collect();
        write::again(session, put, again, count, access).await?;
        count.settle(written.summary.decoded_length);
        session.run.record.medium(|medium| rest.iter().for_each(|index| medium.ranges[*index].writes += 1));
    }
    commit::first_block(session, target, written, access).await
}

/// Makes the first block of these images zeros again; gives the error.
async fn spoil(
    session: Session<'_>,
    puts: Vec<(usize, &Put<'_>)>,
    error: Error,
    access: &mut dyn MediumAccess,
) -> Error {
    let mut first_block_erased = puts.iter().all(|(_, put)| put.written.spoils);
    session.run.on_medium.leaves(MediumState::Differs { first_block_erased: false });
    for (index, put) in puts {
        session.run.record.select(index);
        if let Err(refused) = write::spoil(session, put.target, &put.written, access).await {
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
    access: &mut dyn MediumAccess,
) -> Result<Vec<usize>> {
    // What is written while it is read would be newer than what was read.
    let writes = session.run.writes.so_far();
    let read = read_back::digests(session, target, wanted, access).await?;
    session.run.record.read_back(writes, &read);
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

fn ranges_of(indices: &[usize]) -> String {
    if indices.len() == 1 { "1 range".to_owned() } else { format!("{} ranges", indices.len()) }
}

fn were(indices: &[usize]) -> &'static str {
    if indices.len() == 1 { "is" } else { "are" }
}
