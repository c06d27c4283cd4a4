//! Android sparse images: which parts are mapped, and what can be wrong with them.

use pretty_assertions::assert_eq;

use super::*;
use crate::{BLOCK, RangeKind};

/// Blocks of a sparse image, in bytes.
const UNIT: usize = 4096;

/// A chunk, in blocks.
enum Chunk<'a> {
    Raw(&'a [u8]),
    Fill([u8; 4], u32),
    Unmapped(u32),
    Crc(u32),
}

use Chunk::{Crc, Fill, Raw, Unmapped};

fn simg(chunks: &[Chunk<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut total = 0;
    for chunk in chunks {
        let (kind, blocks, data): (u16, u32, &[u8]) = match chunk {
            Raw(bytes) => (0xcac1, (bytes.len() / UNIT) as u32, bytes),
            Fill(word, blocks) => (0xcac2, *blocks, word),
            Unmapped(blocks) => (0xcac3, *blocks, &[]),
            Crc(sum) => (0xcac4, 0, &sum.to_le_bytes()),
        };
        total += blocks;
        body.extend([kind.to_le_bytes(), [0; 2]].concat());
        body.extend([blocks.to_le_bytes(), (12 + data.len() as u32).to_le_bytes()].concat());
        body.extend(data);
    }
    let words = [UNIT as u32, total, chunks.len() as u32, 0].map(u32::to_le_bytes).concat();
    [&b"\x3a\xff\x26\xed\x01\0\0\0\x1c\0\x0c\0"[..], &words, &body].concat()
}

fn crc(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

#[tokio::test]
async fn what_a_sparse_image_does_not_care_about_is_told() {
    let (head, tail) = (noise(2 << 20), noise(UNIT));
    let blocks = |mib: u32| mib * 256;
    let image =
        [&head[..], &vec![0; 4 << 20], &b"\x07\0\0\x01".repeat(1 << 18), &vec![0; 2 << 20], &tail].concat();
    let stored = simg(&[
        Raw(&head),
        Unmapped(blocks(3)),
        Unmapped(blocks(1)),
        Fill(*b"\x07\0\0\x01", blocks(1)),
        Crc(crc(&image[..7 << 20])),
        Fill([0; 4], blocks(2)),
        Raw(&tail),
        Crc(crc(&image)),
    ]);
    let decoded = decode_bytes(&stored).await.unwrap();
    assert!(decoded.bytes() == image);
    let summary = &decoded.summary;
    assert_eq!(summary.decoded_sha256, Digest::of(&image));
    assert_eq!((summary.unmapped_length, summary.zero_length), (4 << 20, 2 << 20));
    let gaps: Vec<&Extent> =
        decoded.extents.iter().filter(|extent| !matches!(extent, Extent::Data { .. })).collect();
    let (unmapped, zero) = (
        Extent::Unmapped { offset: 2 << 20, length: 4 << 20 },
        Extent::Zero { offset: 7 << 20, length: 2 << 20 },
    );
    assert_eq!(gaps, [&unmapped, &zero]);
    let ranges: Vec<_> = summary.ranges.iter().map(|range| (range.offset, range.kind)).collect();
    let data = RangeKind::Data;
    assert_eq!(ranges, [(0, data), (BLOCK, data), (2 << 20, RangeKind::Unmapped), (6 << 20, data)]);
}

#[tokio::test]
async fn sparse_images_without_data() {
    let units = 100 * (1 << 20) / UNIT as u32;
    for stored in [simg(&[Unmapped(1)]), simg(&[Unmapped(units)]), simg(&[Unmapped(9), Unmapped(units)])] {
        let error = decode_bytes(&stored).await.expect_err("nothing to write");
        assert!(matches!(error, Error::NoData { .. }), "{error}");
    }
    // The second part of a split image: its first block belongs to the first part.
    let decoded = decode_bytes(&simg(&[Unmapped(units), Raw(&noise(UNIT))])).await.unwrap();
    let first = &decoded.summary.ranges[0];
    assert_eq!((first.offset, first.length, first.kind), (0, BLOCK, RangeKind::Unmapped));
    let Extent::Unmapped { offset: 0, length } = decoded.extents[0] else {
        panic!("{:?}", decoded.extents[0])
    };
    assert!(length >= 64 << 20, "{length}");
    // Zeros that the image lists are written.
    let zeros = decode_bytes(&simg(&[Fill([0; 4], units)])).await.unwrap();
    assert_eq!(zeros.summary.unmapped_length, 0);
}

#[tokio::test]
async fn the_length_of_a_sparse_image_is_told_before_it_is_decoded() {
    let file = file_of(&simg(&[Unmapped(1000), Raw(&[1; UNIT])]));
    let image = Image::open(path_of(file.path()), SourceOptions::default()).await.unwrap();
    assert_eq!((image.format(), image.decoded_length()), (Format::Simg, Some(1001 * UNIT as u64)));
    assert_eq!(drain(&image).await.unwrap().summary.decoded_length, 1001 * UNIT as u64);
}

#[tokio::test]
async fn a_sparse_image_cut_anywhere_is_truncated() {
    let stored = simg(&[Raw(&noise(UNIT)), Unmapped(7), Fill([1, 2, 3, 4], 2), Crc(0)]);
    for length in (4..stored.len()).step_by(5) {
        let error = decode_bytes(&stored[..length]).await.expect_err("cut");
        assert!(matches!(error, Error::Truncated { format: Format::Simg, .. }), "{length}: {error}");
    }
}

#[tokio::test]
async fn a_damaged_sparse_image_is_told_with_its_offset() {
    let raw = noise(UNIT);
    let sound = simg(&[Raw(&raw), Unmapped(1)]);
    let with = |at: usize, bytes: &[u8]| {
        let mut damaged = sound.clone();
        damaged[at..at + bytes.len()].copy_from_slice(bytes);
        damaged
    };
    let second = 28 + 12 + UNIT; // where the second chunk begins
    for (stored, message) in [
        (with(4, &[2]), "corrupt near byte 0 of its simg data: its version is 2, expected 1"),
        (with(8, &[27]), "corrupt near byte 0 of its simg data: its header is too short"),
        (
            with(12, &[2, 0]),
            "corrupt near byte 0 of its simg data: its block size is 2, expected a multiple of four",
        ),
        (with(16, &[1]), "corrupt near byte 4136 of its simg data: its chunks are longer than the image"),
        (with(16, &[9]), "corrupt near byte 4148 of its simg data: it announces 9 blocks and has 2"),
        (with(20, &[1]), "corrupt near byte 4136 of its simg data: it announces 2 blocks and has 1"),
        (with(24, &[1]), "corrupt near byte 4148 of its simg data: its CRC-32 differs"),
        (with(28, &[0xc5]), "corrupt near byte 28 of its simg data: a chunk is of unknown kind 0xcac5"),
        (
            with(28 + 8, &[11]),
            "corrupt near byte 28 of its simg data: a chunk has another length than its kind",
        ),
        (
            with(second, &[0xc1]),
            "corrupt near byte 4136 of its simg data: a chunk has another length than its kind",
        ),
        (simg(&[Raw(&raw), Crc(crc(b"x"))]), "corrupt near byte 4152 of its simg data: its CRC-32 differs"),
        (
            [&sound[..], b"x"].concat(),
            "has something that is not simg data behind its end, from byte 4148 on",
        ),
    ] {
        let error = decode_bytes(&stored).await.expect_err(message).to_string();
        assert!(error.ends_with(message), "{error}");
    }
}
