//! An image at a server with a block map beside it: what the medium holds of it already is taken from there, and only what is missing is
//! fetched.
//!
//! The digests of the block map say which is which. What was put together so is decoded and digested like any source afterwards, and
//! the medium is compared with it as with any image: this saves traffic, and proves nothing.

use std::sync::Arc;

use disk_image::{Assembly, AssemblyFile, RANGE, Range, RangeHash};
use flasher_core::{Class, Result, Step};

use super::reasons;
use crate::access::{Broken, Incoming, MediumAccess, ReadEvidence, Stretch, Target, Wanted};
use crate::job::{Count, Session};
use crate::opened::OpenedImage;
use crate::step::read_back;
use crate::trouble;

/// Stretches of the image that are looked for first.
const LOOKED_FOR: usize = 16;

/// What came of it.
pub(super) enum Missing {
    /// The image is here; so many bytes of it were fetched.
    Fetched(u64),
    /// It is fetched as a whole, for this reason.
    Whole(String),
}

/// Puts the image together out of what the medium holds and what its server has.
pub(super) async fn fetch(
    session: Session<'_>,
    opened: &OpenedImage,
    target: &Target,
    access: &mut dyn MediumAccess,
) -> Result<Missing> {
    let Some(stretches) = opened.image.index() else { return Ok(Missing::Whole(reasons::no_index())) };
    if !access.abilities().sends {
        return Ok(Missing::Whole(reasons::cannot_send()));
    }
    let looked_for = looked_for(&stretches);
    let held = held(&looked_for, target, access).await?;
    if held * 2 < looked_for.len() || looked_for.is_empty() {
        return Ok(Missing::Whole(reasons::little_held(held, looked_for.len())));
    }
    let assembly = match opened.image.assemble().await {
        Ok(Some(assembly)) => assembly,
        Ok(None) => return Ok(Missing::Whole(reasons::no_index())),
        Err(error) => return Ok(Missing::Whole(error.to_string())),
    };
    let held = match take_held(session, &stretches, assembly.place(), target, access).await {
        Err(error) if error.class() == Class::Medium => {
            return Ok(Missing::Whole(reasons::unreadable(&error.cause())));
        }
        held => held?,
    };
    let held = match held {
        Ok(held) => held,
        Err(why) => return Ok(Missing::Whole(why)),
    };
    let missing: Vec<&Range> =
        stretches.iter().zip(&held).filter(|(_, held)| !**held).map(|(stretch, _)| stretch).collect();
    match fetch_all(session, &missing, &assembly).await {
        Ok(()) => {
            assembly.finish();
            Ok(Missing::Fetched(missing.iter().map(|stretch| stretch.length).sum()))
        }
        // A cache that is full is no reason to fail.
        Err(error @ (disk_image::Error::NoParts { .. } | disk_image::Error::Machine { .. })) => {
            Ok(Missing::Whole(error.to_string()))
        }
        Err(error) => Err(trouble::image(error)),
    }
}

/// A few stretches, spread over the image, which are short enough to be digested in one go.
fn looked_for(stretches: &[Range]) -> Vec<Range> {
    let short: Vec<&Range> = stretches.iter().filter(|stretch| stretch.length <= RANGE).collect();
    let step = short.len().div_ceil(LOOKED_FOR).max(1);
    short.into_iter().step_by(step).cloned().collect()
}

/// How many of these stretches the medium holds.
async fn held(looked_for: &[Range], target: &Target, access: &mut dyn MediumAccess) -> Result<usize> {
    if looked_for.is_empty() {
        return Ok(0);
    }
    let indices: Vec<usize> = (0..looked_for.len()).collect();
    let wanted = Wanted::quietly(looked_for, &indices);
    let read = match access.digests(target, wanted, &mut ReadEvidence::default()).await {
        Err(error) if error.class() == Class::Medium => return Ok(0),
        read => read?,
    };
    let is_held = |(index, stretch): &(usize, &Range)| read.get(index) == Some(&stretch.sha256);
    Ok(looked_for.iter().enumerate().filter(is_held).count())
}

/// Which of the stretches have their digest; or why they cannot be put together here.
type HeldStretches = std::result::Result<Vec<bool>, String>;

/// Reads all stretches from the medium to their places; says which of them have their digest.
async fn take_held(
    session: Session<'_>,
    stretches: &[Range],
    place: AssemblyFile,
    target: &Target,
    access: &mut dyn MediumAccess,
) -> Result<HeldStretches> {
    let places: Vec<Stretch> =
        stretches.iter().map(|it| Stretch { offset: it.offset, length: it.length }).collect();
    let total = stretches.iter().map(|stretch| stretch.length).sum();
    let count = Count::new(session.run.progress(), Step::Compare, total);
    let stretches = stretches.to_vec();
    let take = move |incoming| put(incoming, &stretches, &place, &count);
    read_back::bytes(session, target, &places, take, access).await
}

/// Puts what comes to its places. Blocks its thread. Where there is no room the rest is taken and let go: the board sends it.
fn put(
    mut incoming: Incoming,
    stretches: &[Range],
    place: &AssemblyFile,
    count: &Arc<Count>,
) -> Result<HeldStretches, Broken> {
    let (mut held, mut hash, mut within, mut done) = (Vec::new(), RangeHash::default(), 0, 0);
    let mut unwritable = None;
    while let Some(mut chunk) = incoming.next().map_err(Broken::Bytes)? {
        while !chunk.is_empty() {
            let Some(stretch) = stretches.get(held.len()) else {
                return Err(Broken::Bytes("more bytes came than were asked for".to_owned()));
            };
            let left = stretch.length - within;
            let part = chunk.split_to(usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len()));
            if unwritable.is_none() {
                unwritable = place.put(stretch.offset + within, &part).err();
            }
            hash.update(&part);
            (within, done) = (within + part.len() as u64, done + part.len() as u64);
            if within == stretch.length {
                held.push(hash.finish() == stretch.sha256);
                within = 0;
            }
        }
        count.at(done);
    }
    Ok(unwritable.map_or(Ok(held), |error| Err(reasons::unwritable(&error))))
}

/// Fetches what is missing.
async fn fetch_all(
    session: Session<'_>,
    missing: &[&Range],
    assembly: &Assembly,
) -> std::result::Result<(), disk_image::Error> {
    let total = missing.iter().map(|stretch| stretch.length).sum();
    let count = Count::new(session.run.progress(), Step::Compare, total);
    for stretch in missing {
        assembly.fetch(stretch).await?;
        count.settle(stretch.length);
    }
    Ok(())
}
