//! Step 2: the source is opened and recognised by its magic bytes. Decoding overlaps what follows, or comes first when asked for.

mod direct;
mod registry;

use std::net::SocketAddr;
use std::sync::Arc;

use disk_image::{Cache, Decoding, Expected, FetchGuard, Image, Secret, SourceOptions, Summary};
use flasher_core::fetch::FetchRules;
use flasher_core::flash::FormatChoice;
use flasher_core::source::{BlockMapChoice, CacheChoice};
use flasher_core::{Class, Error, Event, FlashJob, Result, Step};

use super::keep;
use crate::access::Unpacking;
use crate::job::Session;
use crate::opened::OpenedImage;
use crate::source_watch;
use crate::trouble;

/// Opens every image of the job, in its order. An attempt that did not come to use them has left them open: when the first is
/// being decoded, that goes on.
pub(crate) async fn open(session: Session<'_>) -> Result<Vec<OpenedImage>> {
    if let Some(mut images) = session.run.left_open()
        && images.first_mut().is_some_and(OpenedImage::is_under_way)
    {
        return Ok(images);
    }
    check_job(session.job)?;
    keep::check_job(session.job)?;
    if session.job.direct {
        direct::check(session.job)?;
    }
    let first = (session.job.partition.clone(), &session.job.image);
    let also = session.job.also.iter().map(|also| (Some(also.label.clone()), &also.image));
    let (mut images, mut checked) = (Vec::new(), 0);
    for (index, (partition, source)) in std::iter::once(first).chain(also).enumerate() {
        session.run.record.select(index);
        let expected = expected(session.job, partition.as_deref());
        let (image, platform) = open_one(session, source, expected).await?;
        let keep = keep::of_image(session, &image).await?;
        if session.job.check_first || image.has_open_question() {
            let total = image.decoded_length().filter(|_| session.job.also.is_empty());
            checked += check(session, &image, checked, total).await?;
            // That of an archive is known now.
            session.run.record.image(|facts| facts.block_map = image.block_map());
        }
        images.push(OpenedImage::new(image, partition, platform).keeping(keep));
    }
    session.run.record.select(0);
    Ok(images)
}

/// What cannot be meant when there are several images.
fn check_job(job: &FlashJob) -> Result<()> {
    let mut labels: Vec<Option<&str>> = job.also.iter().map(|also| Some(also.label.as_str())).collect();
    labels.push(job.partition.as_deref());
    if labels.iter().any(|label| label.is_some_and(str::is_empty)) {
        return Err(Error::config("a partition label is empty").help("give it as `-t LABEL:IMAGE`"));
    }
    if job.also.is_empty() {
        return Ok(());
    }
    if labels.contains(&None) {
        return Err(Error::config("one image is for the whole device and others are for its partitions")
            .help("flash the whole device first, and its partitions with a second command"));
    }
    labels.sort_unstable();
    if let Some([Some(label), _]) = labels.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::config(format!("two images are for the partition `{label}`")).help("give it once"));
    }
    let is_of_one = job.sha256.is_some() || job.source.length.is_some();
    if is_of_one || matches!(job.source.block_map, BlockMapChoice::At(_)) {
        return Err(Error::config(
            "a digest, a length or a block map is given, and several images it could be of",
        )
        .help("flash them one by one, or use a checksum file (`--checksum-url`) that lists them all"));
    }
    Ok(())
}

/// What an image must be, by where it goes.
fn expected(job: &FlashJob, partition: Option<&str>) -> Expected {
    match (job.format, partition) {
        (FormatChoice::Raw, _) => Expected::Anything,
        (FormatChoice::Auto, Some(_)) => Expected::Partition,
        (FormatChoice::Auto, None) => Expected::Device,
    }
}

async fn open_one(session: Session<'_>, source: &str, expected: Expected) -> Result<(Image, Option<String>)> {
    session.run.record.image(|facts| {
        facts.source = disk_image::redact(source);
        facts.format_choice = session.job.format;
    });
    let options = SourceOptions { expected, ..options(session)? };
    let (image, platform) = match source.starts_with(registry::SCHEME) {
        true => {
            let (given, platform) = registry::find(session, source).await?;
            (Image::open_external(given, options).await, platform)
        }
        false => (Image::open(source, options).await, None),
    };
    let image = image.map_err(trouble::image)?;
    session.run.record.image(|facts| {
        facts.source = image.label().to_owned();
        facts.platform.clone_from(&platform);
        facts.format = Some(image.format().to_string());
        facts.content = image.content().map(|content| content.to_string());
        facts.source_length = image.source_length();
        facts.decoded_length = image.decoded_length();
        facts.block_map = image.block_map();
        facts.checksums = image.checksums();
        facts.cached = image.is_cached();
    });
    if session.job.direct {
        Unpacking::of(image.format())?;
    }
    Ok((image, platform))
}

