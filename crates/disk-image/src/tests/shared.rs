//! When a copy in the cache stands for a source and when not: tags, askers, descriptions, demanded digests.

use std::path::PathBuf;

use pretty_assertions::assert_eq;

use super::cache::Location;
use super::server::{Reply, Server};
use super::*;
use crate::Cached;

/// Whether the second of two requests gets the copy of the first. `head` is what the server says beside its length.
async fn is_shared(place: &Location, head: &str, first: SourceOptions, second: SourceOptions) -> bool {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: 5{head}");
    let server =
        Server::start(move |number, _| Reply::new(&head, if number < 2 { b"image" } else { b"other" })).await;
    let cache = place.options().cache;
    for (options, expected) in [(first, &b"image"[..]), (second, b"other")] {
        let options = SourceOptions { cache: cache.clone(), ..options };
        let decoded = decode(&server.url("/os"), options).await.unwrap();
        if decoded.summary.cached == Cached::Hit {
            return true;
        }
        assert_eq!(decoded.bytes(), expected);
    }
    false
}

#[tokio::test]
async fn cached_objects_need_a_strong_tag() {
    let asker = |value: &str| SourceOptions {
        headers: vec![("X-Board".into(), value.into())],
        ..SourceOptions::default()
    };
    let token = |value: &str| SourceOptions { bearer: Some(value.into()), ..SourceOptions::default() };
    let careless = SourceOptions { insecure: true, ..SourceOptions::default() };
    let tag = "\r\nETag: \"1\"";
    let date = "\r\nLast-Modified: Tue, 01 Jan 1980 00:00:00 GMT\r\nDate: Wed, 25 Nov 2026 09:00:00 GMT";
    for (name, head, first, second, shared) in [
        ("the same", tag.to_owned(), asker("a"), asker("a"), true),
        ("a clamped date", date.into(), asker("a"), asker("a"), false),
        ("a weak tag", "\r\nETag: W/\"1\"".into(), asker("a"), asker("a"), false),
        ("a date and a weak tag", format!("{date}\r\nETag: W/\"1\""), asker("a"), asker("a"), false),
        ("another header", format!("{tag}\r\nVary: X-Board"), asker("a"), asker("b"), false),
        ("another token", tag.into(), token("a"), token("b"), false),
        ("a token and none", tag.into(), token("a"), SourceOptions::default(), false),
        ("any certificate", tag.into(), careless, SourceOptions::default(), false),
        ("varies by more", format!("{tag}\r\nVary: *"), asker("a"), asker("a"), false),
        ("not to be stored", format!("{tag}\r\nCache-Control: no-store"), asker("a"), asker("a"), false),
        ("for one reader", format!("{tag}\r\nCache-Control: private"), asker("a"), asker("a"), false),
    ] {
        assert_eq!(is_shared(&Location::new(), &head, first, second).await, shared, "{name}");
    }
}

#[tokio::test]
async fn a_demanded_digest_is_enough_where_the_server_tells_nothing() {
    let place = Location::new();
    let server = Server::start(|_, _| Reply::ok(&encode(Format::Gzip, b"image"))).await;
    let options = SourceOptions { sha256: Some(Digest::of(b"image")), ..place.options() };
    for expected in [Cached::Kept, Cached::Hit] {
        let decoded = decode(&server.url("/os"), options.clone()).await.unwrap();
        assert_eq!((decoded.bytes(), decoded.summary.cached), (b"image".to_vec(), expected));
    }
    let private = Server::start(|_, _| {
        Reply::new("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nCache-Control: no-store", b"other")
    })
    .await;
    let options = SourceOptions { sha256: Some(Digest::of(b"other")), ..place.options() };
    let decoded = decode(&private.url("/os"), options).await.unwrap();
    assert_eq!(decoded.summary.cached, Cached::No);
}

/// The descriptions in the cache.
fn descriptions(place: &Location) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place.cache()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect()
}

#[tokio::test]
async fn a_description_that_was_changed_or_moved_is_none() {
    let place = Location::new();
    let (one, two) = (encode(Format::Gzip, b"image"), encode(Format::Gzip, b"other"));
    let (file, other) = (place.file("one", &one).await, place.file("two", &two).await);
    decode(&file, place.options()).await.unwrap();
    let [own] = &descriptions(&place)[..] else { panic!("one description") };
    let own = own.clone();
    decode(&other, place.options()).await.unwrap();
    let text = std::fs::read_to_string(&own).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let fields: Vec<String> = value["copy"].as_object().unwrap().keys().cloned().collect();
    assert!(fields.iter().any(|field| field == "dont_care"), "{fields:?}");
    let mut altered: Vec<(String, serde_json::Value)> = Vec::new();
    for field in fields {
        let mut copy = value.clone();
        copy["copy"][&field] = match field.as_str() {
            "decoded_sha256" | "source_sha256" | "block_map" => Digest::of(b"other").to_string().into(),
            "dont_care" => serde_json::json!([[0, 65536]]),
            "formats" => serde_json::json!([]),
            _ => 5.into(),
        };
        altered.push((field, copy));
    }
    let moved = descriptions(&place).into_iter().find(|path| *path != own).unwrap();
    let moved = std::fs::read_to_string(moved).unwrap();
    altered.push(("moved".into(), serde_json::from_str(&moved).unwrap()));
    for (name, copy) in altered {
        if copy == value {
            continue; // the length is 5 already
        }
        std::fs::write(&own, copy.to_string()).unwrap();
        let decoded = decode(&file, place.options()).await.unwrap();
        assert_eq!((decoded.bytes(), decoded.summary.cached), (b"image".to_vec(), Cached::Kept), "{name}");
    }
    assert_eq!(decode(&file, place.options()).await.unwrap().summary.cached, Cached::Hit);
}

#[tokio::test]
async fn a_demanded_digest_is_checked_at_open() {
    let place = Location::new();
    let stored = encode(Format::Gzip, b"image");
    let file = place.file("os", &stored).await;
    decode(&file, place.options()).await.unwrap();
    let raw = place.file("raw", b"other").await;
    let packed = place.file("packed", &encode(Format::Gzip, b"other")).await;
    let copied = place.file("copied", &stored).await;
    for (name, cache) in [("with a cache", place.options()), ("without", SourceOptions::default())] {
        for sha256 in [Digest::of(&stored), Digest::of(b"image")] {
            let options = SourceOptions { sha256: Some(sha256), ..cache.clone() };
            for same in [&file, &copied] {
                assert_eq!(decode(same, options.clone()).await.unwrap().bytes(), b"image", "{name}");
            }
            // Another file is not answered with what the cache has of that digest.
            let error = Image::open(&raw, options.clone()).await.unwrap_err();
            assert!(matches!(error, Error::DigestDiffers { .. }), "{name}: {error}");
            let opened = Image::open(&packed, options).await.unwrap();
            assert!(opened.has_open_question(), "{name}: only decoding it tells");
            let error = drain(&opened).await.unwrap_err();
            assert!(matches!(error, Error::DigestDiffers { .. }), "{name}: {error}");
        }
    }
}
