//! Sources that the caller opens, as a registry's files are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use pretty_assertions::assert_eq;

use super::bmap::map;
use super::*;
use crate::{Blame, BlockMapChoice, Cache, Cached, ExternalError, ExternalSource, ExternalStream};

/// Says of itself that it is `named`, and gives `stored` in pieces, then the error, if there is one.
fn external(named: &[u8], stored: &[u8], error: Option<ExternalError>) -> (ExternalSource, Arc<AtomicU32>) {
    let opened = Arc::new(AtomicU32::new(0));
    let (stored, count) = (stored.to_vec(), opened.clone());
    let open = move || {
        count.fetch_add(1, Ordering::Relaxed);
        let extents: Vec<Result<Bytes, ExternalError>> =
            stored.chunks(1000).map(|extent| Ok(Bytes::copy_from_slice(extent))).collect();
        let stream: ExternalStream =
            Box::pin(futures_util::stream::iter(extents.into_iter().chain(error.clone().map(Err))));
        Box::pin(async move { Ok(stream) }) as crate::ExternalFuture
    };
    let (label, length, sha256) = ("oci://host/os:1".to_owned(), named.len() as u64, Digest::of(named));
    (ExternalSource { label, length, sha256, open: Arc::new(open) }, opened)
}

async fn decode_external(external: ExternalSource, options: SourceOptions) -> Result<Decoded, Error> {
    drain(&Image::open_external(external, options).await?).await
}

#[tokio::test]
async fn a_given_source_is_decoded_and_kept_under_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    let disk = disk();
    let stored = encode(Format::Xz, &disk);
    let options = || SourceOptions {
        cache: Some(Cache { folder: folder.path().join("c"), limit: 1 << 30 }),
        ..SourceOptions::default()
    };
    for cached in [Cached::Kept, Cached::Hit] {
        let (source, opened) = external(&stored, &stored, None);
        let decoded = decode_external(source, options()).await.unwrap();
        assert!(decoded.bytes() == disk);
        assert_eq!(decoded.summary.source_sha256, Digest::of(&stored));
        let times = if cached == Cached::Hit { 0 } else { 2 };
        assert_eq!((decoded.summary.cached, opened.load(Ordering::Relaxed)), (cached, times));
    }
}

#[tokio::test]
async fn a_given_source_that_breaks_or_lies_is_told() {
    let stored = encode(Format::Gzip, &noise(10_000));
    let failed = ExternalError { message: "registry is gone".into(), blame: Blame::PASSING };
    for (named, stored, error, message) in [
        (
            &stored[..],
            &stored[..5000],
            Some(failed),
            "image `oci://host/os:1` cannot be read: registry is gone".to_owned(),
        ),
        (
            &stored[..],
            &stored[..5000],
            None,
            format!(
                "transfer of image `oci://host/os:1` was cut at byte 5000 of {}: the body ended early",
                stored.len()
            ),
        ),
        (
            &noise(stored.len())[..],
            &stored[..],
            None,
            format!(
                "image `oci://host/os:1` is not what its name says: expected sha256 {}, it has {}",
                Digest::of(noise(stored.len())),
                Digest::of(&stored)
            ),
        ),
    ] {
        let (source, _) = external(named, stored, error);
        let error = decode_external(source, SourceOptions::default()).await.expect_err("broken");
        assert_eq!(error.to_string(), message);
    }
}

#[tokio::test]
async fn a_map_of_another_length_is_refused_at_open() {
    let stored = noise(20_000);
    for (length, is_its_own) in [(20_000, true), (10_000, false), (30_000, false)] {
        let file = file_of(map("2.0", &noise(length), &[(0, 0)]).as_bytes());
        let block_map = BlockMapChoice::At(path_of(file.path()).into());
        let options = SourceOptions { block_map, ..SourceOptions::default() };
        match Image::open_external(external(&stored, &stored, None).0, options).await {
            Ok(_) => assert!(is_its_own, "{length}"),
            Err(Error::MapLength { expected, found, .. }) => {
                assert_eq!((expected, found, is_its_own), (length as u64, 20_000, false))
            }
            Err(other) => panic!("{length}: {other}"),
        }
    }
}
