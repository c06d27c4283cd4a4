//! Sources behind a server: answers of every kind, cut, silent, moved and replaced.

use pretty_assertions::assert_eq;

use super::server::{Reply, Server};
use super::*;
use crate::Blame;

/// Opens and decodes what a server that always answers the same has.
async fn fetch(
    answer: impl Fn() -> Reply + Send + Sync + 'static,
    options: SourceOptions,
) -> Result<Decoded, Error> {
    let server = Server::start(move |_, _| answer()).await;
    decode(&server.url("/os.img"), options).await
}

fn patience(stall: Duration) -> SourceOptions {
    SourceOptions { stall: Some(stall), retries: Some(0), ..SourceOptions::default() }
}

#[tokio::test]
async fn an_image_comes_over_http_whatever_its_url_looks_like() {
    for format in [Format::Raw, Format::Gzip, Format::Xz, Format::Zstd, Format::Bzip2] {
        let disk = disk();
        let stored = encode(format, &disk);
        let body = stored.clone();
        let decoded = fetch(move || Reply::ok(&body), SourceOptions::default()).await.unwrap();
        assert_eq!(decoded.format, format);
        assert!(decoded.bytes() == disk);
        assert_eq!(decoded.summary.source_sha256, Digest::of(&stored));
    }
}

#[tokio::test]
async fn lengths_are_told_as_far_as_the_server_tells_them() {
    let server = Server::start(|_, head| match head.contains("/raw") {
        true => Reply::ok(b"image"),
        false => Reply::ok(&encode(Format::Xz, b"image")),
    })
    .await;
    let raw = Image::open(&server.url("/raw"), SourceOptions::default()).await.unwrap();
    assert_eq!((raw.source_length(), raw.decoded_length()), (Some(5), Some(5)));
    let xz = Image::open(&server.url("/xz"), SourceOptions::default()).await.unwrap();
    assert_eq!(
        (xz.source_length(), xz.decoded_length()),
        (Some(encode(Format::Xz, b"image").len() as u64), None)
    );
}

#[tokio::test]
async fn an_answer_that_is_no_image_is_told_apart() {
    for (status, fault, message) in [
        (404, Blame::SOURCE, "image `URL` is not on its server (status 404)"),
        (410, Blame::SOURCE, "image `URL` is not on its server (status 410)"),
        (
            401,
            Blame::SOURCE,
            "server of image `URL` refuses access (status 401); pass a bearer token or a header it accepts",
        ),
        (
            403,
            Blame::SOURCE,
            "server of image `URL` refuses access (status 403); pass a bearer token or a header it accepts",
        ),
        (
            204,
            Blame::SOURCE,
            "image `URL` cannot be fetched: its server answered with status 204, expected 200",
        ),
        (
            416,
            Blame::SOURCE,
            "image `URL` cannot be fetched: its server answered with status 416, expected 200",
        ),
        (
            429,
            Blame::PASSING,
            "image `URL` cannot be fetched: its server answered with status 429, expected 200",
        ),
        (
            503,
            Blame::PASSING,
            "image `URL` cannot be fetched: its server answered with status 503, expected 200",
        ),
        (
            304,
            Blame::SOURCE,
            "image `URL` cannot be fetched: its server redirects (status 304) to no http URL",
        ),
        (200, Blame::SOURCE, "image `URL` is empty (0 bytes)"),
    ] {
        let server = Server::start(move |_, _| Reply::status(status)).await;
        let url = server.url("/os.img");
        let options = SourceOptions { retries: Some(0), ..SourceOptions::default() };
        let error = Image::open(&url, options).await.expect_err("no image");
        assert_eq!(error.to_string(), message.replace("`URL`", &format!("`{url}`")));
        assert_eq!(blame_of(&error), fault, "{status}");
    }
}

#[tokio::test]
async fn a_web_page_instead_of_an_image_is_refused() {
    let page = b"<!DOCTYPE html><title>Log in</title>";
    fn called(kind: &str) -> Reply {
        Reply::new(&format!("HTTP/1.1 200 OK\r\nContent-Length: 3000\r\nContent-Type: {kind}"), &noise(3000))
    }
    let by_server = "a web page, as its server says (`content-type: text/html`)";
    for (reply, found) in [
        (Reply::ok(page), "a web page"),
        (called("text/html"), by_server),
        (called("Text/HTML; charset=utf-8"), by_server),
        (called("application/xhtml+xml"), by_server),
    ] {
        let options = SourceOptions { expected: Expected::Partition, ..SourceOptions::default() };
        let error = fetch(move || reply.clone(), options).await.unwrap_err();
        assert!(matches!(error, Error::Unsupported { found: it, .. } if it == found), "{error}");
    }
    for kind in ["application/octet-stream", "text/plain", "application/x-xz"] {
        let options = SourceOptions { expected: Expected::Partition, ..SourceOptions::default() };
        assert!(fetch(move || called(kind), options).await.is_ok(), "{kind}");
    }
    assert!(
        fetch(|| called("text/html"), SourceOptions::default()).await.is_ok(),
        "when it is said to be right"
    );
}