/// Decodes everything once, so that a broken image is found before the board is touched; gives its length. `before` bytes of
/// other images were decoded so already, and `total` are expected, if that is known.
async fn check(session: Session<'_>, image: &Image, before: u64, total: Option<u64>) -> Result<u64> {
    let summary = drain(session, image.decode(), (before, total)).await?;
    Ok(summary.decoded_length)
}

/// Decodes an image for what is known of it at its end.
pub(crate) async fn to_its_end(session: Session<'_>, opened: &mut OpenedImage) -> Result<Summary> {
    let total = opened.image.decoded_length();
    drain(session, opened.decoding(), (0, total)).await
}

/// Decodes to the end; `before` bytes were decoded already, of `total`.
async fn drain(
    session: Session<'_>,
    mut decoding: Decoding,
    (before, total): (u64, Option<u64>),
) -> Result<Summary> {
    let mut length = 0;
    while let Some(extent) = decoding.next().await.map_err(trouble::image)? {
        length += extent.length();
        session.run.report(Event::Advanced { step: Step::Image, done: before + length, total });
    }
    let summary = decoding.summary().cloned();
    let summary = summary.ok_or_else(|| Error::new(Class::Internal, "an image ended without its digests"))?;
    session.run.decoded(session.job, &summary)?;
    Ok(summary)
}

fn options(session: Session<'_>) -> Result<SourceOptions> {
    let job = session.job;
    let sha256 =
        job.sha256.as_deref().map(str::parse).transpose().map_err(|error: disk_image::DigestError| {
            Error::new(Class::Config, "the digest given with `--sha256` is not one")
                .because(error)
                .help("give 64 hex digits")
        })?;
    Ok(SourceOptions {
        headers: job.headers.clone(),
        bearer: job.bearer.clone().map(Secret::new),
        cacert: job.cacert.clone().or_else(|| session.flasher.config.cacert.clone()),
        insecure: job.insecure,
        exchanges: Some(source_watch::exchanges(session)),
        guard: job.fetch.clone().map(|rules| Arc::new(Guard(rules)) as Arc<dyn FetchGuard>),
        sha256,
        length: job.source.length,
        checksums: job.source.checksums.clone(),
        checksums_beside: job.source.checksums_beside && !job.direct,
        block_map: match job.source.block_map.clone() {
            BlockMapChoice::Beside if !job.direct => disk_image::BlockMapChoice::Beside,
            BlockMapChoice::Beside | BlockMapChoice::Off => disk_image::BlockMapChoice::Off,
            BlockMapChoice::At(place) => disk_image::BlockMapChoice::At(place),
        },
        map_keyring: job.source.map_keyring.clone(),
        cache: job.source.cache.clone().map(|CacheChoice { folder, limit }| Cache { folder, limit }),
        ..SourceOptions::default()
    })
}

/// What a client of an exporter may have fetched.
#[derive(Debug)]
struct Guard(FetchRules);

impl FetchGuard for Guard {
    fn check_scheme(&self, is_https: bool) -> Result<(), String> {
        self.0.check_scheme(is_https)
    }

    fn allowed(&self, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
        self.0.allowed(found.into_iter())
    }

    fn largest(&self) -> u64 {
        self.0.largest
    }
}

#[cfg(test)]
mod tests {
    use disk_image::Format;
    use flasher_core::flash::audit;

    /// Every format, the one after `format`: a new one does not compile until it has its place here.
    fn next(format: Format) -> Option<Format> {
        Some(match format {
            Format::Raw => Format::Gzip,
            Format::Gzip => Format::Xz,
            Format::Xz => Format::Zstd,
            Format::Zstd => Format::Bzip2,
            Format::Bzip2 => Format::Lz4,
            Format::Lz4 => Format::Zip,
            Format::Zip => Format::Tar,
            Format::Tar => Format::Simg,
            Format::Simg => return None,
        })
    }

    #[test]
    fn receipts_know_every_format() {
        for format in std::iter::successors(Some(Format::Raw), |format| next(*format)) {
            assert!(audit::is_known_format(&format.to_string()), "no receipt with {format} would be proven");
        }
        assert!(!audit::is_known_format("lzop"));
    }
}
