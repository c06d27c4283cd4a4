//! The decoding thread: reads, decodes, cuts into extents, has everything hashed, and proves the end.

use std::sync::Arc;

use crate::cache::{CacheHit, Meta, Proven};
use crate::decode::layer::StoredFacts;
use crate::decode::stack::{LayerStack, unwrap_layers};
use crate::decode::stored::{BaseLayer, Source};
use crate::pipeline::backlog::Producer;
use crate::pipeline::checks::{accept, check_format, check_length};
use crate::pipeline::decoding::Tasks;
use crate::pipeline::image_state::ImageState;
use crate::pipeline::sink::{DecodedSink, Stopped, machine};
use crate::source::body::Body;
use crate::source::file::FileSource;
use crate::source::http::start_transfer;
use crate::source::origin::Origin;
use crate::{Cached, Digest, Error, Format, Summary};

/// Begins a decoding on a thread of its own, and a transfer where the source is far away.
pub(crate) fn begin(image: Arc<ImageState>, events: Producer, tasks: &Tasks) {
    let is_far = image.copy().is_none() && image.assembled().is_none();
    let transfer = match &image.origin {
        Origin::Http(http, validator) if is_far => {
            Some(start_transfer(&image.runtime, http.clone(), image.source_length, validator.clone()))
        }
        Origin::External(external) if is_far => Some(external.body(&image.runtime)),
        _ => None,
    };
    let (body, transfer) = transfer.unzip();
    transfer.into_iter().for_each(|transfer| tasks.add(transfer));
    let runtime = image.runtime.clone();
    runtime.spawn_blocking(move || run(&image, body, &events));
}

/// The same once it is known whether another job has made a copy meanwhile.
pub(crate) async fn begin_where_no_copy_is(image: Arc<ImageState>, events: Producer, tasks: &Tasks) {
    let looking = Arc::clone(&image);
    // Without an answer the source is decoded.
    let _ = image.runtime.spawn_blocking(move || looking.look_for_copy()).await;
    if image.copy().is_some() {
        // It is read as slowly as its job takes it, and no other job needs to wait for that.
        events.end_turn();
    }
    begin(image, events, tasks);
}

/// Decodes `image`, whose stored bytes come as `body` if they come from far away, and sends extents, then the summary or an error.
fn run(image: &ImageState, body: Option<Body>, events: &Producer) {
    let last = match input(image, body).map_err(Stopped::from).and_then(|input| decode(image, input, events))
    {
        Ok(summary) => Ok(summary),
        Err(Stopped::Failed(error)) => Err(error),
        Err(Stopped::Dropped) => return,
    };
    events.finish(last);
}

/// What is read.
enum Input {
    /// The source, which is to be decoded.
    Original(Source),
    /// A copy in the cache, which is decoded already.
    Copy(FileSource, CacheHit),
}

fn input(image: &ImageState, body: Option<Body>) -> Result<Input, Error> {
    if let (Some(hit), None) = (image.copy(), &body) {
        return Ok(Input::Copy(FileSource::of(&image.label, hit.file.clone())?, hit.clone()));
    }
    if let (Some(file), None) = (image.assembled(), &body) {
        return Ok(Input::Original(Source::File(FileSource::of(&image.label, file)?)));
    }
    let source = match (&image.origin, body) {
        (Origin::File(path), _) => Source::File(FileSource::open(&image.label, path, image.source_length)?),
        (Origin::Spool(file), _) => Source::File(FileSource::of(&image.label, file.clone())?),
        (Origin::Http(..) | Origin::External(_), Some(body)) => Source::Body(body),
        (Origin::Http(..) | Origin::External(_), None) | (Origin::Copy, _) => {
            return Err(Error::Ended { label: image.label.clone() });
        }
    };
    Ok(Input::Original(source))
}

