//! The other way: the board fetches the image itself and unpacks it with its own tools, where the exporter is slow.
//!
//! Here the image is decoded too, for its digests alone. What is on the medium is compared with them as always, so the
//! proof is the same; what differs is written again from here.

use std::time::Duration;

use bytes::BytesMut;
use disk_image::{BLOCK, Format, Image};
use flasher_core::flash::MediumState;
use flasher_core::source::BlockMapChoice;
use flasher_core::{Class, Content, Error, FlashJob, Result};

use super::patience::SLOWEST;
use super::watch::{Sending, Telling, Told, listen};
use super::{Made, Producer, frames_to_board, spoiling, withhold};
use crate::config::seconds;
use crate::guest::Answer;
use crate::job::Session;
use crate::step::shell::Guest;
use crate::step::target::{Target, must_fit};
use crate::trouble;

/// The word for it on the receipt.
pub(super) const NAME: &str = "direct";
/// What the board's script writes between two words of it, bytes.
const PACE: u64 = 4 << 20;

/// A job whose image the board cannot fetch by itself is refused before power on. No secret goes to the board.
pub(crate) fn check(job: &FlashJob) -> Result<()> {
    let refused = |text: &str| Err(Error::config(text).help("flash without `--direct`"));
    let Some((_, rest)) =
        job.image.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
    else {
        return refused("`--direct` takes an http(s) URL, which the board fetches itself");
    };
    let host = rest.split('/').next().unwrap_or_default();
    if host.contains('@') || job.image.contains(['?', '#']) || !job.headers.is_empty() || job.bearer.is_some()
    {
        return refused("`--direct` would show the board a password, a signed URL, a header or a token");
    }
    if !job.also.is_empty() || matches!(job.source.block_map, BlockMapChoice::At(_)) {
        return refused("`--direct` writes one image, all of it: no further partitions and no block map");
    }
    Ok(())
}

/// How the board's script unpacks the image.
///
/// # Errors
/// When it is of a kind that small tools do not unpack.
pub(crate) fn unpacking(format: Format) -> Result<&'static str> {
    Ok(match format {
        Format::Raw => "raw",
        Format::Gzip => "gzip",
        Format::Xz => "xz",
        Format::Zstd => "zstd",
        Format::Bzip2 => "bzip2",
        other => {
            return Err(Error::config(format!("the board cannot unpack {other} by itself"))
                .help("`--direct` takes raw, gz, xz, zst and bz2; flash without it"));
        }
    })
}

/// Has the board write everything but the first block, and learns meanwhile what it should have written.
pub(super) async fn all(
    session: Session<'_>,
    image: &Image,
    target: &Target,
    wiped: bool,
    guest: &mut Guest,
) -> Result<Made> {
    let unpack = unpacking(image.format())?;
    if wiped {
        session.run.on_medium.leaves(MediumState::FirstBlockErased);
        let content = Content::bytes(spoiling(first_length(image).await?));
        frames_to_board(session, content, &Sending::small(), target, guest).await?;
    }
    session.run.medium(|medium| medium.wire = Some(NAME.to_owned()));
    let mut digesting = Producer(tokio::spawn(digest(image.clone(), target.clone())));
    let digested = async {
        (&mut digesting.0).await.unwrap_or_else(|error| {
            Err(Error::new(Class::Internal, "the decoding task ended unexpectedly").because(error))
        })
    };
    let (made, ()) = tokio::try_join!(digested, write(session, image, unpack, target, guest))?;
    Ok(made)
}

/// Length of the first block, which is the whole image when that is shorter.
async fn first_length(image: &Image) -> Result<u64> {
    if let Some(length) = image.decoded_length() {
        return Ok(length.min(BLOCK));
    }
    let first = image.decode().next().await.map_err(trouble::image)?;
    Ok(first.map_or(0, |piece| piece.length().min(BLOCK)))
}

/// Decodes the image for what is to be on the medium.
async fn digest(image: Image, target: Target) -> Result<Made> {
    let (mut first, mut data, mut decoding) = (BytesMut::new(), 0, image.decode());
    while let Some(piece) = decoding.next().await.map_err(trouble::image)? {
        must_fit(piece.offset() + piece.length(), target.size, &target.device)?;
        data += withhold(piece, &mut first).map_or(0, |piece| piece.length());
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

async fn write(
    session: Session<'_>,
    image: &Image,
    unpack: &str,
    target: &Target,
    guest: &mut Guest,
) -> Result<()> {
    session.run.on_medium.leaves(MediumState::PartlyWritten { to: 0 });
    listen(session, Some(Telling { total: image.decoded_length(), told: Told::First }));
    let stall = seconds(session.flasher.config.timeouts.stall) + Duration::from_secs(PACE / SLOWEST);
    let arguments = ["direct", target.device.as_str(), unpack, session.job.image.as_str()];
    let answers = guest.script(&arguments, Duration::from_secs(24 * 3600), Some(stall)).await;
    session.run.listen(|_| {});
    let answers = answers?;
    if let Some(error) = Guest::complaint(&answers, &target.device) {
        return Err(error);
    }
    match answers.contains(&Answer::Written) {
        true => Ok(()),
        false => Err(Error::new(Class::Board, "the board ended writing without saying that all was written")),
    }
}

#[cfg(test)]
mod tests {
    use flasher_core::flash::PartitionImage;

    use super::*;

    #[test]
    fn what_the_board_cannot_fetch_or_must_not_see_is_refused() {
        let good = || FlashJob::new("http://h/os.img.xz");
        let secrets = "`--direct` would show the board a password, a signed URL, a header or a token";
        let whole = "`--direct` writes one image, all of it: no further partitions and no block map";
        let url = "`--direct` takes an http(s) URL, which the board fetches itself";
        let mut mapped = good();
        mapped.source.block_map = BlockMapChoice::At("os.bmap".into());
        let also = vec![PartitionImage { label: "root".into(), image: "http://h/root".into() }];
        for (job, expected) in [
            (good(), None),
            (FlashJob::new("https://h:8443/a/os.img"), None),
            (FlashJob::new("os.img"), Some(url)),
            (FlashJob::new("-"), Some(url)),
            (FlashJob::new("s3://bucket/os.img"), Some(url)),
            (FlashJob::new("http://user:hunter2@h/os.img"), Some(secrets)),
            (FlashJob::new("http://h/os.img?X-Signature=hunter2"), Some(secrets)),
            (FlashJob { headers: vec![("X-Token".into(), "hunter2".into())], ..good() }, Some(secrets)),
            (FlashJob { bearer: Some("hunter2".into()), ..good() }, Some(secrets)),
            (FlashJob { also, ..good() }, Some(whole)),
            (mapped, Some(whole)),
        ] {
            let found = check(&job).err();
            assert_eq!(found.as_ref().map(|error| error.cause()).as_deref(), expected);
            assert!(found.is_none_or(|error| error.class() == Class::Config));
        }
        assert_eq!(unpacking(Format::Zip).unwrap_err().cause(), "the board cannot unpack zip by itself");
    }
}
