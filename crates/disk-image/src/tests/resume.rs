//! Transfers that break: taken up again when it is proven to be the same object, begun again when not, given up in time.

use pretty_assertions::assert_eq;

use super::server::{Reply, Server};
use super::*;
use crate::{Blame, BlockMapChoice};

/// How a server tells versions of its object apart.
#[derive(Clone, Copy)]
enum VersionEvidence {
    Tag(&'static str),
    /// However old: what is built reproducibly has the same one in every version.
    Date,
    Nothing,
}

impl VersionEvidence {
    fn lines(self) -> String {
        match self {
            VersionEvidence::Tag(tag) => format!("\r\nETag: {tag}"),
            VersionEvidence::Date => {
                "\r\nLast-Modified: Tue, 01 Jan 1980 00:00:00 GMT\r\nDate: Wed, 25 Nov 2026 08:00:01 GMT"
                    .into()
            }
            VersionEvidence::Nothing => String::new(),
        }
    }
}

fn whole(tells: VersionEvidence, body: &[u8], sent: usize) -> Reply {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}{}", body.len(), tells.lines());
    Reply::new(&head, &body[..sent])
}

fn part(tells: VersionEvidence, body: &[u8], from: usize) -> Reply {
    let (last, length) = (body.len() - 1, body.len());
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{last}/{length}\r\nContent-Length: {}{}",
        length - from,
        tells.lines()
    );
    Reply::new(&head, &body[from..])
}

/// The value of a header in a request.
fn header(request: &str, name: &str) -> Option<String> {
    let line = request
        .lines()
        .find_map(|line| line.split_once(": ").filter(|(of, _)| of.eq_ignore_ascii_case(name)));
    line.map(|(_, value)| value.to_owned())
}

const CUT: usize = 1_500_000;

#[tokio::test]
async fn a_cut_transfer_resumes() {
    let body = noise(2_000_000);
    let (tells, stored) = (VersionEvidence::Tag("\"v1\""), body.clone());
    let server = Server::start(move |_, head| match header(head, "range") {
        None => whole(tells, &stored, CUT),
        Some(_) => part(tells, &stored, CUT),
    })
    .await;
    let decoded = decode(&server.url("/x"), SourceOptions::default()).await.unwrap();
    assert!(decoded.bytes() == body);
    let requests = server.requests();
    assert_eq!(requests.len(), 3, "to open, to decode, to go on");
    assert_eq!(header(&requests[2], "range"), Some(format!("bytes={CUT}-")));
    assert_eq!(header(&requests[2], "if-range").as_deref(), Some("\"v1\""));
}

#[tokio::test]
async fn without_ranges_the_transfer_starts_over() {
    let body = noise(2_000_000);
    for (tells, asks_for_range) in [
        (VersionEvidence::Nothing, false),
        (VersionEvidence::Tag("W/\"weak\""), false),
        (VersionEvidence::Date, false),
        (VersionEvidence::Tag("\"v1\""), true), // a server that knows no ranges answers with the whole
    ] {
        let stored = body.clone();
        let server = Server::start(move |number, _| match number {
            0 | 1 => whole(tells, &stored, CUT),
            _ => whole(tells, &stored, stored.len()),
        })
        .await;
        let decoded = decode(&server.url("/x"), SourceOptions::default()).await.unwrap();
        assert!(decoded.bytes() == body);
        assert_eq!(decoded.summary.source_length, body.len() as u64);
        let last = server.requests().pop().unwrap();
        assert_eq!(header(&last, "range").is_some(), asks_for_range);
    }
}

#[tokio::test]
async fn a_replaced_object_is_never_mixed() {
    let (old, new) = (noise(2_000_000), vec![7; 2_000_000]);
    let v1 = VersionEvidence::Tag("\"v1\"");
    for (tells, now, message) in [
        (v1, VersionEvidence::Tag("\"v2\""), "it was \"v1\", now it is \"v2\""),
        (
            v1,
            VersionEvidence::Nothing,
            "it was read up to byte 1500000, now it is another in its first 1500000 bytes",
        ),
        (
            VersionEvidence::Date,
            VersionEvidence::Date,
            "it was read up to byte 1500000, now it is another in its first 1500000 bytes",
        ),
        (
            VersionEvidence::Nothing,
            VersionEvidence::Nothing,
            "it was read up to byte 1500000, now it is another in its first 1500000 bytes",
        ),
    ] {
        // Whether the server keeps to the rules and answers with the whole new object, or breaks them with a part of it.
        for obeys in [true, false] {
            let (old, new) = (old.clone(), new.clone());
            let server = Server::start(move |number, head| match number {
                0 | 1 => whole(tells, &old, CUT),
                _ if !obeys && header(head, "range").is_some() => part(now, &new, CUT),
                _ => whole(now, &new, new.len()),
            })
            .await;
            let url = server.url("/x");
            let error = decode(&url, SourceOptions::default()).await.expect_err("replaced");
            assert_eq!(error.to_string(), format!("image `{url}` changed while in use: {message}"));
            assert_eq!(blame_of(&error), Blame::SOURCE);
        }
    }
}

