//! A sample of the image's data, which decides whether comparing all of it pays. It proves nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use disk_image::{Image, Range, RangeKind};
use flasher_core::flash::{SampleFacts, Verify};
use flasher_core::{Class, Result};
use tokio::time::Instant;

use super::reasons::unreadable;
use crate::access::{MediumAccess, ReadEvidence, Target, Wanted};
use crate::job::Session;

/// Bytes of a sample. An image that is no longer is compared whole.
pub(super) const SAMPLE: u64 = 64 << 20;
/// Bytes of one piece of it.
const PIECE: u64 = 1 << 20;
/// So many pieces are read first. When all of them are equal, no others are needed.
const FIRST: usize = 16;
/// Places that are looked at for data, at most.
const PLACES: u64 = 1024;
/// How long the rest of a sample may take where nothing of its first pieces is there.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a sample came to.
pub(super) struct Sampled {
    /// What it showed; none where there was nothing to read.
    pub(super) facts: Option<SampleFacts>,
    /// Why nothing more is compared.
    pub(super) skipped: Option<String>,
}

/// Reads a sample, spread over the image and of this job alone.
pub(super) async fn sample(
    session: Session<'_>,
    image: &Image,
    target: &Target,
    access: &mut dyn MediumAccess,
) -> Result<Sampled> {
    let length = image.copied_length().unwrap_or_default();
    let pieces = pieces(image, places(length / PIECE, u64::from(session.run.other_word(length)))).await;
    let (first, rest) = pieces.split_at(pieces.len().min(FIRST));
    let (mut facts, begun) = (SampleFacts::default(), Instant::now());
    for (pieces, more) in [(first, rest.len()), (rest, 0)] {
        match equal(image, target, pieces, access).await {
            Err(error) if error.class() == Class::Medium => {
                return Ok(Sampled { facts: Some(facts), skipped: Some(unreadable(&error.cause())) });
            }
            equal => facts.equal += equal?,
        }
        facts.compared += length_of(pieces);
        if more > 0 && facts.equal == facts.compared {
            // The whole comparison reads the others anyway.
            break;
        }
        let took = begun.elapsed();
        let left = took.mul_f64(more as f64 / FIRST as f64);
        if facts.equal == 0 && more > 0 && left > PATIENCE {
            let skipped = too_slow(facts, took);
            return Ok(Sampled { facts: Some(facts), skipped: Some(skipped) });
        }
    }
    let skipped = pays_not(facts, session.job.verify);
    Ok(Sampled { facts: Some(facts).filter(|facts| facts.compared > 0), skipped })
}

/// Places of an image of `count` pieces, spread evenly over it, in an order of which `seed` decides the beginning.
fn places(count: u64, seed: u64) -> impl Iterator<Item = u64> {
    // Steps of the golden section leave no large gaps, whenever they end.
    let mut step = ((count as f64 * 0.618_033_988_75) as u64).max(1);
    while greatest_common_divisor(step, count) > 1 {
        step += 1;
    }
    let begin = seed % count.max(1);
    (0..count.min(PLACES)).map(move |index| (begin + index * step) % count)
}

fn greatest_common_divisor(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { greatest_common_divisor(other, one % other) }
}

/// Pieces with data at these places: zeros are made at little cost, and a new medium has them everywhere.
async fn pieces(image: &Image, places: impl Iterator<Item = u64>) -> Vec<Range> {
    let mut pieces = Vec::new();
    for place in places {
        if pieces.len() as u64 * PIECE >= SAMPLE {
            break;
        }
        let piece = image.look_at(place * PIECE, PIECE).await;
        pieces.extend(piece.filter(|piece| piece.kind == RangeKind::Data));
    }
    pieces
}

/// Bytes of these pieces that the medium holds. How they are read leaves no trace in how the proof is read.
async fn equal(
    image: &Image,
    target: &Target,
    pieces: &[Range],
    access: &mut dyn MediumAccess,
) -> Result<u64> {
    if pieces.is_empty() {
        return Ok(0);
    }
    let indices: Vec<usize> = (0..pieces.len()).collect();
    let wanted = Wanted { image: Some(image), ..Wanted::quietly(pieces, &indices) };
    let read = access.digests(target, wanted, &mut ReadEvidence::default()).await?;
    let is_equal = |(index, piece): &(usize, &Range)| read.get(index) == Some(&piece.sha256);
    let places: BTreeSet<u64> =
        pieces.iter().enumerate().filter(is_equal).map(|(_, piece)| piece.offset).collect();
    Ok(places.len() as u64 * PIECE)
}

fn length_of(pieces: &[Range]) -> u64 {
    pieces.iter().map(|piece| piece.length).sum()
}

fn too_slow(facts: SampleFacts, took: Duration) -> String {
    let pace = facts.compared as f64 / took.as_secs_f64().max(0.001) / 1e6;
    format!(
        "nothing of {} MiB of the image is there, and the medium is read and hashed at {pace:.1} MB/s only",
        facts.compared >> 20
    )
}

/// Why comparing everything does not pay: what is equal saves its writing, what is all equal saves reading it back as well, and
/// everything is read once more for it. Writing takes at least as long as reading twice on nearly every medium.
fn pays_not(facts: SampleFacts, verify: Verify) -> Option<String> {
    let SampleFacts { compared, equal } = facts;
    let is_much = equal * 2 >= compared || (equal == compared && verify == Verify::Full);
    let (equal, compared) = (equal >> 20, compared >> 20);
    (!is_much).then(|| format!("of {compared} MiB of the image {equal} MiB are there already"))
}
