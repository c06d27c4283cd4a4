//! The map of an image: whatever it holds, the extents are the image and the digests are those of its ranges.

use pretty_assertions::assert_eq;
use proptest::prelude::*;

use super::*;
use crate::{BLOCK, RANGE, RangeKind};

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn pieces_are_the_image_and_ranges_have_its_digests(
        parts in proptest::collection::vec((any::<bool>(), 1usize..3_000_000), 1..8),
        format in proptest::sample::select(vec![Format::Raw, Format::Zstd]),
    ) {
        let parts: Vec<Vec<u8>> = parts.iter().map(|(data, length)| part(*data, *length)).collect();
        let image = parts.concat();
        tokio::runtime::Runtime::new().unwrap().block_on(check_map(&image, &encode(format, &image)));
    }
}

fn part(data: bool, length: usize) -> Vec<u8> {
    if data { noise(length) } else { vec![0; length] }
}

#[tokio::test]
async fn an_image_of_several_ranges_is_mapped() {
    let image = [noise(20 << 20), vec![0; 40 << 20], noise((1 << 20) + 123)].concat();
    let decoded = check_map(&image, &image).await;
    let ranges: Vec<(u64, RangeKind)> = decoded.summary.ranges.iter().map(|r| (r.offset, r.kind)).collect();
    let (data, zero) = (RangeKind::Data, RangeKind::Zero);
    let expected = [(0, data), (BLOCK, data), (RANGE, data), (2 * RANGE, zero), (3 * RANGE, data)];
    assert_eq!(ranges, expected);
    assert_eq!(decoded.summary.zero_length, 40 << 20);
}

#[tokio::test]
async fn small_images_are_one_range() {
    for length in [1, 511, BLOCK as usize - 1, BLOCK as usize] {
        let decoded = check_map(&noise(length), &noise(length)).await;
        assert_eq!(decoded.summary.ranges.len(), 1, "{length}");
    }
}

#[tokio::test]
async fn an_image_of_zeros_is_its_first_block_and_a_gap() {
    let decoded = check_map(&vec![0; 8 << 20], &vec![0; 8 << 20]).await;
    assert_eq!(decoded.summary.data_length, BLOCK);
    assert!(decoded.summary.ranges.iter().all(|range| range.kind == RangeKind::Zero));
}

/// Decodes `stored` and checks every promise about the extents and ranges of `image`.
async fn check_map(image: &[u8], stored: &[u8]) -> Decoded {
    let decoded = decode_bytes(stored).await.expect("a sound image");
    assert!(decoded.bytes() == image, "the extents are the image");
    decoded.extents.iter().for_each(|extent| check_piece(extent, image.len() as u64));
    let summary = &decoded.summary;
    assert_eq!(decoded.extents[0].length(), summary.ranges[0].length, "the first extent is the first range");
    assert_eq!(summary.decoded_sha256, Digest::of(image));
    assert_eq!(summary.source_sha256, Digest::of(stored));
    assert_eq!(summary.decoded_length, image.len() as u64);
    let zeros = decoded.extents.iter().filter(|extent| matches!(extent, Extent::Zero { .. }));
    assert_eq!(summary.zero_length, zeros.map(Extent::length).sum::<u64>());
    assert_eq!(summary.data_length + summary.zero_length, summary.decoded_length);
    check_ranges(summary, image);
    check_no_gap_is_missed(&decoded.extents);
    decoded
}

fn check_piece(extent: &Extent, image_length: u64) {
    let (offset, length) = (extent.offset(), extent.length());
    assert_eq!(offset % BLOCK, 0);
    assert!(length % BLOCK == 0 || offset + length == image_length, "{offset}+{length}");
    match extent {
        Extent::Data { .. } => {
            assert!(length > 0 && offset / crate::CHUNK == (offset + length - 1) / crate::CHUNK)
        }
        Extent::Zero { .. } | Extent::Unmapped { .. } => {
            assert!(length >= crate::CHUNK && length % BLOCK == 0)
        }
    }
}

fn check_ranges(summary: &Summary, image: &[u8]) {
    let mut offset = 0;
    for range in &summary.ranges {
        let end = if offset == 0 { BLOCK } else { (offset / RANGE + 1) * RANGE }.min(image.len() as u64);
        assert_eq!((range.offset, range.length), (offset, end - offset));
        let bytes = &image[offset as usize..end as usize];
        assert_eq!(range.sha256, Digest::of(bytes));
        assert_eq!(range.kind == RangeKind::Zero, bytes.iter().all(|byte| *byte == 0));
        offset = end;
    }
    assert_eq!(offset, image.len() as u64, "the ranges are the image");
}

/// Behind the first block, no run of zero blocks within data is long enough for an extent of its own.
fn check_no_gap_is_missed(extents: &[Extent]) {
    let mut run = 0;
    for extent in &extents[1..] {
        let Extent::Data { bytes, .. } = extent else {
            assert_eq!(run, 0, "zeros in front of a gap belong to it");
            continue;
        };
        for block in bytes.chunks(BLOCK as usize) {
            let zero = block.len() as u64 == BLOCK && block.iter().all(|byte| *byte == 0);
            run = if zero { run + BLOCK } else { 0 };
            assert!(run < crate::CHUNK, "a gap of {run} bytes is data");
        }
    }
}
