//! The text and the blame of every error.

use std::io;

use pretty_assertions::assert_eq;

use super::*;
use crate::Blame;

#[test]
fn every_error_says_what_is_wrong_with_which_image() {
    let label = || "os.img".to_owned();
    let disk = || io::Error::other("bad sector");
    let (format, offset) = (Format::Xz, 7);
    let [a, b, c] = [[0xaa; 32], [0xbb; 32], [0xcc; 32]].map(Digest::from);
    let reason = || "no route".to_owned();
    for (error, blame, text) in [
        (Error::Missing { label: label() }, Blame::SOURCE, "image `os.img` does not exist"),
        (
            Error::Open { label: label(), source: disk() },
            Blame::SOURCE,
            "image `os.img` cannot be opened: bad sector",
        ),
        (
            Error::Read { label: label(), offset, source: disk() },
            Blame::SOURCE,
            "image `os.img` cannot be read at byte 7: bad sector",
        ),
        (
            Error::NotFound { label: label(), status: 404 },
            Blame::SOURCE,
            "image `os.img` is not on its server (status 404)",
        ),
        (Error::Empty { label: label() }, Blame::SOURCE, "image `os.img` is empty (0 bytes)"),
        (
            Error::NoData { label: label() },
            Blame::SOURCE,
            "image `os.img` has no data: all of it is left out, so nothing would be written",
        ),
        (
            Error::EmptyImage { label: label(), format },
            Blame::SOURCE,
            "image `os.img` is xz data that decodes to nothing (0 bytes)",
        ),
        (
            Error::Short { label: label(), offset, expected: 9 },
            Blame::SOURCE,
            "image `os.img` is truncated: it ends at byte 7, its length was 9 bytes",
        ),
        (
            Error::Truncated { label: label(), format, offset },
            Blame::SOURCE,
            "image `os.img` is truncated: it ends at byte 7, inside its xz data",
        ),
        (
            Error::Corrupt { label: label(), format, offset, reason: "bad sum".into() },
            Blame::SOURCE,
            "image `os.img` is corrupt near byte 7 of its xz data: bad sum",
        ),
        (
            Error::Garbage { label: label(), format, offset },
            Blame::SOURCE,
            "image `os.img` has something that is not xz data behind its end, from byte 7 on",
        ),
        (
            Error::Memory { label: label(), format, limit: 256 },
            Blame::SOURCE,
            "image `os.img` needs more than 256 MiB of memory to decode its xz data; compress it with a smaller window or dictionary",
        ),
        (
            Error::Unsupported { label: label(), found: "a 7z archive", help: "" },
            Blame::SOURCE,
            "image `os.img` is a 7z archive, expected a raw or Android sparse image, also compressed (gzip, xz, zstd, bzip2, lz4) or alone in a zip or tar archive",
        ),
        (
            Error::Unusable { label: label(), format: Format::Zip, reason: "it holds no file".into() },
            Blame::SOURCE,
            "zip data of image `os.img` cannot be used: it holds no file",
        ),
        (
            Error::DigestDiffers {
                label: label(),
                expected: a,
                list: None,
                source_sha256: b,
                decoded_sha256: Box::new(c),
            },
            Blame::SOURCE,
            "image `os.img` has another digest: expected sha256 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, the source has bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb, the decoded image cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
        ),
        (
            Error::Map { map: "os.bmap".into(), reason: reason() },
            Blame::SOURCE,
            "block map `os.bmap` cannot be used: no route; give the one that was made for the image, or none",
        ),
        (
            Error::MapLength { label: label(), map: "os.bmap".into(), expected: 9, found: 7 },
            Blame::SOURCE,
            "block map `os.bmap` is not the one of image `os.img`: it is for 9 bytes, the image has 7; give the one that was made for the image, or none",
        ),
        (
            Error::MapDiffers { label: label(), map: "os.bmap".into(), start: 7, end: 9 },
            Blame::SOURCE,
            "block map `os.bmap` is not the one of image `os.img`: the checksum of bytes 7 to 9 differs; give the one that was made for the image, or none",
        ),
        (
            Error::MapUnsigned { map: "os.bmap".into() },
            Blame::SOURCE,
            "block map `os.bmap` has no signature beside it (`.asc` or `.sig`); sign it with `gpg --detach-sign`, or use no block map",
        ),
        (
            Error::MapSignature { map: "os.bmap".into(), keyring: "keys.gpg".into(), reason: reason() },
            Blame::SOURCE,
            "the signature of block map `os.bmap` is not one of a key in `keys.gpg`: no route",
        ),
        (
            Error::Checksums { label: label(), list: "SHA256SUMS".into(), reason: reason() },
            Blame::SOURCE,
            "checksums `SHA256SUMS` cannot be used for image `os.img`: no route; pass the digest itself with `--sha256`, or leave the file out with `--no-checksum`",
        ),
        (
            Error::TooLong { label: label(), longest: 9 },
            Blame::SOURCE,
            "`os.img` is longer than 9 bytes, so it is no block map and no file of checksums",
        ),
        (
            Error::Copy { label: label(), copy: "/c/x.img".into(), what: "gone".into() },
            Blame::PASSING,
            "the copy of image `os.img` in the cache is damaged (`/c/x.img`, gone); try again, it is fetched and decoded anew",
        ),
        (
            Error::External { label: label(), reason: reason(), blame: Blame::PASSING },
            Blame::PASSING,
            "image `os.img` cannot be read: no route",
        ),
        (
            Error::Misnamed { label: label(), expected: a, found: b },
            Blame::SOURCE,
            "image `os.img` is not what its name says: expected sha256 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, it has bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        ),
        (
            Error::Spool { label: "-".into(), folder: "/tmp".into(), source: disk() },
            Blame::CONFIG,
            "image `-` cannot be kept in `/tmp`: bad sector; choose a folder with more room",
        ),
        (
            Error::Changed { label: label(), before: "5 bytes".into(), now: "6 bytes".into() },
            Blame::SOURCE,
            "image `os.img` changed while in use: it was 5 bytes, now it is 6 bytes",
        ),
        (
            Error::NoParts { label: label() },
            Blame::SOURCE,
            "image `os.img` cannot be fetched in parts: its server gives others (expected status 206 and its tag)",
        ),
        (
            Error::Redirect { label: label(), reason: "more than 10 redirects".into() },
            Blame::SOURCE,
            "image `os.img` cannot be fetched: more than 10 redirects",
        ),
        (
            Error::Status { label: label(), status: 418, said: None },
            Blame::SOURCE,
            "image `os.img` cannot be fetched: its server answered with status 418, expected 200",
        ),
        (
            Error::Status { label: label(), status: 500, said: Some("no disk".into()) },
            Blame::PASSING,
            "image `os.img` cannot be fetched: its server answered with status 500, it says: `no disk`, expected 200",
        ),
        (
            Error::Connect { label: label(), reason: reason() },
            Blame::PASSING,
            "server of image `os.img` cannot be reached: no route",
        ),
        (
            Error::Cut { label: label(), received: 7, expected: Some(9), reason: reason() },
            Blame::PASSING,
            "transfer of image `os.img` was cut at byte 7 of 9: no route",
        ),
        (
            Error::Cut { label: label(), received: 7, expected: None, reason: reason() },
            Blame::PASSING,
            "transfer of image `os.img` was cut at byte 7: no route",
        ),
        (
            Error::Stalled { label: label(), received: 7, waited: Duration::from_millis(1500) },
            Blame::PASSING,
            "transfer of image `os.img` stalled at byte 7: no byte for 1.5 s",
        ),
        (
            Error::Drips { label: label(), received: 7, bytes: 3, waited: Duration::from_secs(30) },
            Blame::PASSING,
            "transfer of image `os.img` drips: 3 bytes in 30 s of waiting, at byte 7",
        ),
        (
            Error::Unauthorized { label: label(), status: 401, said: Some("token expired".into()) },
            Blame::SOURCE,
            "server of image `os.img` refuses access (status 401, it says: `token expired`); pass a bearer token or a header it accepts",
        ),
        (
            Error::Unframed { label: label() },
            Blame::CONFIG,
            "image `os.img` is raw and its server tells neither a length nor the end of the transfer, so a cut would go unnoticed; pass its --sha256 or --length",
        ),
        (
            Error::MapAbsent { label: label(), keyring: "keys.gpg".into() },
            Blame::SOURCE,
            "image `os.img` has no block map in use, and one that is signed by a key in `keys.gpg` is demanded; name it with --bmap, or leave the keys out",
        ),
        (
            Error::Unproven { label: "-".into() },
            Blame::CONFIG,
            "image `-` (standard input) is raw and has no partition table that tells where it ends, so a cut would go unnoticed; pass its --sha256 or --length",
        ),
        (
            Error::LengthDiffers { label: label(), expected: 9, source_length: 7, decoded_length: 8 },
            Blame::SOURCE,
            "image `os.img` has another length: expected 9 bytes, the source has 7, the decoded image 8",
        ),
        (
            Error::Untrusted { label: label(), reason: "it expired".into() },
            Blame::LASTING,
            "server of image `os.img` is not trusted: it expired",
        ),
        (
            Error::NoTls { label: label(), reason: "no greeting".into() },
            Blame::LASTING,
            "server of image `os.img` does not speak TLS as https demands: no greeting",
        ),
        (
            Error::Proxy { label: label(), proxy: "socks5://h:1".into() },
            Blame::CONFIG,
            "image `os.img` cannot be fetched by way of the proxy `socks5://h:1` of the environment; expected one with http:// or https://, or the image's server in `no_proxy`",
        ),
        (
            Error::NotAllowed { label: label(), reason: "10.0.0.1 is link-local".into() },
            Blame::CONFIG,
            "image `os.img` is not fetched: 10.0.0.1 is link-local",
        ),
        (
            Error::NotAFile { label: label(), kind: "a directory" },
            Blame::CONFIG,
            "image `os.img` is a directory, expected a file, a block device or a URL",
        ),
        (
            Error::Url { label: label(), reason: "empty host".into() },
            Blame::CONFIG,
            "image `os.img` is not a source that can be opened: empty host; expected a path, -, file://, http://, https:// or s3://",
        ),
        (
            Error::Header { label: label(), name: "a b".into() },
            Blame::CONFIG,
            "header `a b` for image `os.img` has characters that HTTP does not allow",
        ),
        (
            Error::Certificates { label: label(), path: "ca.pem".into(), reason: "bad".into() },
            Blame::CONFIG,
            "certificates `ca.pem` for image `os.img` cannot be used: bad; expected a PEM file",
        ),
        (
            Error::Machine { label: label(), reason: "no thread".into() },
            Blame::SOURCE,
            "image `os.img` cannot be decoded on this machine: no thread",
        ),
        (
            Error::Ended { label: label() },
            Blame::SOURCE,
            "decoding of image `os.img` has ended without a result; decode it from the beginning",
        ),
    ] {
        check(&error, blame, text);
    }
}

fn check(error: &Error, blame: Blame, text: &str) {
    assert_eq!(error.to_string(), text);
    assert_eq!(blame_of(error), blame, "{error}");
}

#[test]
fn who_lacks_an_image_is_told_what_to_do() {
    let label = || "os.img".to_owned();
    for (error, expected) in [
        (
            Error::Missing { label: label() },
            "check the name; a file is looked for on the machine that runs the flash",
        ),
        (
            Error::NotFound { label: label(), status: 404 },
            "check the name; a file is looked for on the machine that runs the flash",
        ),
        (
            Error::Connect { label: label(), reason: String::new() },
            "check the address, and whether this machine reaches it (`curl -I URL`)",
        ),
        (
            Error::Cut { label: label(), received: 1, expected: None, reason: String::new() },
            "check the network to the image's server; a copy on this machine needs none",
        ),
        (
            Error::Cut {
                label: "http://h/os.img".to_owned(),
                received: 0,
                expected: None,
                reason: String::new(),
            },
            "check the network to the image's server; one that speaks https only closes such a connection: give the URL with `https://` then",
        ),
        (Error::Empty { label: label() }, "fetch or build the image again, and compare its digest"),
        (
            Error::LengthDiffers { label: label(), expected: 1, source_length: 2, decoded_length: 2 },
            "fetch the image again, or give the right `--length`; that of the file and that of what it unpacks to are both accepted",
        ),
        (
            Error::Short { label: label(), offset: 1, expected: 2 },
            "fetch or build the image again, and compare its digest",
        ),
    ] {
        assert_eq!(error.blame().next_step.as_deref(), Some(expected), "{error}");
    }
}