#[tokio::test]
async fn a_connection_that_ends_early_is_a_cut() {
    let raw = noise(2_000_000);
    let length = format!("HTTP/1.1 200 OK\r\nContent-Length: {}", raw.len());
    let cut = Reply::new(&length, &raw[..1_500_000]);
    check_cut(cut, 1_500_000, Some(2_000_000)).await;
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n";
    check_cut(Reply::exact([chunked.as_bytes(), &raw[..100_000], b"\r\n"].concat()), 100_000, None).await;
    let gzip = encode(Format::Gzip, &raw);
    let length = format!("HTTP/1.1 200 OK\r\nContent-Length: {}", gzip.len());
    check_cut(Reply::new(&length, &gzip[..gzip.len() - 1]), gzip.len() as u64 - 1, Some(gzip.len() as u64))
        .await;
}

async fn check_cut(reply: Reply, at: u64, of: Option<u64>) {
    let error = fetch(move || reply.clone(), SourceOptions::default()).await.expect_err("cut");
    assert_eq!(blame_of(&error), Blame::PASSING, "{error}");
    let Error::Cut { received, expected, .. } = error else { panic!("{error}") };
    assert_eq!((received, expected), (at, of));
}

#[tokio::test]
async fn no_answer_at_all_is_a_cut() {
    let error = fetch(|| Reply::exact(""), SourceOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::Cut { received: 0, expected: None, .. }), "{error}");
}

#[tokio::test]
async fn without_a_length_the_end_must_prove_itself() {
    let closing = |body: &[u8]| Reply::new("HTTP/1.0 200 OK", body);
    // The end of the connection is all a server of HTTP/1.0 says.
    let error = fetch(move || closing(b"image"), SourceOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::Unframed { .. }), "{error}");
    assert_eq!(blame_of(&error), Blame::CONFIG);
    // A digest proves it.
    let decoded = fetch(move || closing(b"image"), options_with(Digest::of(b"image"))).await.unwrap();
    assert_eq!(decoded.bytes(), b"image");
    let error = fetch(move || closing(b"imag"), options_with(Digest::of(b"image"))).await.unwrap_err();
    assert!(matches!(error, Error::DigestDiffers { .. }), "{error}");
    for format in COMPRESSED {
        // So does the end of a compressed image.
        let stored = encode(format, b"image");
        let cut = stored[..stored.len() - 1].to_vec();
        let decoded = fetch(move || closing(&stored), SourceOptions::default()).await.unwrap();
        assert_eq!(decoded.bytes(), b"image");
        let error = fetch(move || closing(&cut), SourceOptions::default()).await.unwrap_err();
        assert!(matches!(error, Error::Truncated { .. }), "{format}: {error}");
    }
    // A chunked body has an end of its own.
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nim\r\n3\r\nage\r\n0\r\n\r\n";
    let decoded = fetch(move || Reply::exact(chunked), SourceOptions::default()).await.unwrap();
    assert_eq!(decoded.bytes(), b"image");
}

#[tokio::test]
async fn a_silent_server_is_a_stall() {
    for (sent, at) in [("", 0), ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nimage", 5)] {
        let error =
            fetch(move || Reply::exact(sent).held(), patience(Duration::from_millis(200))).await.unwrap_err();
        assert_eq!(blame_of(&error), Blame::PASSING);
        let Error::Stalled { received, waited, .. } = error else { panic!("{error}") };
        assert_eq!((received, waited), (at, Duration::from_millis(200)));
    }
}

