//! Step 9: what the medium holds already of each image, before any of it is written. What is equal is not written, and when nothing
//! differs this reading is the proof.
//!
//! The image's digests are those of a decoding of this very attempt, and the medium is read around every cache, as *verify* reads it.

mod choice;
mod held;
mod missing;
mod reasons;
mod sample;

use std::sync::Arc;

use disk_image::{Cached, Range};
use flasher_core::flash::CompareFacts;
use flasher_core::{Class, Event, Result, Step};

use super::read_back;
use crate::access::{MediumAccess, TABLE_COPY, Target, Wanted, must_fit};
use crate::job::{Count, Session};
use crate::opened::OpenedImage;
use crate::survey::{Survey, Surveyed};
pub(crate) use choice::{Choice, choose};
pub(crate) use held::Comparison;
use missing::Missing;
use reasons::unreadable;
use sample::sample;

/// What the medium holds of each image; nothing for one that is written whole.
pub(crate) async fn all(
    session: Session<'_>,
    images: &mut [OpenedImage],
    targets: &[Target],
    access: &mut dyn MediumAccess,
) -> Result<Vec<Option<Comparison>>> {
    let mut all = Vec::new();
    for (index, (opened, target)) in images.iter_mut().zip(targets).enumerate() {
        session.run.record.select(index);
        let held = one(session, opened, target, access).await.map_err(|error| opened.about(error))?;
        all.push(held);
    }
    session.run.record.select(0);
    Ok(all)
}

async fn one(
    session: Session<'_>,
    opened: &mut OpenedImage,
    target: &Target,
    access: &mut dyn MediumAccess,
) -> Result<Option<Comparison>> {
    let (mut facts, choice) = (CompareFacts::default(), choose(session, &opened.image));
    if matches!(choice, Choice::Never) {
        return Ok(None);
    }
    let fetches_parts = matches!(choice, Choice::Missing);
    if let Some(length) = opened.image.copied_length() {
        must_fit(length, target.size, &target.device)?;
    }
    let skipped = begin(session, opened, target, (choice, &mut facts), access).await?;
    if let Some(why) = skipped {
        return skip(session, opened, target, (facts, why)).await;
    }
    let via = access.abilities().via;
    let survey = opened.take_survey().unwrap_or_else(|| Survey::begin(&opened.image, via));
    let mut surveyed = match survey.end().await {
        // Its server may have another image by now than the block map tells of: all of it is fetched, and judged.
        Err(error) if fetches_parts && error.class() == Class::Source => {
            opened.image.forget_assembled();
            return skip(session, opened, target, (CompareFacts::default(), error.cause())).await;
        }
        surveyed => surveyed?,
    };
    // Its length was perhaps not known before.
    must_fit(surveyed.summary.decoded_length, target.size, &target.device)?;
    if !opened.was_cached && surveyed.summary.cached == Cached::Hit {
        // It was decoded while the board booted.
        surveyed.summary.cached = Cached::Kept;
    }
    match whole(session, opened, target, surveyed, access).await? {
        Ok(held) => {
            (facts.compared, facts.equal) = (held.length(), held.equal());
            session.run.report(Event::AlreadyThere { equal: facts.equal, compared: facts.compared });
            session.run.record.medium(|medium| medium.compare = Some(facts));
            Ok(Some(held))
        }
        Err(why) => skip(session, opened, target, (facts, why)).await,
    }
}

/// Does what comes before the whole comparison; gives why there is none, if so.
async fn begin(
    session: Session<'_>,
    opened: &OpenedImage,
    target: &Target,
    (choice, facts): (Choice, &mut CompareFacts),
    access: &mut dyn MediumAccess,
) -> Result<Option<String>> {
    match choice {
        Choice::Never | Choice::Whole => Ok(None),
        Choice::Skipped(why) => Ok(Some(why)),
        Choice::Missing => match missing::fetch(session, opened, target, access).await? {
            Missing::Fetched(bytes) => {
                let message = format!("{bytes} bytes of the image were fetched; the medium holds the rest");
                session.run.note(message);
                facts.fetched = Some(bytes);
                Ok(None)
            }
            Missing::Whole(why) => {
                let is_compared = matches!(choice::at_hand(session, &opened.image), Choice::Whole);
                Ok(Some(why).filter(|_| !is_compared))
            }
        },
        Choice::Sampled => {
            let sampled = sample(session, &opened.image, target, access).await?;
            facts.sample = sampled.facts;
            Ok(sampled.skipped)
        }
    }
}

/// Goes on without a comparison, and says why. An image that is known by now to be damaged, or too long, leaves the old system on
/// the medium.
async fn skip(
    session: Session<'_>,
    opened: &mut OpenedImage,
    target: &Target,
    (facts, why): (CompareFacts, String),
) -> Result<Option<Comparison>> {
    if let Some(survey) = opened.take_survey().filter(Survey::is_over) {
        let surveyed = survey.end().await?;
        must_fit(surveyed.summary.decoded_length, target.size, &target.device)?;
    }
    session.run.note(format!("everything is written: {why}"));
    session.run.record.medium(|medium| medium.compare = Some(CompareFacts { skipped: Some(why), ..facts }));
    Ok(None)
}

/// Compares all that counts; says why not, when the medium cannot be read.
async fn whole(
    session: Session<'_>,
    opened: &OpenedImage,
    target: &Target,
    surveyed: Surveyed,
    access: &mut dyn MediumAccess,
) -> Result<Result<Comparison, String>> {
    let indices: Vec<usize> = (0..surveyed.pieces.len()).collect();
    let total = surveyed.pieces.iter().map(|piece| piece.length).sum();
    let count = Count::new(session.run.progress(), Step::Compare, total);
    let wanted = wanted(&surveyed.pieces, &indices, opened, Some(&count));
    let writes = session.run.writes.so_far();
    let read = match read_back::digests(session, target, wanted, access).await {
        Err(error) if error.class() == Class::Medium => return Ok(Err(unreadable(&error.cause()))),
        read => read?,
    };
    // What an option removes there comes after this, and is not the image's.
    let removed = (target.old_table && session.job.wipe_old_table).then(|| target.size - TABLE_COPY);
    let is_removed = |piece: &Range| removed.is_some_and(|from| piece.offset + piece.length > from);
    let differs = |(index, piece): (usize, &Range)| {
        let is_equal = read.get(&index) == Some(&piece.sha256) && !is_removed(piece);
        (!is_equal).then(|| piece.clone())
    };
    let differing = surveyed.pieces.iter().enumerate().filter_map(differs).collect();
    Ok(Ok(Comparison { surveyed, differing, writes }))
}

fn wanted<'w>(
    pieces: &'w [Range],
    indices: &'w [usize],
    opened: &'w OpenedImage,
    count: Option<&'w Arc<Count>>,
) -> Wanted<'w> {
    Wanted { ranges: pieces, indices, image: Some(&opened.image), count }
}
