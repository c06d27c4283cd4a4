//! Images at a server with a block map beside them: what the medium holds already is not fetched, and nothing else is taken for it.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use disk_image::Digest;
use flasher_core::flash::Compare;
use flasher_core::source::CacheChoice;
use flasher_core::{FlashJob, Verdict};
use serde_json::json;

use crate::compare::{flash_on, ways};
use crate::lab::{Lab, MEDIUM, noise};

/// Bytes of a block of the map.
const BLOCK: usize = 4096;

/// What a server does with a request for a part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parts {
    Served,
    /// It sends the whole.
    Ignored,
    /// It sends the part of another version.
    Changed,
}

/// A server of an image and its block map.
struct Origin {
    url: String,
    /// Bytes of the image that were asked for in parts, and as a whole.
    in_parts: Arc<AtomicU64>,
    whole: Arc<AtomicU64>,
}

impl Origin {
    fn new(image: &[u8], map: &str, parts: Parts) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/os.img", listener.local_addr().unwrap());
        let origin = Self { url, in_parts: Arc::default(), whole: Arc::default() };
        let (in_parts, whole) = (Arc::clone(&origin.in_parts), Arc::clone(&origin.whole));
        let (image, map) = (Arc::new(image.to_vec()), map.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (image, map) = (Arc::clone(&image), map.clone());
                let (in_parts, whole) = (Arc::clone(&in_parts), Arc::clone(&whole));
                std::thread::spawn(move || answer(&stream, &image, &map, parts, (&in_parts, &whole)));
            }
        });
        origin
    }

    /// Bytes that were asked for in parts, and how often the whole was: it is looked at when it is opened.
    fn asked(&self) -> (u64, u64) {
        (self.in_parts.load(Ordering::Relaxed), self.whole.load(Ordering::Relaxed))
    }
}

/// Answers one request. A client that is gone is the test's own business.
fn answer(stream: &TcpStream, image: &[u8], map: &str, parts: Parts, asked: (&AtomicU64, &AtomicU64)) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let lines: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let range = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let (from, to) = value.strip_prefix("bytes=")?.split_once('-')?;
        name.eq_ignore_ascii_case("range").then_some((from.parse().ok()?, to.parse::<usize>().ok()?))
    });
    let send = |head: String, body: &[u8]| {
        let mut stream = stream;
        let _ = stream.write_all(format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes());
        let _ = stream.write_all(body);
    };
    match (path.as_str(), range) {
        ("/os.bmap" | "/os.img.bmap", _) => {
            send(format!("200 OK\r\nContent-Length: {}", map.len()), map.as_bytes())
        }
        ("/os.img", Some((from, last))) if parts != Parts::Ignored => {
            let tag = if parts == Parts::Changed { "2" } else { "1" };
            asked.0.fetch_add((last + 1 - from) as u64, Ordering::Relaxed);
            let head = format!(
                "206 Partial Content\r\nETag: \"{tag}\"\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{last}/{}",
                last + 1 - from,
                image.len()
            );
            send(head, &image[from..=last]);
        }
        ("/os.img", _) => {
            asked.1.fetch_add(1, Ordering::Relaxed);
            send(format!("200 OK\r\nETag: \"1\"\r\nContent-Length: {}", image.len()), image);
        }
        _ => send("404 Not Found\r\nContent-Length: 0".to_owned(), b""),
    }
}

/// A block map of version 2.0 with these stretches, in blocks, of `image`.
fn block_map(image: &[u8], stretches: &[(usize, usize)]) -> String {
    let mut ranges = String::new();
    for (first, last) in stretches {
        let bytes = &image[first * BLOCK..((last + 1) * BLOCK).min(image.len())];
        writeln!(ranges, "<Range chksum=\"{}\"> {first}-{last} </Range>", Digest::of(bytes)).unwrap();
    }
    let mapped: usize = stretches.iter().map(|(first, last)| last + 1 - first).sum();
    let map = |sum: &str| {
        format!(
            "<?xml version=\"1.0\" ?>\n<bmap version=\"2.0\">\n<ImageSize> {} </ImageSize>\n<BlockSize> {BLOCK} </BlockSize>\n\
             <BlocksCount> {} </BlocksCount>\n<MappedBlocksCount> {mapped} </MappedBlocksCount>\n\
             <ChecksumType> sha256 </ChecksumType>\n<BmapFileChecksum> {sum} </BmapFileChecksum>\n\
             <BlockMap>\n{ranges}</BlockMap>\n</bmap>\n",
            image.len(),
            image.len().div_ceil(BLOCK)
        )
    };
    let sum = Digest::of(map(&"0".repeat(64)).as_bytes());
    map(&sum.to_string())
}

