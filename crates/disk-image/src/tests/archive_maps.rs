//! Block maps beside the image in its archive: found, reported, demanded signed, and refused when they are another image's.

use pretty_assertions::assert_eq;

use super::bmap::{Keys, has, map, sparse};
use super::cache::Location;
use super::*;
use crate::{BlockMapChoice, Cached};

/// A folder with an image `os.img`, whose block map says that 8 MiB of it do not matter.
fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("os.img"), sparse().0).unwrap();
    std::fs::write(folder.path().join("os.bmap"), text).unwrap();
    folder
}

fn sound() -> String {
    let (image, ranges) = sparse();
    map("2.0", &image, &ranges)
}

/// The archive that `command` makes in the folder as `out`; none where a tool is missing.
fn packed(folder: &tempfile::TempDir, command: &str) -> Option<String> {
    let out = folder.path().join("out");
    let _ = std::fs::remove_file(&out); // of the command before
    let mut shell = Command::new("sh");
    let made = shell.args(["-ec", command]).current_dir(folder.path()).output().unwrap();
    if !made.status.success() {
        println!("skipped: `{command}`: {}", String::from_utf8_lossy(&made.stderr));
        return None;
    }
    Some(path_of(&out).to_owned())
}

const ARCHIVES: [&str; 5] = [
    "tar -cf out os.img os.bmap",
    "tar -czf out ./os.bmap ./os.img",
    "mkdir -p d; cp os.img os.bmap d; tar -cf out d",
    "zip -q -r out.zip os.bmap os.img; mv out.zip out",
    "gzip -k -f os.img; zip -q -0 - os.img.gz os.bmap > out; rm os.img.gz",
];

#[tokio::test]
async fn the_map_in_an_archive_is_used_once_it_was_read() {
    let (folder, place) = (folder(&sound()), Location::new());
    let skipped = 8 << 20;
    for command in ARCHIVES {
        let Some(file) = packed(&folder, command) else { continue };
        for cache in [SourceOptions::default(), place.options()] {
            let opened = Image::open(&file, cache.clone()).await.unwrap();
            assert!(opened.has_open_question() || opened.is_cached(), "{command}");
            let first = drain(&opened).await.unwrap();
            let described = opened.block_map().unwrap();
            assert!(described.contains("os.bmap in ") && described.contains("2 of 2 ranges"), "{described}");
            let second = drain(&opened).await.unwrap();
            assert_eq!(second.summary.unmapped_length, skipped, "{command}");
            assert_eq!(second.summary.decoded_sha256, first.summary.decoded_sha256, "{command}");
            assert_eq!(opened.decoded_length(), Some(sparse().0.len() as u64), "{command}");
            // Without a block map, also out of the same cache.
            let off = SourceOptions { block_map: BlockMapChoice::Off, ..cache };
            let opened = Image::open(&file, off).await.unwrap();
            for _ in 0..2 {
                let summary = drain(&opened).await.unwrap().summary;
                assert_eq!((summary.unmapped_length, opened.block_map()), (0, None), "{command}");
            }
        }
    }
}

#[tokio::test]
async fn a_kept_copy_knows_the_map_of_its_archive() {
    let (folder, place) = (folder(&sound()), Location::new());
    let file = packed(&folder, ARCHIVES[0]).unwrap();
    let file = place.file("os.tar", &std::fs::read(file).unwrap()).await;
    let kept = decode(&file, place.options()).await.unwrap();
    assert_eq!(kept.summary.cached, Cached::Kept);
    let opened = Image::open(&file, place.options()).await.unwrap();
    assert!(opened.is_cached() && opened.block_map().is_some(), "{:?}", opened.block_map());
    let summary = drain(&opened).await.unwrap().summary;
    assert_eq!((summary.cached, summary.unmapped_length), (Cached::Hit, 8 << 20));
}

#[tokio::test]
async fn a_wrong_map_in_an_archive_is_refused() {
    let (image, ranges) = sparse();
    let mut other = image.clone();
    other[9 << 20] ^= 1;
    let shorter = &image[..image.len() - 1];
    let place = Location::new();
    for (text, expected) in [
        ("<?xml version=\"1.0\"?><bmap/>".to_owned(), "its version is ``"),
        (map("2.0", shorter, &ranges), "it is for 10485859 bytes, the image has 10485860"),
        (map("2.0", &other, &ranges), "the checksum of bytes 9437184 to 10485859 differs"),
    ] {
        let folder = folder(&text);
        for command in ARCHIVES {
            let Some(file) = packed(&folder, command) else { continue };
            for options in [SourceOptions::default(), place.options()] {
                let opened = Image::open(&file, options).await.unwrap();
                let error = match drain(&opened).await {
                    Ok(_) => drain(&opened).await.err().unwrap(),
                    Err(error) => error,
                };
                let text = error.to_string();
                assert!(text.contains("os.bmap in ") && text.contains(expected), "{command}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn a_map_in_an_archive_is_signed_there() {
    if !has("gpg") || !has("gpgv") {
        return println!("skipped: gpg or gpgv is not installed");
    }
    let folder = folder(&sound());
    let [ours, others] = ["ours", "others"].map(|name| Keys::new(&folder.path().join(name)));
    let first = |file: String, keyring: &Path| {
        let options = SourceOptions { map_keyring: Some(keyring.to_owned()), ..SourceOptions::default() };
        async move {
            let opened = Image::open(&file, options).await?;
            drain(&opened).await.map(|_| opened.block_map())
        }
    };
    let file = packed(&folder, "tar -cf out os.img os.bmap").unwrap();
    let error = first(file, &ours.ring).await.unwrap_err();
    assert!(matches!(error, Error::MapUnsigned { .. }), "{error}");
    let file = packed(&folder, "tar -cf out os.img").unwrap();
    let error = first(file, &ours.ring).await.unwrap_err();
    assert!(matches!(error, Error::MapAbsent { .. }), "{error}");
    for (armour, name) in [("--armor", "os.bmap.asc"), ("--no-armor", "os.bmap.sig")] {
        let signature = folder.path().join(name);
        ours.sign(armour, &folder.path().join("os.bmap"), &signature);
        let file = packed(&folder, &format!("tar -cf out {name} os.img os.bmap")).unwrap();
        assert!(first(file.clone(), &ours.ring).await.unwrap().is_some(), "{name}");
        let error = first(file, &others.ring).await.unwrap_err();
        assert!(matches!(error, Error::MapSignature { .. }), "{error}");
        std::fs::remove_file(signature).unwrap();
    }
}

#[tokio::test]
async fn a_member_that_is_too_long_for_a_map_is_refused() {
    let folder = folder(&sound());
    for command in [
        "truncate -s 33M os.bmap; tar -cf out os.img os.bmap",
        "truncate -s 33M os.bmap; zip -q - os.bmap os.img > out",
    ] {
        let Some(file) = packed(&folder, command) else { continue };
        let error = match Image::open(&file, SourceOptions::default()).await {
            Ok(opened) => drain(&opened).await.err().unwrap(),
            Err(error) => error,
        };
        assert!(matches!(error, Error::TooLong { .. }), "{command}: {error}");
    }
}