#[tokio::test]
async fn a_stall_in_the_middle_names_how_far_it_came() {
    let body = noise(1_000_000);
    let reply = move || Reply::new("HTTP/1.1 200 OK\r\nContent-Length: 2000000", &body).held();
    let error = fetch(reply, patience(Duration::from_millis(200))).await.unwrap_err();
    assert!(matches!(error, Error::Stalled { received: 1_000_000, .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_cannot_be_reached() {
    let server = Server::start(|_, _| Reply::ok(b"image")).await;
    let url = server.url("/os.img?token=hunter2");
    drop(server);
    tokio::task::yield_now().await;
    let error = Image::open(&url, SourceOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    assert_eq!(blame_of(&error), Blame::PASSING);
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn the_request_says_what_the_caller_said_byte_for_byte() {
    let server = Server::start(|_, _| Reply::ok(b"image")).await;
    let options = SourceOptions {
        headers: vec![("X-Token".into(), "hunter2".into()), ("Accept".into(), "x/y".into())],
        bearer: Some("hunter3".into()),
        ..SourceOptions::default()
    };
    let target = "/a%2Fb/c%20d+e.img?X-Sig=a%2Bb/c==&&=x&y+z&%7e";
    let image = Image::open(&server.url(target), options).await.unwrap();
    drain(&image).await.unwrap();
    assert_eq!(server.requests().len(), 2, "one to open, one to decode");
    for request in server.requests() {
        assert!(request.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{request}");
        for line in
            ["x-token: hunter2", "authorization: Bearer hunter3", "accept: x/y", "accept-encoding: identity"]
        {
            assert!(request.lines().any(|found| found.eq_ignore_ascii_case(line)), "{line} in {request}");
        }
    }
    assert!(!format!("{image:?}").contains("hunter"), "{image:?}");
    assert_eq!(image.label(), server.url("/a%2Fb/c%20d+e.img?X-Sig=***&***&=***&***&***"));
}

#[tokio::test]
async fn invalid_headers_are_named_without_values() {
    for (name, value) in [("X-A", "a\nb: c"), ("a b", "hunter2")] {
        let headers = vec![(name.to_owned(), value.to_owned())];
        let options = SourceOptions { headers, ..SourceOptions::default() };
        let error = Image::open("http://127.0.0.1:9/x", options).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "header `{name}` for image `http://127.0.0.1:9/x` has characters that HTTP does not allow"
            )
        );
    }
}

#[tokio::test]
async fn redirects_are_followed_and_secrets_stay_with_their_origin() {
    let other = Server::start(|_, head| match head.starts_with("GET /moved") {
        true => Reply::redirect("/there?x=1"),
        false => Reply::ok(b"image"),
    })
    .await;
    let target = other.url("/moved");
    let first = Server::start(move |_, head| match head.starts_with("GET /near") {
        true => Reply::redirect("/far"),
        false => Reply::redirect(&target),
    })
    .await;
    let secrets = ["x-token: hunter2", "authorization: Bearer hunter3", "cookie: hunter4"];
    let options = SourceOptions {
        headers: vec![("X-Token".into(), "hunter2".into()), ("Cookie".into(), "hunter4".into())],
        bearer: Some("hunter3".into()),
        ..SourceOptions::default()
    };
    let image = Image::open(&first.url("/near"), options).await.unwrap();
    assert_eq!(drain(&image).await.unwrap().bytes(), b"image");
    for request in first.requests() {
        assert!(secrets.iter().all(|line| request.contains(line)), "the first origin gets them: {request}");
    }
    assert!(other.requests().iter().any(|request| request.starts_with("GET /there?x=1 ")));
    for request in other.requests() {
        assert!(!request.contains("hunter"), "the other origin does not: {request}");
    }
}

#[tokio::test]
async fn redirects_without_end_or_to_nowhere_are_errors() {
    for (to, reason) in [
        ("/again", "more than 10 redirects"),
        ("file:///etc/passwd", "its server redirects (status 302) to no http URL"),
        ("http://", "its server redirects (status 302) to no http URL"),
    ] {
        let server = Server::start(move |_, _| Reply::redirect(to)).await;
        let error = Image::open(&server.url("/x"), SourceOptions::default()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("image `{}` cannot be fetched: {reason}", server.url("/x")));
        assert!(server.requests().len() <= 11);
    }
}

#[tokio::test]
async fn user_information_of_the_url_is_sent_and_not_shown() {
    let server = Server::start(|_, _| Reply::ok(b"image")).await;
    let url = format!("http://user:hunter2@{}/x", server.address);
    let image = Image::open(&url, SourceOptions::default()).await.unwrap();
    assert!(
        server.requests()[0].contains("authorization: Basic dXNlcjpodW50ZXIy"),
        "{:?}",
        server.requests()
    );
    assert_eq!(image.label(), format!("http://***@{}/x", server.address));
}

#[tokio::test]
async fn another_object_at_the_second_request_is_an_error() {
    let server = Server::start(|number, _| match number {
        0 | 1 => Reply::ok(b"image"),
        2 => Reply::ok(b"imago"),
        3 => Reply::ok(b"images"),
        _ => Reply::status(404),
    })
    .await;
    let url = server.url("/x");
    let image = Image::open(&url, SourceOptions::default()).await.unwrap();
    drain(&image).await.unwrap();
    let error = drain(&image).await.unwrap_err();
    let (before, now) = (Digest::of(b"image"), Digest::of(b"imago"));
    assert_eq!(
        error.to_string(),
        format!("image `{url}` changed while in use: it was sha256 {before}, now it is sha256 {now}")
    );
    let error = drain(&image).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("image `{url}` changed while in use: it was 5 bytes, now it is 6 bytes")
    );
    let error = drain(&image).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn a_dropped_decoding_ends_its_transfer() {
    let body = noise(3_000_000);
    let reply = move || Reply::new("HTTP/1.1 200 OK\r\nContent-Length: 9000000", &body).held();
    let server = Server::start(move |_, _| reply()).await;
    let image = Image::open(&server.url("/x"), SourceOptions::default()).await.unwrap();
    let mut decoding = image.decode();
    assert!(within(decoding.next()).await.unwrap().is_some());
    drop(decoding);
    within(async {
        while server.gone() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_is_not_kept_waiting_for_a_board() {
    let server = Server::start(|_, _| Reply::ok(b"image")).await;
    let image = Image::open(&server.url("/os.img"), SourceOptions::default()).await.unwrap();
    assert!(!image.can_wait());
}