/// An image of 6 MiB: an MBR and noise, with two holes; and its stretches.
fn image() -> (Vec<u8>, Vec<(usize, usize)>) {
    let mut image = noise(6 << 20, 7);
    image[256 * BLOCK..512 * BLOCK].fill(0);
    image[1024 * BLOCK..1280 * BLOCK].fill(0);
    let stretches = [(0, 127), (128, 255), (512, 767), (768, 1023), (1280, 1407), (1408, 1535)];
    (image, stretches.to_vec())
}

/// A medium that holds the image but for what these stretches have, and something else where it does not matter.
fn medium(image: &[u8], stretches: &[(usize, usize)], differing: &[usize]) -> Vec<u8> {
    let mut medium = vec![0xa5; MEDIUM];
    for (index, (first, last)) in stretches.iter().enumerate() {
        let place = first * BLOCK..(last + 1) * BLOCK;
        medium[place.clone()].copy_from_slice(&image[place]);
        if differing.contains(&index) {
            medium[first * BLOCK + 77_777] ^= 4;
        }
    }
    medium
}

/// What comes of a flash: bytes asked for in parts, and why all of it was fetched.
async fn check(
    what: &str,
    differing: &[usize],
    parts: Parts,
    change: impl Fn(&mut FlashJob, &mut Vec<u8>),
    expected: (u64, Option<&str>),
) {
    let [linux, uboot] = ways();
    let sends = json!({"without_commands": ["hash", "sha256sum"]});
    let cannot = (0, expected.1.map(|why| why.get(..0).unwrap_or_default()).or(Some("cannot send")));
    for (way, config, board, expected) in [
        (linux.0, linux.1, json!({}), expected),
        ("uboot with tftpput", uboot.1.clone(), sends, expected),
        (uboot.0, uboot.1, json!({}), cannot),
    ] {
        let (mut image, stretches) = image();
        let lab = Lab::new("");
        std::fs::write(lab.path("medium"), medium(&image, &stretches, differing)).unwrap();
        let map = block_map(&image, &stretches);
        let mut job = FlashJob { retries: 0, ..FlashJob::new("") };
        change(&mut job, &mut image);
        let origin = Origin::new(&image, &map, parts);
        job.image.clone_from(&origin.url);
        job.source.cache = Some(CacheChoice { folder: lab.path("cache"), limit: 1 << 30 });
        let is_demanded = job.sha256.is_some();
        let flashed = flash_on(&lab, job, &board, &config).await;
        let what = format!("{what}, {way}");
        assert_eq!(flashed.receipt.verdict, Verdict::Proven, "{what}: {:#?}", flashed.receipt.failure);
        for (first, last) in &stretches {
            let place = first * BLOCK..(last + 1) * BLOCK;
            assert!(lab.medium()[place.clone()] == image[place], "{what}: a false success");
        }
        let facts = flashed.facts();
        assert_eq!(origin.asked().0, expected.0, "{what}: {facts:?}");
        match expected.1 {
            None => {
                assert_eq!((facts.fetched, origin.asked().1), (Some(expected.0), 1), "{what}: {facts:?}");
                assert_eq!(flashed.written == 0, differing.is_empty(), "{what}: {facts:?}");
                let copies = std::fs::read_dir(lab.path("cache")).unwrap().map(|entry| entry.unwrap().path());
                let copies = copies.filter(|path| path.extension().is_some_and(|end| end == "img"));
                assert_eq!(
                    copies.count(),
                    usize::from(is_demanded),
                    "{what}: only the source itself is kept"
                );
            }
            Some(why) => {
                assert!(facts.fetched.is_none() && origin.asked().1 > 1, "{what}: {facts:?}");
                let skipped = facts.skipped.unwrap_or_default();
                assert!(skipped.contains(why), "{what}: {skipped}");
            }
        }
        flasher_core::flash::audit::audit(&flashed.receipt).unwrap_or_else(|flaw| panic!("{what}: {flaw}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_medium_lacks_is_fetched() {
    let nothing = |_: &mut FlashJob, _: &mut Vec<u8>| {};
    let never = |job: &mut FlashJob, _: &mut Vec<u8>| job.compare = Some(Compare::Never);
    let digest = |job: &mut FlashJob, image: &mut Vec<u8>| job.sha256 = Some(Digest::of(image).to_string());
    // What its map leaves out is not zeros, and the digest is of all of it.
    let odd = |job: &mut FlashJob, image: &mut Vec<u8>| {
        image[300 * BLOCK] = 7;
        job.sha256 = Some(Digest::of(image).to_string());
    };
    let stretch = 256 * BLOCK as u64;
    let little = (0, Some("of 6 stretches that were looked for the medium holds 1"));
    let parts = (0, Some("cannot be fetched in parts"));
    tokio::join!(
        check("all is there", &[], Parts::Served, nothing, (0, None)),
        check("one stretch differs", &[2], Parts::Served, nothing, (stretch, None)),
        check("the first block and the end differ", &[0, 5], Parts::Served, nothing, (stretch, None)),
        check("little is there", &[0, 1, 2, 3, 4], Parts::Served, nothing, little),
        check("a server without parts", &[2], Parts::Ignored, nothing, parts),
        check("without a comparison", &[], Parts::Served, never, (0, Some(""))),
        check("a digest of the whole", &[2], Parts::Served, digest, (stretch, None)),
        check("a map that leaves something out", &[2], Parts::Served, odd, (stretch, Some("sha256"))),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_changes_at_its_server() {
    let (image, stretches) = image();
    let lab = Lab::new("");
    let before = medium(&image, &stretches, &[2]);
    std::fs::write(lab.path("medium"), &before).unwrap();
    let origin = Origin::new(&image, &block_map(&image, &stretches), Parts::Changed);
    let mut job = FlashJob { retries: 0, ..FlashJob::new(origin.url.clone()) };
    job.source.cache = Some(CacheChoice { folder: lab.path("cache"), limit: 1 << 30 });
    let flashed = flash_on(&lab, job, &json!({}), &ways()[0].1).await;
    let failure = flashed.receipt.failure.unwrap();
    assert_eq!(failure.class, flasher_core::Class::Source, "{failure:#?}");
    assert!(failure.cause.contains("changed while in use"), "{}", failure.cause);
    assert!(lab.medium() == before, "something was written");
}

/// A file system of 1 MiB in the lab's cache, until it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_without_room_has_all_of_it_fetched() {
    let (image, stretches) = image();
    let lab = Lab::new("");
    let Some(_disk) = SmallDisk::mount(lab.path("cache")) else {
        return println!("skipped: mounting a small file system needs root");
    };
    std::fs::write(lab.path("medium"), medium(&image, &stretches, &[2])).unwrap();
    let origin = Origin::new(&image, &block_map(&image, &stretches), Parts::Served);
    let mut job = FlashJob { retries: 0, ..FlashJob::new(origin.url.clone()) };
    job.source.cache = Some(CacheChoice { folder: lab.path("cache"), limit: 1 << 30 });
    let flashed = flash_on(&lab, job, &json!({}), &ways()[0].1).await;
    assert_eq!(flashed.receipt.verdict, Verdict::Proven, "{:#?}", flashed.receipt.failure);
    for (first, last) in &stretches {
        let place = first * BLOCK..(last + 1) * BLOCK;
        assert!(lab.medium()[place.clone()] == image[place], "a false success");
    }
    let (facts, (in_parts, whole)) = (flashed.facts(), origin.asked());
    assert!(in_parts == 0 && whole > 1 && facts.fetched.is_none(), "{in_parts} {whole} {facts:?}");
}
