//! Sources on this machine: files that are missing, no files at all, or change while in use.

use std::fs;

use pretty_assertions::assert_eq;

use super::*;
use crate::{BLOCK, Blame, DigestSubject};

#[tokio::test]
async fn the_name_of_a_file_says_nothing_about_its_format() {
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in
        [("disk.img.xz", Format::Gzip), ("disk.raw", Format::Zstd), ("disk.gz", Format::Raw)]
    {
        let path = folder.path().join(name);
        fs::write(&path, encode(format, b"image")).unwrap();
        for source in [path_of(&path).to_owned(), format!("file://{}", path_of(&path))] {
            let decoded = decode(&source, SourceOptions::default()).await.unwrap();
            assert_eq!((decoded.format, &decoded.bytes()[..]), (format, &b"image"[..]), "{source}");
        }
    }
}

#[tokio::test]
async fn what_is_no_file_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| path_of(&folder.path().join(name)).to_owned();
    fs::write(at("empty"), "").unwrap();
    fs::write(at("closed"), "image").unwrap();
    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for (source, fault, message) in [
        (at("none"), Blame::SOURCE, "does not exist"),
        (at("empty"), Blame::SOURCE, "is empty (0 bytes)"),
        (at("closed/x"), Blame::SOURCE, "cannot be opened: Not a directory (os error 20)"),
        (at("pipe"), Blame::CONFIG, "is a pipe, expected a file, a block device or a URL"),
        (at("socket"), Blame::CONFIG, "is a socket, expected a file, a block device or a URL"),
        (at("."), Blame::CONFIG, "is a directory, expected a file, a block device or a URL"),
        (
            "/dev/null".into(),
            Blame::CONFIG,
            "is a character device, expected a file, a block device or a URL",
        ),
        (
            "ftp://host/x".into(),
            Blame::CONFIG,
            "is not a source that can be opened: scheme `ftp` is unknown; expected a path, -, file://, http://, https:// or s3://",
        ),
        (
            "http://".into(),
            Blame::CONFIG,
            "is not a source that can be opened: empty host; expected a path, -, file://, http://, https:// or s3://",
        ),
        (
            "file://elsewhere/x".into(),
            Blame::CONFIG,
            "is not a source that can be opened: the URL names no file of this machine; expected a path, -, file://, http://, https:// or s3://",
        ),
    ] {
        let error = within(Image::open(&source, SourceOptions::default())).await.expect_err(&source);
        assert_eq!(error.to_string(), format!("image `{source}` {message}"));
        assert_eq!(blame_of(&error), fault, "{source}");
    }
}

#[tokio::test]
async fn a_demanded_digest_may_be_that_of_the_source_or_of_the_image() {
    let (image, stored) = (b"image", encode(Format::Gzip, b"image"));
    let (file, raw) = (file_of(&stored), file_of(image));
    let checked = async |file: &tempfile::NamedTempFile, sha256| {
        decode(path_of(file.path()), options_with(sha256)).await.map(|decoded| decoded.summary.checked)
    };
    assert_eq!(checked(&file, Digest::of(&stored)).await.unwrap(), Some(DigestSubject::Source));
    assert_eq!(checked(&file, Digest::of(image)).await.unwrap(), Some(DigestSubject::Decoded));
    assert_eq!(checked(&raw, Digest::of(image)).await.unwrap(), Some(DigestSubject::Source));
    assert_eq!(decode_bytes(image).await.unwrap().summary.checked, None);

    let error = checked(&file, Digest::of(b"other")).await.unwrap_err();
    assert_eq!(blame_of(&error), Blame::SOURCE);
    let Error::DigestDiffers { expected, source_sha256, decoded_sha256, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(
        [expected, source_sha256, *decoded_sha256],
        [Digest::of(b"other"), Digest::of(&stored), Digest::of(image)]
    );
}

#[tokio::test]
async fn an_image_can_be_decoded_again_while_it_is_the_same() {
    let file = file_of(&encode(Format::Zstd, b"image"));
    let image = Image::open(path_of(file.path()), SourceOptions::default()).await.unwrap();
    let first = drain(&image).await.unwrap().summary;
    assert_eq!(drain(&image.clone()).await.unwrap().summary, first);
    fs::write(file.path(), encode(Format::Zstd, b"imago")).unwrap();
    let error = drain(&image).await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
}

#[tokio::test]
async fn a_file_that_shrinks_or_grows_after_opening_is_an_error() {
    let file = file_of(&noise(100_000));
    let image = Image::open(path_of(file.path()), SourceOptions::default()).await.unwrap();
    fs::write(file.path(), noise(99_999)).unwrap();
    let error = drain(&image).await.unwrap_err();
    assert!(matches!(error, Error::Short { offset: 99_999, expected: 100_000, .. }), "{error}");
    fs::write(file.path(), noise(100_001)).unwrap();
    let error = drain(&image).await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
}

#[tokio::test]
async fn after_an_error_there_is_no_end() {
    let mut stored = encode(Format::Gzip, &noise(300_000));
    stored.truncate(200_000);
    let file = file_of(&stored);
    let mut decoding = Image::open(path_of(file.path()), SourceOptions::default()).await.unwrap().decode();
    assert!(decoding.next().await.unwrap().is_some(), "what is there is given");
    let error = loop {
        match decoding.next().await {
            Ok(extent) => assert!(extent.is_some(), "no end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Truncated { offset: 200_000, .. }), "{error}");
    assert!(matches!(decoding.next().await, Err(Error::Ended { .. })));
    assert!(decoding.summary().is_none());
}

#[tokio::test]
async fn a_dropped_decoding_closes_its_file_even_within_zeros() {
    for stored in [noise(30 << 20), through(&["gzip", "-c"], &vec![0; 200 << 20]).unwrap_or_default()] {
        let file = file_of(&stored);
        let image = Image::open(path_of(file.path()), SourceOptions::default()).await.unwrap();
        let mut decoding = image.decode();
        assert_eq!(decoding.next().await.unwrap().unwrap().length(), BLOCK);
        assert!(is_open(file.path()), "while decoding");
        drop(decoding);
        within(async {
            while is_open(file.path()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

/// Whether this process reads `path` besides the one handle that wrote it.
fn is_open(path: &Path) -> bool {
    let handles = fs::read_dir("/proc/self/fd").unwrap().flatten();
    handles.filter(|handle| fs::read_link(handle.path()).is_ok_and(|target| target == path)).count() > 1
}