#[tokio::test]
async fn a_part_of_something_else_is_not_taken() {
    let body = noise(2_000_000);
    let v1 = VersionEvidence::Tag("\"v1\"");
    let stored = body.clone();
    let server = Server::start(move |_, head| match header(head, "range") {
        None => whole(v1, &stored, CUT),
        Some(_) => part(v1, &stored, CUT - 1), // one byte early
    })
    .await;
    let error = decode(&server.url("/x"), SourceOptions::default()).await.expect_err("cut for ever");
    assert!(matches!(error, Error::Cut { received: 1_500_000, .. }), "{error}");
    let requests = server.requests();
    assert!(requests.len() <= 10, "{} requests", requests.len());
}

#[tokio::test]
async fn a_part_that_states_no_place_is_named_as_that() {
    let body = noise(2_000_000);
    for place in ["bytes 11500000-1999999/2000000", "bytes 1500000-1999998/2000000", "nonsense"] {
        let stored = body.clone();
        let server = Server::start(move |_, head| match header(head, "range") {
            None => whole(VersionEvidence::Tag("\"v1\""), &stored, CUT),
            Some(_) => {
                let head = format!(
                    "HTTP/1.1 206 Partial Content\r\nContent-Range: {place}\r\nContent-Length: 500000"
                );
                Reply::new(&head, &stored[CUT..])
            }
        })
        .await;
        let error = decode(&server.url("/x"), SourceOptions::default()).await.expect_err(place);
        assert!(matches!(error, Error::NoParts { .. }), "{place}: {error}");
    }
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_again() {
    let body = noise(2_000_000);
    let v1 = VersionEvidence::Tag("\"v1\"");
    let stored = body.clone();
    let server = Server::start(move |number, _| match number {
        0 | 2 => Reply::status(503),
        1 => whole(v1, &stored, stored.len()),
        3 => whole(v1, &stored, CUT),
        4 => Reply::exact(""),
        5 => Reply::status(429),
        _ => part(v1, &stored, CUT),
    })
    .await;
    let decoded = decode(&server.url("/x"), SourceOptions::default()).await.unwrap();
    assert!(decoded.bytes() == body);
}

#[tokio::test]
async fn trouble_without_end_is_given_up() {
    for (status, requests) in [(503, 3), (404, 1), (403, 1)] {
        let server = Server::start(move |_, _| Reply::status(status)).await;
        let options = SourceOptions { retries: Some(2), ..SourceOptions::default() };
        Image::open(&server.url("/x"), options).await.expect_err("trouble");
        assert_eq!(server.requests().len(), requests, "{status}");
    }
}

#[tokio::test]
async fn a_server_that_drips_is_given_up() {
    let server = Server::start(|_, _| {
        Reply::new("HTTP/1.1 200 OK\r\nContent-Length: 100000", &noise(100_000)).dripping()
    })
    .await;
    let options = SourceOptions {
        stall: Some(Duration::from_millis(300)),
        retries: Some(0),
        ..SourceOptions::default()
    };
    let error = Image::open(&server.url("/x"), options).await.expect_err("slow");
    assert!(matches!(error, Error::Drips { .. }), "{error}");
    assert_eq!(blame_of(&error), Blame::PASSING);
}

#[tokio::test]
async fn a_presigned_url_may_end_in_anything() {
    let server = Server::start(|_, _| Reply::ok(&encode(Format::Xz, b"image"))).await;
    let url = server.url("/bucket/os?X-Amz-Signature=abc&name=os.gz");
    let decoded = decode(&url, SourceOptions::default()).await.unwrap();
    assert_eq!((decoded.format, decoded.bytes()), (Format::Xz, b"image".to_vec()));
}

#[tokio::test]
async fn companions_elsewhere_get_no_credentials() {
    let image = Server::start(|_, head| match head.contains("SHA256SUMS") {
        true => Reply::ok(
            format!("{}  os.img\n{}  other.img\n", Digest::of(b"image"), Digest::of(b"other")).as_bytes(),
        ),
        false => Reply::ok(b"image"),
    })
    .await;
    let elsewhere = Server::with_maps(|_, _| Reply::status(404)).await;
    let with = |checksums: Option<String>, block_map| SourceOptions {
        bearer: Some("hunter2".into()),
        checksums,
        block_map,
        ..SourceOptions::default()
    };
    let near = with(Some(image.url("/SHA256SUMS")), BlockMapChoice::Off);
    let decoded = decode(&image.url("/os.img?sig=1"), near).await.unwrap();
    assert_eq!(decoded.summary.checked, Some(crate::DigestSubject::Source));
    assert!(image.requests().iter().all(|request| request.contains("hunter2")));
    for options in [
        with(Some(elsewhere.url("/SHA256SUMS")), BlockMapChoice::Off),
        with(None, BlockMapChoice::At(elsewhere.url("/os.bmap"))),
    ] {
        let error = Image::open(&image.url("/os.img"), options).await.expect_err("no companion");
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
    }
    assert_eq!(elsewhere.requests().len(), 2);
    assert!(!elsewhere.requests().iter().any(|request| request.contains("hunter")));
}

#[tokio::test]
async fn checksums_of_another_image_are_a_difference() {
    let folder = tempfile::tempdir().unwrap();
    let (file, sums) = (folder.path().join("os.img"), folder.path().join("os.img.sha256"));
    std::fs::write(&file, b"image").unwrap();
    let absent = SourceOptions { checksums: Some("no/SHA256SUMS".into()), ..SourceOptions::default() };
    let error = Image::open(path_of(&file), absent).await.expect_err("no such list");
    assert!(error.to_string().contains("checksums `no/SHA256SUMS` cannot be used"), "{error}");
    for (text, fine) in [(Digest::of(b"image"), true), (Digest::of(b"other"), false)] {
        std::fs::write(&sums, text.to_string()).unwrap();
        let options = SourceOptions { checksums: Some(path_of(&sums).into()), ..SourceOptions::default() };
        let result = decode(path_of(&file), options).await;
        assert_eq!(result.is_ok(), fine, "{result:?}");
    }
}

#[tokio::test]
async fn standard_input_needs_a_proven_end() {
    let mut disk = vec![0; 1 << 20];
    disk[446 + 4] = 0x83;
    disk[446 + 8..446 + 16].copy_from_slice(&[64, 0, 0, 0, 0x40, 7, 0, 0]); // sectors 64 to 1920 of 2048
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    let (raw, packed) = (noise(700_000), encode(Format::Gzip, &noise(700_000)));
    let sha256 = |bytes: &[u8]| options_with(Digest::of(bytes));
    let length = |length: usize| SourceOptions { length: Some(length as u64), ..SourceOptions::default() };
    let nothing = SourceOptions::default;
    for (name, bytes, options, expected) in [
        ("raw", &raw[..], nothing(), Err("a cut would go unnoticed")),
        ("raw with its digest", &raw, sha256(&raw), Ok(())),
        ("raw with its length", &raw, length(raw.len()), Ok(())),
        ("raw cut short", &raw[1..], length(raw.len()), Err("has another length: expected 700000 bytes")),
        ("raw with another digest", &raw, sha256(b"x"), Err("has another digest")),
        ("a disk", &disk, nothing(), Ok(())),
        ("a disk cut behind its partition", &disk[..1920 * 512], nothing(), Ok(())),
        ("a disk cut", &disk[..1920 * 512 - 1], nothing(), Err("a cut would go unnoticed")),
        ("packed", &packed, nothing(), Ok(())), // its format tells its end
    ] {
        let file = crate::source::spool::spool("-", bytes, None).await.unwrap();
        let opened = crate::open::open_standard_input("-", file, &options).await;
        let told = opened.map(drop).map_err(|error| error.to_string());
        match expected {
            Ok(()) => assert_eq!(told, Ok(()), "{name}"),
            Err(part) => assert!(told.as_ref().is_err_and(|it| it.contains(part)), "{name}: {told:?}"),
        }
    }
}

#[tokio::test]
async fn a_demanded_length_is_that_of_the_source_or_of_the_image() {
    let packed = encode(Format::Gzip, b"image");
    let server = Server::start({
        let packed = packed.clone();
        move |_, _| Reply::new("HTTP/1.0 200 OK", &packed)
    })
    .await;
    let raw = Server::start(|_, _| Reply::new("HTTP/1.0 200 OK", b"image")).await;
    for (url, length, fits) in [
        (server.url("/x"), 5, true),
        (server.url("/x"), packed.len(), true),
        (server.url("/x"), 4, false),
        (raw.url("/x"), 5, true),
        (raw.url("/x"), 6, false),
    ] {
        let options = SourceOptions { length: Some(length as u64), ..SourceOptions::default() };
        let result = decode(&url, options).await;
        assert_eq!(result.is_ok(), fits, "{url} {length}: {result:?}");
    }
}

#[tokio::test]
async fn standard_input_is_kept_so_that_it_can_be_read_again() {
    let body = noise(700_000);
    let file = crate::source::spool::spool("-", &body[..], None).await.unwrap();
    for _ in 0..2 {
        let mut source = crate::source::file::FileSource::of("-", file.clone()).unwrap();
        let mut read = vec![0; body.len()];
        let mut filled = 0;
        while filled < read.len() {
            filled += source.read(&mut read[filled..]).unwrap();
        }
        assert!(read == body && source.read(&mut [0; 1]).unwrap() == 0);
    }
    let nowhere = std::path::Path::new("/nowhere/at/all");
    let error = crate::source::spool::spool("-", &body[..], Some(nowhere)).await.expect_err("no folder");
    assert!(error.to_string().starts_with("image `-` cannot be kept in `/nowhere/at/all`: "), "{error}");
}
