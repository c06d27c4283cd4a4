//! Stretches that are left alone: unmapped for who writes, there for the digest and the cache.

use std::ops::Range;

use pretty_assertions::assert_eq;

use super::cache::Location;
use super::*;
use crate::{BLOCK, Cached, RangeKind, Summary};

/// Decodes a file with these stretches left alone.
async fn decoded(file: &str, options: SourceOptions, stretches: &[Range<u64>]) -> (Vec<u8>, Summary) {
    let image = Image::open(file, options).await.unwrap();
    image.leave_alone(stretches.to_vec());
    let decoded = take_all(image.format(), image.decode()).await.unwrap();
    (decoded.bytes(), decoded.summary)
}

fn unmapped(summary: &Summary) -> Vec<(u64, u64)> {
    let unmapped = summary.ranges.iter().filter(|range| range.kind == RangeKind::Unmapped);
    unmapped.map(|range| (range.offset / BLOCK, range.length / BLOCK)).collect()
}

#[tokio::test]
async fn what_is_left_alone_is_unmapped_and_is_digested() {
    let whole = [noise(3 << 20), vec![0; 3 << 20], noise((1 << 20) + 7)].concat();
    let stretches = [BLOCK..3 * BLOCK, 40 * BLOCK..50 * BLOCK, 96 * BLOCK..97 * BLOCK];
    let mut without = whole.clone();
    stretches.iter().for_each(|it| without[it.start as usize..it.end as usize].fill(0));
    for format in [Format::Raw, Format::Zstd] {
        let place = Location::new();
        let file = place.file("os", &encode(format, &whole)).await;
        let (bytes, summary) = decoded(&file, place.options(), &stretches).await;
        assert!(bytes == without, "{format}: something else is given");
        assert_eq!(summary.decoded_sha256, Digest::of(&whole), "{format}");
        assert_eq!(unmapped(&summary), [(1, 2), (40, 10), (96, 1)], "{format}");
        // The next flash may want all of it.
        let (bytes, summary) = decoded(&file, place.options(), &[]).await;
        assert!(bytes == whole, "{format}: the copy is not whole");
        assert!(summary.unmapped_length == 0, "{format}: {:?}", summary.cached);
        let (bytes, summary) = decoded(&file, place.options(), &stretches).await;
        assert!(bytes == without, "{format}: a copy gives something else");
        assert_eq!(unmapped(&summary), [(1, 2), (40, 10), (96, 1)], "{format}");
    }
}

#[tokio::test]
async fn zeros_left_alone_once_are_written_by_the_next_flash() {
    let place = Location::new();
    let file = place.file("os", &mostly_unmapped()).await;
    let stretch = 160 * BLOCK..192 * BLOCK;
    let (_, first) = decoded(&file, place.options(), std::slice::from_ref(&stretch)).await;
    let (_, second) = decoded(&file, place.options(), &[]).await;
    assert_eq!((first.cached, second.cached), (Cached::Kept, Cached::Hit));
    let is_unmapped = |summary: &[crate::Range]| {
        let inside =
            summary.iter().filter(|it| it.offset < stretch.end && stretch.start < it.offset + it.length);
        inside.map(|it| it.kind).collect::<Vec<_>>()
    };
    assert!(is_unmapped(&first.ranges).iter().all(|kind| *kind == RangeKind::Unmapped));
    assert!(is_unmapped(&second.ranges).contains(&RangeKind::Zero), "the copy calls them unmapped");
}

#[tokio::test]
async fn the_head_is_the_first_bytes() {
    let image = [noise(100_000), vec![0; 3 << 20]].concat();
    for (stored, whole) in
        [(encode(Format::Gzip, &image), &image[..]), (image[..777].to_vec(), &image[..777])]
    {
        let place = Location::new();
        let file = place.file("os", &stored).await;
        let image = Image::open(&file, place.options()).await.unwrap();
        assert!(image.head().await.unwrap() == whole[..whole.len().min(crate::LOOK)]);
    }
}
