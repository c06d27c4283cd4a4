//! Step 2: the source is opened and recognised by its magic bytes. Decoding overlaps what follows, or comes first when asked for.

mod registry;

use disk_image::{Cache, Cached, Checked, Image, Secret, SourceOptions, Summary};
use flasher_core::source::{BlockMapChoice, CacheChoice};
use flasher_core::{Class, Error, Event, Result, Step};

use crate::transaction::Session;
use crate::trouble;

pub(crate) async fn open(session: Session<'_>) -> Result<Image> {
    session.run.image(|facts| facts.source = disk_image::redact(&session.job.image));
    let (source, options) = (&session.job.image, options(session)?);
    let image = match source.starts_with(registry::SCHEME) {
        true => Image::open_given(registry::find(session, source).await?, options).await,
        false => Image::open(source, options).await,
    }
    .map_err(trouble::image)?;
    session.run.image(|facts| {
        facts.source = image.label().to_owned();
        facts.format = Some(image.format().to_string());
        facts.source_length = image.source_length();
        facts.decoded_length = image.decoded_length();
        facts.block_map = image.block_map();
        facts.cached = image.is_cached();
    });
    if session.job.check_first {
        check(session, &image).await?;
    }
    Ok(image)
}

/// Decodes everything once, so that a broken image is found before the board is touched.
async fn check(session: Session<'_>, image: &Image) -> Result<()> {
    let mut decoding = image.decode();
    let mut done = 0;
    while let Some(piece) = decoding.next().await.map_err(trouble::image)? {
        done += piece.length();
        session.run.report(Event::Advanced { step: Step::Image, done, total: image.decoded_length() });
    }
    if let Some(summary) = decoding.summary() {
        record(session, summary);
    }
    Ok(())
}

/// Notes what is known of an image that was decoded to its end.
pub(crate) fn record(session: Session<'_>, summary: &Summary) {
    session.run.image(|facts| {
        facts.format = Some(format(summary));
        facts.source_length = Some(summary.source_length);
        facts.source_sha256 = Some(summary.source_sha256.to_string());
        facts.decoded_length = Some(summary.decoded_length);
        facts.decoded_sha256 = Some(summary.decoded_sha256.to_string());
        facts.checked = summary.checked.map(|checked| which(checked).to_owned());
        facts.cached = summary.cached == Cached::Hit;
    });
    if let Cached::Failed(reason) = &summary.cached {
        session.run.warn(format!("the decoded image is not kept for the next board: {reason}"));
    }
}

/// How the image is wrapped, the innermost first: `simg in xz`.
fn format(summary: &Summary) -> String {
    let formats: Vec<String> = summary.formats.iter().rev().map(ToString::to_string).collect();
    if formats.is_empty() { disk_image::Format::Raw.to_string() } else { formats.join(" in ") }
}

fn which(checked: Checked) -> &'static str {
    match checked {
        Checked::Source => "source",
        Checked::Decoded => "decoded",
    }
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
        sha256,
        checksums: job.source.checksums.clone(),
        block_map: match job.source.block_map.clone() {
            BlockMapChoice::Beside => disk_image::BlockMapChoice::Beside,
            BlockMapChoice::Off => disk_image::BlockMapChoice::Off,
            BlockMapChoice::At(place) => disk_image::BlockMapChoice::At(place),
        },
        cache: job.source.cache.clone().map(|CacheChoice { folder, limit }| Cache { folder, limit }),
        ..SourceOptions::default()
    })
}
