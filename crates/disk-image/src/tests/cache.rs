//! Images out of the cache: decoded once, found again by state or digest, never damaged, half or stale.

use std::path::PathBuf;

use pretty_assertions::assert_eq;

use super::server::{Reply, Server};
use super::*;
use crate::{Blame, Cache, Cached, Range, RangeCopy, RangeKind};

/// Longer than what counts as only just written.
const SETTLED: Duration = Duration::from_millis(150);

pub(super) struct Location {
    folder: tempfile::TempDir,
    limit: u64,
}

impl Location {
    pub(super) fn new() -> Location {
        Location { folder: tempfile::tempdir().unwrap(), limit: 1 << 30 }
    }

    pub(super) fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    pub(super) fn options(&self) -> SourceOptions {
        let cache = Cache { folder: self.cache(), limit: self.limit };
        SourceOptions { cache: Some(cache), ..SourceOptions::default() }
    }

    /// Writes a file whose time differs from that of a later one.
    pub(super) async fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        tokio::time::sleep(SETTLED).await;
        path_of(&path).to_owned()
    }

    /// Endings of what the cache holds, in order.
    fn content(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.cache()) else { return Vec::new() };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut ends: Vec<String> = names
            .filter(|name| name != "lock")
            .map(|name| name.rsplit('.').next().unwrap().to_owned())
            .collect();
        ends.sort();
        ends
    }

    /// Waits until the cache holds one of these: what is written by a thread goes away a little later.
    async fn settles(&self, contents: &[&[&str]]) {
        within(async {
            while !contents.iter().any(|content| self.content() == *content) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    fn image(&self, image: &[u8]) -> PathBuf {
        self.cache().join(format!("{}.img", Digest::of(image)))
    }
}

#[tokio::test]
async fn the_second_flash_of_an_image_decodes_nothing() {
    let (place, disk) = (Location::new(), disk());
    for format in [Format::Xz, Format::Gzip] {
        let file = place.file("os", &encode(format, &disk)).await;
        let first = decode(&file, place.options()).await.unwrap();
        assert_eq!(first.summary.cached, Cached::Kept, "{format}");
        let opened = Image::open(&file, place.options()).await.unwrap();
        assert!(opened.is_cached() && opened.decoded_length() == Some(disk.len() as u64));
        let second = drain(&opened).await.unwrap();
        assert_eq!(second.summary.cached, Cached::Hit);
        assert!(second.bytes() == disk);
        assert_eq!((second.format, &second.extents), (format, &first.extents));
        let same = crate::Summary { cached: Cached::Kept, ..second.summary };
        assert_eq!(same, first.summary, "all facts are those of the first time");
    }
    assert_eq!(place.content(), ["img", "json", "json"], "one copy of the same image from two sources");
}

#[tokio::test]
async fn the_same_decoding_again_reads_the_copy() {
    let place = Location::new();
    let server =
        Server::start(|_, _| Reply::new("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"1\"", b"image"))
            .await;
    let image = Image::open(&server.url("/x"), place.options()).await.unwrap();
    assert_eq!(drain(&image).await.unwrap().summary.cached, Cached::Kept);
    assert_eq!(drain(&image).await.unwrap().summary.cached, Cached::Hit);
    assert_eq!(server.requests().len(), 2, "one to open, one to decode");
    let again = decode(&server.url("/x"), place.options()).await.unwrap();
    assert_eq!((again.summary.cached, server.requests().len()), (Cached::Hit, 3));
}

#[tokio::test]
async fn a_source_in_another_state_is_decoded_anew() {
    let place = Location::new();
    let file = place.file("os", &encode(Format::Gzip, b"one")).await;
    decode(&file, place.options()).await.unwrap();
    place.file("os", &encode(Format::Gzip, b"two")).await; // of the same length
    let decoded = decode(&file, place.options()).await.unwrap();
    assert_eq!((decoded.bytes(), decoded.summary.cached), (b"two".to_vec(), Cached::Kept));

    let server = Server::start(|number, _| match number {
        0 | 1 => Reply::new("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"1\"", b"image"),
        _ => Reply::new("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"2\"", b"imago"),
    })
    .await;
    for expected in [b"image", b"imago"] {
        let decoded = decode(&server.url("/x"), place.options()).await.unwrap();
        assert_eq!((&decoded.bytes()[..], decoded.summary.cached), (&expected[..], Cached::Kept));
    }
}

#[tokio::test]
async fn what_cannot_be_told_from_another_state_is_not_kept() {
    let place = Location::new();
    let server = Server::start(|_, _| Reply::ok(b"image")).await;
    for source in [server.url("/x"), place.file("raw", b"image").await] {
        let decoded = decode(&source, place.options()).await.unwrap();
        assert_eq!(decoded.summary.cached, Cached::No, "{source}");
    }
    let fresh = place.folder.path().join("fresh");
    std::fs::write(&fresh, encode(Format::Gzip, b"image")).unwrap();
    let decoded = decode(path_of(&fresh), place.options()).await.unwrap();
    assert_eq!(decoded.summary.cached, Cached::No);
    assert!(place.content().is_empty());
}

#[tokio::test]
async fn a_demanded_digest_finds_its_copy_without_asking_the_server() {
    let place = Location::new();
    let stored = encode(Format::Xz, b"image");
    decode(&place.file("os", &stored).await, place.options()).await.unwrap();
    let server = Server::start(|_, _| Reply::status(500)).await;
    for (sha256, checked) in [
        (Digest::of(&stored), crate::DigestSubject::Source),
        (Digest::of(b"image"), crate::DigestSubject::Decoded),
    ] {
        let options = SourceOptions { sha256: Some(sha256), ..place.options() };
        let decoded = decode(&server.url("/os?presigned=1"), options).await.unwrap();
        assert_eq!((decoded.bytes(), decoded.summary.checked), (b"image".to_vec(), Some(checked)));
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_damaged_copy_is_an_error_and_then_gone() {
    let (place, disk) = (Location::new(), disk());
    let file = place.file("os", &encode(Format::Gzip, &disk)).await;
    decode(&file, place.options()).await.unwrap();
    let mut damaged = disk.clone();
    damaged[700_000] ^= 1;
    std::fs::write(place.image(&disk), damaged).unwrap();
    let error = decode(&file, place.options()).await.expect_err("damaged");
    assert!(matches!(error, Error::Copy { .. }), "{error}");
    assert_eq!(blame_of(&error), Blame::PASSING, "trying again helps");
    let decoded = decode(&file, place.options()).await.unwrap();
    assert_eq!((decoded.bytes() == disk, decoded.summary.cached), (true, Cached::Kept));
    // One that is not whole is not even looked at.
    std::fs::write(place.image(&disk), &disk[1..]).unwrap();
    assert_eq!(decode(&file, place.options()).await.unwrap().summary.cached, Cached::Kept);
    // Nor is what is described by garbage.
    for entry in std::fs::read_dir(place.cache()).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|end| end == "json") {
            std::fs::write(entry.path(), b"{}").unwrap();
        }
    }
    assert_eq!(decode(&file, place.options()).await.unwrap().summary.cached, Cached::Kept);
}

#[tokio::test]
async fn what_is_not_proven_leaves_nothing_behind() {
    let (place, disk) = (Location::new(), disk());
    let mut cut = encode(Format::Gzip, &disk);
    cut.pop();
    decode(&place.file("cut", &cut).await, place.options()).await.expect_err("cut");
    let wrong = SourceOptions { sha256: Some(Digest::of(b"x")), ..place.options() };
    decode(&place.file("os", &encode(Format::Gzip, &disk)).await, wrong).await.expect_err("another digest");
    place.settles(&[&[]]).await;
    let dropped = place.file("os2", &encode(Format::Zstd, &long(40))).await;
    let mut decoding = Image::open(&dropped, place.options()).await.unwrap().decode();
    decoding.next().await.unwrap();
    drop(decoding);
    // It may have been decoded to its proven end before it was dropped.
    place.settles(&[&[], &["img", "json"]]).await;
}

#[tokio::test]
async fn leftovers_of_dead_processes_go() {
    let place = Location::new();
    std::fs::create_dir_all(place.cache()).unwrap();
    let old = std::time::SystemTime::now() - Duration::from_secs(60);
    let temporary = |name: &str| {
        let file = std::fs::File::create(place.cache().join(name)).unwrap();
        file.set_times(std::fs::FileTimes::new().set_modified(old)).unwrap();
        file
    };
    drop(temporary("tmp-dead"));
    let living = temporary("tmp-living");
    rustix::fs::flock(&living, rustix::fs::FlockOperation::LockExclusive).unwrap();
    std::fs::write(place.cache().join("tmp-young"), b"").unwrap();
    decode(&place.file("os", &encode(Format::Gzip, b"image")).await, place.options()).await.unwrap();
    let there = |name: &str| place.cache().join(name).exists();
    assert_eq!((there("tmp-dead"), there("tmp-living"), there("tmp-young")), (false, true, true));
}

#[tokio::test]
async fn the_copy_that_was_not_used_for_longest_makes_room() {
    let mut place = Location::new();
    place.limit = 2 << 20;
    let images: Vec<Vec<u8>> = (0..3).map(|index| [vec![index], noise(900_000)].concat()).collect();
    let there = |place: &Location| images.iter().map(|image| place.image(image).exists()).collect::<Vec<_>>();
    let mut files = Vec::new();
    for (index, image) in images.iter().enumerate() {
        files.push(place.file(&index.to_string(), &encode(Format::Zstd, image)).await);
    }
    for index in [0, 1, 0, 2] {
        decode(&files[index], place.options()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(there(&place), [true, false, true]);
    assert_eq!(place.content(), ["img", "img", "json", "json"]);
    // What does not fit at all is flashed all the same.
    place.limit = 100_000;
    let decoded = decode(&files[1], place.options()).await.unwrap();
    let Cached::Failed(reason) = &decoded.summary.cached else { panic!("{:?}", decoded.summary.cached) };
    assert!(reason.ends_with("the image has more data than the 100000 bytes it may take"), "{reason}");
    assert!(decoded.bytes() == images[1]);
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_never_spoils_a_flash() {
    let place = Location::new();
    std::fs::write(place.cache(), b"a file is in the way").unwrap();
    let decoded =
        decode(&place.file("os", &encode(Format::Gzip, b"image")).await, place.options()).await.unwrap();
    assert!(matches!(decoded.summary.cached, Cached::Failed(_)), "{:?}", decoded.summary.cached);
    assert_eq!(decoded.bytes(), b"image");
}

/// A file system of 1 MiB, until it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<SmallDisk> {
        std::fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(SmallDisk(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_never_spoils_a_flash() {
    let place = Location::new();
    let Some(_disk) = SmallDisk::mount(place.cache()) else {
        return println!("skipped: mounting a small file system needs root");
    };
    let image = noise(3_000_000);
    let decoded =
        decode(&place.file("os", &encode(Format::Gzip, &image)).await, place.options()).await.unwrap();
    let Cached::Failed(reason) = &decoded.summary.cached else { panic!("{:?}", decoded.summary.cached) };
    assert!(reason.contains("No space left on device"), "{reason}");
    assert!(decoded.bytes() == image && place.content().is_empty());
    let error = crate::source::spool::spool("-", &image[..], Some(&place.cache())).await.expect_err("full");
    assert!(error.to_string().contains("No space left on device"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_flashes_of_the_same_image_at_once_make_one_copy() {
    let (place, disk) = (Location::new(), disk());
    let file = place.file("os", &encode(Format::Zstd, &disk)).await;
    let flashes: Vec<_> = (0..4)
        .map(|_| {
            let (file, options) = (file.clone(), place.options());
            tokio::spawn(async move { decode(&file, options).await })
        })
        .collect();
    let mut kept = Vec::new();
    for flash in flashes {
        let decoded = flash.await.unwrap().unwrap();
        assert!(decoded.bytes() == disk);
        kept.push(decoded.summary.cached == Cached::Kept);
    }
    assert_eq!(kept.iter().filter(|kept| **kept).count(), 1, "one decodes, the others read its copy");
    assert_eq!(place.content(), ["img", "json"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_a_copy_slowly_holds_up_no_other() {
    let (place, disk) = (Location::new(), long(12));
    let file = place.file("os", &encode(Format::Zstd, &disk)).await;
    let mut images = Vec::new();
    for _ in 0..3 {
        images.push(Image::open(&file, place.options()).await.unwrap());
    }
    assert_eq!(drain(&images[0]).await.unwrap().summary.cached, Cached::Kept);
    // It was opened before there was a copy, and takes nothing of it after its beginning.
    let mut slow = images[1].decode();
    within(async { slow.next().await.unwrap().unwrap() }).await;
    let other = within(drain(&images[2])).await.unwrap();
    assert!(other.bytes() == disk);
}

#[tokio::test]
async fn a_copy_remembers_what_need_not_be_written() {
    let place = Location::new();
    let file = place.file("os", &mostly_unmapped()).await;
    let [first, second] =
        [decode(&file, place.options()).await.unwrap(), decode(&file, place.options()).await.unwrap()];
    assert_eq!((&first.summary.cached, &second.summary.cached), (&Cached::Kept, &Cached::Hit));
    assert!(first.summary.unmapped_length > 30 << 20);
    assert_eq!(first.extents, second.extents);
    assert_eq!(first.summary.ranges, second.summary.ranges);
    assert!(second.summary.ranges.iter().any(|range| range.kind == RangeKind::Unmapped));
}

/// Data of so many MiB, all of it different.
fn long(mib: usize) -> Vec<u8> {
    (0..mib << 17)
        .flat_map(|word| (word as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .collect()
}

#[tokio::test]
async fn decoding_runs_ahead_into_the_cache() {
    let (place, disk) = (Location::new(), long(40));
    let source = place.file("os", &encode(Format::Zstd, &disk)).await;
    let image = Image::open(&source, place.options()).await.unwrap();
    assert!(image.can_wait());
    let decoding = image.decode();
    within(async {
        while !image.is_cached() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(place.content(), ["img", "json"]);
    // Evicted or not, it can be taken.
    std::fs::remove_dir_all(place.cache()).unwrap();
    let decoded = take_all(image.format(), decoding).await.unwrap();
    assert!(decoded.bytes() == disk);
    assert_eq!((decoded.summary.cached, decoded.summary.decoded_sha256), (Cached::Kept, Digest::of(&disk)));
}

#[tokio::test]
async fn a_copy_that_outgrows_its_room_ends_and_the_image_does_not() {
    let (place, disk) = (Location { limit: 20 << 20, ..Location::new() }, long(40));
    let source = place.file("os", &encode(Format::Zstd, &disk)).await;
    let decoded = decode(&source, place.options()).await.unwrap();
    assert!(decoded.bytes() == disk);
    assert!(matches!(decoded.summary.cached, Cached::Failed(_)), "{:?}", decoded.summary.cached);
    place.settles(&[&[]]).await;
}

/// The bytes of a range, and how many of them are given as zeros.
fn joined(copy: RangeCopy) -> (Vec<u8>, u64) {
    let RangeCopy::Extents(extents) = copy else { panic!("{copy:?}") };
    let (mut bytes, mut zeros) = (Vec::new(), 0);
    for extent in extents {
        match extent {
            Extent::Data { bytes: data, .. } => bytes.extend_from_slice(&data),
            Extent::Zero { length, .. } => {
                zeros += length;
                bytes.resize(bytes.len() + length as usize, 0);
            }
            Extent::Unmapped { .. } => panic!("only what is mapped is asked for"),
        }
    }
    (bytes, zeros)
}

/// 40 MiB, of which one range begins with zeros.
fn with_zeros() -> Vec<u8> {
    let mut disk = long(40);
    disk[16 << 20..(20 << 20) + 5].fill(0);
    disk
}

#[tokio::test]
async fn a_range_is_read_alone() {
    let (place, disk) = (Location::new(), with_zeros());
    let sources = [place.file("raw", &disk).await, place.file("packed", &encode(Format::Zstd, &disk)).await];
    for (source, kept_in) in sources.iter().zip([sources[0].clone(), path_of(&place.image(&disk)).to_owned()])
    {
        let image = Image::open(source, place.options()).await.unwrap();
        let ranges = drain(&image).await.unwrap().summary.ranges;
        let whole = |range: &Range| disk[range.offset as usize..][..range.length as usize].to_vec();
        for range in &ranges {
            let expected = if range.offset == 16 << 20 { 4 << 20 } else { 0 };
            assert!(joined(image.range(range).await) == (whole(range), expected), "{source} {range:?}");
        }
        // Everything but one range is another image by now: reading more than that range would show it.
        let range = &ranges[2];
        let mut other = vec![7; disk.len()];
        other[range.offset as usize..][..range.length as usize].copy_from_slice(&whole(range));
        std::fs::write(&kept_in, other).unwrap();
        assert!(joined(image.range(range).await).0 == whole(range), "{source}");
    }
}

#[tokio::test]
async fn a_damaged_range_comes_out_of_the_source() {
    let (place, disk) = (Location::new(), with_zeros());
    let stored = encode(Format::Zstd, &disk);
    let file = place.file("packed", &stored).await;
    let (sent, tag) = (stored.clone(), "HTTP/1.1 200 OK\r\nETag: \"1\"");
    let head = format!("{tag}\r\nContent-Length: {}", stored.len());
    let server = Server::start(move |_, _| Reply::new(&head, &sent)).await;
    let url = server.url("/x");
    for source in [&file, &url] {
        // Of an image that this job decoded, and of one that was in the cache before.
        for was_cached in [false, true] {
            let image = Image::open(source, place.options()).await.unwrap();
            assert_eq!(image.is_cached(), was_cached, "{source}");
            let ranges = drain(&image).await.unwrap().summary.ranges;
            let copy = place.image(&disk);
            let mut damaged = disk.clone();
            damaged[ranges[1].offset as usize + 5] ^= 1;
            std::fs::write(&copy, &damaged).unwrap();
            assert_eq!(image.range(&ranges[1]).await, RangeCopy::Damaged, "{source}");
            assert!(!copy.exists(), "nobody finds it again");
            assert_eq!(image.range(&ranges[2]).await, RangeCopy::Absent, "{source}: what it has is not used");
            let again = drain(&image).await.unwrap();
            assert!(again.bytes() == disk && again.summary.ranges == ranges, "{source}");
            // For the second round it is kept again.
            decode(source, place.options()).await.unwrap();
        }
        std::fs::remove_dir_all(place.cache()).unwrap();
    }
}

#[tokio::test]
async fn a_damaged_copy_without_its_source_is_an_error() {
    let (place, disk) = (Location::new(), long(20));
    let file = place.file("packed", &encode(Format::Zstd, &disk)).await;
    let ranges = decode(&file, place.options()).await.unwrap().summary.ranges;
    let server = Server::start(|_, _| Reply::status(500)).await;
    let options = SourceOptions { sha256: Some(Digest::of(&disk)), ..place.options() };
    let image = Image::open(&server.url("/os"), options).await.unwrap();
    std::fs::write(place.image(&disk), vec![7; disk.len()]).unwrap();
    assert_eq!(image.range(&ranges[1]).await, RangeCopy::Damaged);
    let error = drain(&image).await.expect_err("it has no other bytes");
    assert!(matches!(error, Error::Copy { .. }), "{error}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn what_is_nowhere_decoded_has_no_ranges() {
    let place = Location::new();
    let file = place.file("packed", &encode(Format::Zstd, &long(2))).await;
    let image = Image::open(&file, SourceOptions::default()).await.unwrap();
    let ranges = drain(&image).await.unwrap().summary.ranges;
    assert_eq!(image.range(&ranges[1]).await, RangeCopy::Absent);
}
