//! The other way: the board fetches the image itself and unpacks it with its own tools, where the exporter is slow.
//!
//! Here the image is decoded too, for its digests alone. What is on the medium is compared with them as always, so the
//! proof is the same; what differs is written again from here.

use bytes::BytesMut;
use disk_image::{BLOCK, Image};
use flasher_core::flash::{MediumState, WireUsed};
use flasher_core::{Class, Error, Result};

use super::few::few;
use super::progress::FirstWrite;
use super::spoil::zeros_first;
use super::stream::{Made, withhold};
use crate::access::{MediumAccess, Target, Unpacking, must_fit};
use crate::blocking::AbortOnDrop;
use crate::job::Session;
use crate::trouble;

/// Has the board write everything but the first block, and learns meanwhile what it should have written.
pub(super) async fn all(
    session: Session<'_>,
    image: &Image,
    target: &Target,
    wiped: bool,
    access: &mut dyn MediumAccess,
) -> Result<Made> {
    let unpacking = Unpacking::of(image.format())?;
    if wiped {
        session.run.on_medium.leaves(MediumState::FirstBlockErased);
        few(session, target, zeros_first(first_length(image).await?), access).await?;
    }
    session.run.record.medium(|medium| medium.wire = Some(WireUsed::Direct));
    let mut digesting = AbortOnDrop(tokio::spawn(digest(image.clone(), target.clone())));
    session.run.on_medium.leaves(MediumState::PartlyWritten { to: 0 });
    let progress = FirstWrite::new(session, image.decoded_length());
    let from = (session.job.image.as_str(), unpacking);
    let fetched = access.fetch(target, from, progress, session.run.writes.permit());
    let (made, ()) = tokio::try_join!(digesting.decoded(), fetched)?;
    Ok(made)
}

/// Length of the first block, which is the whole image when that is shorter.
async fn first_length(image: &Image) -> Result<u64> {
    if let Some(length) = image.decoded_length() {
        return Ok(length.min(BLOCK));
    }
    let first = image.decode().next().await.map_err(trouble::image)?;
    Ok(first.map_or(0, |extent| extent.length().min(BLOCK)))
}

/// Decodes the image for what is to be on the medium.
async fn digest(image: Image, target: Target) -> Result<Made> {
    let (mut first, mut data, mut decoding) = (BytesMut::new(), 0, image.decode());
    while let Some(extent) = decoding.next().await.map_err(trouble::image)? {
        must_fit(extent.offset() + extent.length(), target.size, &target.device)?;
        data += withhold(extent, &mut first).map_or(0, |extent| extent.length());
    }
    let summary = decoding.summary().cloned();
    let summary = summary.ok_or_else(|| Error::new(Class::Internal, "the image ended without a summary"))?;
    if summary.formats.len() > 1 {
        return Err(Error::config(
            "the image is packed more than once, which the board cannot undo by itself",
        )
        .help("flash without `--direct`"));
    }
    Ok(Made { summary, first: first.freeze(), data, zeros: 0 })
}