fn decode(image: &ImageState, input: Input, events: &Producer) -> Result<Summary, Stopped> {
    match input {
        Input::Copy(file, hit) => copy(image, file, &hit, events),
        Input::Original(source) => original(image, source, events),
    }
}

/// Decodes the source, and keeps a copy of it if there is a place for one.
fn original(image: &ImageState, source: Source, events: &Producer) -> Result<Summary, Stopped> {
    let bottom = match image.format {
        Format::Raw => BaseLayer::new(source), // its digest is that of the image
        _ => BaseLayer::hashed(source).map_err(|e| machine(image, e.to_string()))?,
    };
    let LayerStack { mut top, formats, maps, .. } = unwrap_layers(&image.label, Box::new(bottom))?;
    check_format(image, formats.first())?;
    let mut sink = DecodedSink::new(image, events, true)?;
    let block_map = image.block_map();
    let unmapped = |offset| block_map.map_or(0, |found| found.map.unmapped(offset));
    sink.take_all(top.as_mut(), unmapped)?;
    let (made, cache_writer) = sink.finish()?;
    let StoredFacts { sha256, length: source_length } = top.stored();
    let source_sha256 = match image.format {
        Format::Raw => made.decoded_sha256,
        _ => sha256.ok_or_else(|| machine(image, "a digest thread died".into()))?,
    };
    let mut summary = Summary { formats, source_sha256, source_length, ..made };
    check_length(image, source_length, summary.decoded_length)?;
    if let Some(found) = block_map {
        found.check_length(&image.label, summary.decoded_length)?;
    }
    accept(image, &mut summary)?;
    let archive_map = maps.beside_image();
    image.use_archive_map(archive_map.as_ref(), summary.decoded_length)?;
    let proven = Proven { label: &image.label, summary: &summary, left_alone: image.left_alone() };
    // What its map leaves out may be another in the source: only a demanded digest tells that it is the source.
    let is_source = image.assembled().is_none() || summary.checked.is_some();
    let kept =
        cache_writer.filter(|_| is_source).map(|cache_writer| cache_writer.finish(proven, archive_map));
    if let Some((cached, hit)) = kept {
        summary.cached = cached;
        if let Some(hit) = hit {
            image.hit.get_or_init(|| hit);
        }
    }
    Ok(summary)
}

/// Reads an image that is decoded already. Its digest proves that it is the one that was kept.
fn copy(image: &ImageState, file: FileSource, hit: &CacheHit, events: &Producer) -> Result<Summary, Stopped> {
    let mut sink = DecodedSink::new(image, events, false)?;
    let mut bottom = BaseLayer::new(Source::File(file));
    sink.take_all(&mut bottom, |offset| unmapped(image, &hit.meta, offset))?;
    let (made, _) = sink.finish()?;
    if made.decoded_sha256 != hit.meta.decoded_sha256 {
        return Err(damaged(image, hit, made.decoded_sha256).into());
    }
    let Meta { source_sha256, source_length, formats, .. } = hit.meta.as_ref().clone();
    let mut summary = Summary { formats, source_sha256, source_length, cached: Cached::Hit, ..made };
    accept(image, &mut summary)?;
    Ok(summary)
}

/// What need not be written: the block map is there to say it; only sparse images say it themselves, when they are decoded.
fn unmapped(image: &ImageState, meta: &Meta, offset: u64) -> u16 {
    let mapped = image.block_map().map_or(0, |found| found.map.unmapped(offset));
    let is_sparse = meta.formats.last() == Some(&Format::Simg);
    mapped | if is_sparse { meta.unmapped.unmapped(offset) } else { 0 }
}

/// A damaged copy must not be found again.
fn damaged(image: &ImageState, hit: &CacheHit, found: Digest) -> Error {
    let removed = std::fs::remove_file(&hit.path);
    let what = removed.map_or_else(|e| format!("cannot be removed: {e}"), |()| format!("sha256 {found}"));
    Error::Copy { label: image.label.clone(), copy: hit.path.clone(), what }
}
