//! What a medium holds: its table and file systems, and the image that it holds most of. Nothing is written.

mod contents;
mod known;
mod system;

use flasher_core::identify::{FoundImage, Identification, KnownImage};
use flasher_core::{Class, Error, Result};

use super::image;
use crate::access::{MediumAccess, Target};
use crate::job::Session;
use crate::opened::OpenedImage;
use known::{Candidate, Readings};

/// The one image that the medium is compared with.
pub(crate) struct ComparedImage {
    opened: OpenedImage,
    known: KnownImage,
}

/// Opens and decodes the image of the job, for its digests.
pub(crate) async fn given(session: Session<'_>) -> Result<Option<ComparedImage>> {
    if session.job.image.is_empty() {
        return Ok(None);
    }
    let mut images = image::open(session).await?;
    let Some(mut opened) = images.pop() else { return Ok(None) };
    let summary = image::to_its_end(session, &mut opened).await?;
    let known = known::of_summary(opened.image.label(), &summary);
    Ok(Some(ComparedImage { opened, known }))
}

/// Looks at the medium, and compares it with `given`, else with all of `known`.
pub(crate) async fn medium(
    session: Session<'_>,
    target: &Target,
    (given, known): (Option<&ComparedImage>, &[KnownImage]),
    access: &mut dyn MediumAccess,
) -> Result<Identification> {
    let known = given.map_or(known, |given| std::slice::from_ref(&given.known));
    let mut candidates = known::candidates(known, target.size);
    can_compare(given.is_some() || candidates.is_empty(), access)?;
    let mut found = contents::of(session, target, access).await?;
    found.known_images = u32::try_from(candidates.len()).unwrap_or(u32::MAX);
    let mut readings = Readings::new(session, target, given.map(|given| &given.opened.image));
    readings.read(known::probes(&candidates), access).await?;
    known::keep_likely(&mut candidates, &readings);
    readings.read(candidates.iter().flat_map(Candidate::counted), access).await?;
    found.compared = readings.length();
    if let Some(best) = known::best(&candidates, &readings) {
        contents::compare_partitions(&mut found.partitions, best, &readings);
        found.image = Some(described(best, &readings));
    }
    Ok(found)
}

/// A boot loader without a way to send or hash bytes compares them with an image, and needs that image.
fn can_compare(needs_none: bool, access: &dyn MediumAccess) -> Result<()> {
    let abilities = access.abilities();
    if needs_none || abilities.small_reads || abilities.sends {
        return Ok(());
    }
    let text = "this boot loader can neither hash nor send what the medium holds (no `hash`, no `tftpput`)";
    Err(Error::new(Class::Board, text)
        .help("name the image that it may hold with `--image`, or take `--via linux` with a bundle")
        .retryable(false))
}

fn described(best: &Candidate<'_>, readings: &Readings<'_>) -> FoundImage {
    let image = best.image;
    let differs = best.counted().find(|range| !readings.is_equal(range));
    FoundImage {
        name: image.name.clone(),
        sha256: image.sha256.clone(),
        length: image.length,
        counted: best.counted().map(|range| range.length).sum(),
        equal: best.counted().filter(|range| readings.is_equal(range)).map(|range| range.length).sum(),
        differs_from: differs.map(|range| range.offset),
    }
}
