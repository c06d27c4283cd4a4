//! Which extents an image of data, zeros and unmapped makes.

use super::*;
use crate::pipeline::chunk::chunk_length;

const B: usize = BLOCK as usize;

#[test]
fn only_a_gap_worth_a_command_is_a_piece_of_its_own() {
    for (image, extents) in [
        ("d", "d1"),
        ("z", "d1"), // the first block is withheld whatever it holds
        ("x", "x1"), // the first block is not touched when the image does not care about it
        ("xd", "x1 d1"),
        ("n", "d1"),
        ("dd", "d1 d1"),
        ("zzzzzzzzzzzzzzzz", "d1 d15"),
        ("zzzzzzzzzzzzzzzzz", "d1 z16"),
        ("xxxxxxxxxxxxxxxxx", "x17"),
        ("xzzzzzzzzzzzzzzzzd", "x1 z16 d1"),
        ("xxd", "x1 d2"),
        ("dzzzzzzzzzzzzzzzzd", "d1 z16 d1"),
        ("dxxxxxxxxxxxxxxxxd", "d1 x16 d1"),
        ("dzzzzzzzzzzzzzzzd", "d1 d15 d1"),
        ("dxxxxxxxxxxxxxxxd", "d1 d15 d1"),
        ("ddzdd", "d1 d4"),
        ("ddxdd", "d1 d4"),
        ("dzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzd", "d1 z40 d1"),
        ("dxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxd", "d1 x40 d1"),
        ("ddddddddzzzzzzzzzzzzzzzzdddddddd", "d1 d7 z16 d8"),
        ("ddddddddxxxxxxxxxxxxxxxxdddddddd", "d1 d7 x16 d8"),
        ("ddddddddzzzzzzzzzzzzzzzddddddddd", "d1 d7 d8 d16"),
        ("dzzzzzzzzzzzzzzzzxxxxxxxxxxxxxxxxd", "d1 z16 x16 d1"),
        ("ddddddddzzzzzzzzzzzzzzzzxxxxxxxxxxxxxxxx", "d1 d7 z16 x16"),
        ("ddddddddzzzzzzzzxxxxxxxxzzzzzzzz", "d1 d7 d8 d8 d8"), // three short runs of different kinds
        ("dddddddddddddddddddddzzzzzzxxxxx", "d1 d15 d11 d5"),
        ("dnnnnnnnnnnnnnnnn", "d1 d15 d1"), // need not be written, but holds something
        ("dxxxxxxxxxxxxxxxxnxxxxxxxxxxxxxxxx", "d1 x16 d1 x16"),
    ] {
        assert_eq!(shape(image), extents, "{image}");
    }
}

/// The extents of an image whose blocks are `d`ata, `z`eros, don't care (`x`, or `n` if not zero), with their lengths in blocks.
fn shape(image: &str) -> String {
    let name = |extent: &Extent| match extent {
        Extent::Data { bytes, .. } => format!("d{}", bytes.len() / B),
        Extent::Zero { length, .. } => format!("z{}", *length as usize / B),
        Extent::Unmapped { length, .. } => format!("x{}", *length as usize / B),
    };
    extents(image, GAPS).iter().map(name).collect::<Vec<_>>().join(" ")
}

fn extents(image: &str, allowed: u64) -> Vec<Extent> {
    let (mut mapper, mut joiner) = (Mapper { allowed, ..Mapper::default() }, ExtentBuilder::default());
    let mut rest = image;
    while !rest.is_empty() {
        let length = chunk_length(((image.len() - rest.len()) * B) as u64) / B;
        let (blocks, behind) = rest.split_at(length.min(rest.len()));
        mapper.push(&chunk(blocks));
        rest = behind;
    }
    mapper.finish();
    let mut extents: Vec<Extent> = mapper.take().into_iter().flat_map(|part| joiner.push(part)).collect();
    extents.extend(joiner.end());
    extents
}

#[test]
fn a_long_gap_is_told_in_bounded_parts_while_it_is_found() {
    for (image, expected) in [
        ("dz1024d", "d1 z1024 d1"),
        ("dz2058d", "d1 z1039 z1019 d1"),
        ("dx3000", "d1 x1039 x1024 x937"),
        ("dz1030x1030", "d1 z1030 x1030"),
    ] {
        assert_eq!(shape(&spelt(image)), expected, "{image}");
    }
}

#[test]
fn once_short_gaps_are_used_up_only_longer_ones_are_told() {
    for (image, expected) in [
        ("dz16d", "d1 z16 d1"),
        ("dz16dz16dz16d", "d1 z16 d15 z16 d1 d15 d1 d1"),
        ("dz16dz16dz32dz31dz32", "d1 z16 d15 z16 d1 z32 d15 d15 d2 z32"),
        ("dx16dx16dx40d", "d1 x16 d15 x16 d1 x40 d1"),
    ] {
        let blocks = spelt(image);
        let shape: Vec<(u64, bool)> =
            extents(&blocks, 2).iter().map(|extent| (extent.length() / BLOCK, is_gap(extent))).collect();
        let gaps = |text: &str| {
            let gaps = text.split(' ').filter(|extent| !extent.starts_with('d'));
            gaps.map(|extent| extent[1..].parse().unwrap()).collect::<Vec<u64>>()
        };
        let found: Vec<u64> = shape.iter().filter(|(_, gap)| *gap).map(|(length, _)| *length).collect();
        assert_eq!(found, gaps(expected), "{image}");
        assert_eq!(shape.iter().map(|(length, _)| length).sum::<u64>(), blocks.len() as u64, "{image}");
    }
}

#[test]
fn eight_fragmented_gibibytes_have_a_bounded_number_of_gaps() {
    const LENGTH: u64 = 8 << 30;
    // A block of data, then just enough zeros for a gap, over and over.
    let chunks: Vec<Bytes> = (0..17)
        .map(|phase| {
            let data = |block: usize| u8::from((block + phase).is_multiple_of(17));
            Bytes::from((0..16).map(|block| [data(block); B]).collect::<Vec<_>>().concat())
        })
        .collect();
    let (mut mapper, mut joiner, mut gaps) = (Mapper::default(), ExtentBuilder::default(), 0);
    let mut offset = 0;
    while offset < LENGTH {
        let bytes = chunks[(offset / BLOCK % 17) as usize].slice(..chunk_length(offset));
        offset += bytes.len() as u64;
        mapper.push(&Chunk { bytes, unmapped: 0 });
        let extents = mapper.take().into_iter().flat_map(|part| joiner.push(part));
        gaps += extents.filter(is_gap).count() as u64;
    }
    assert_eq!(gaps, GAPS);
}

fn is_gap(extent: &Extent) -> bool {
    !matches!(extent, Extent::Data { .. })
}

/// `dz3` for `dzzz`.
fn spelt(text: &str) -> String {
    let mut spelt = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let mut count = String::new();
        while let Some(digit) = letters.next_if(char::is_ascii_digit) {
            count.push(digit);
        }
        spelt.extend(std::iter::repeat_n(letter, count.parse().unwrap_or(1)));
    }
    spelt
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(96))]

    #[test]
    fn alternating_data_and_gaps(
        image in "[dzx]([dzx][1-9]?[0-9]?){1,40}"
    ) {
        let blocks = spelt(&image);
        let (mut at, mut gaps) = (0, 0);
        for extent in extents(&blocks, 2) {
            assert_eq!(extent.offset(), at);
            let stretch = &blocks[(at / BLOCK) as usize..][..(extent.length() / BLOCK) as usize];
            match &extent {
                Extent::Data { bytes, .. } => {
                    let is_data = |(block, kind)| u8::from(kind == b'd') == bytes[block * B];
                    assert!(stretch.bytes().enumerate().all(is_data));
                }
                Extent::Zero { .. } => assert!(stretch.bytes().all(|kind| kind == b'z')),
                Extent::Unmapped { .. } => assert!(stretch.bytes().all(|kind| kind == b'x')),
            }
            // The first block is an extent of its own, however short.
            if is_gap(&extent) && at > 0 {
                assert!(extent.length() >= CHUNK << (gaps / 2), "gap {gaps} of {image}");
                gaps += 1;
            }
            at += extent.length();
        }
        assert_eq!(at, blocks.len() as u64 * BLOCK);
    }
}

fn chunk(blocks: &str) -> Chunk {
    // Copied block by block: byte by byte takes half a minute without optimisation.
    let bytes = blocks.bytes().map(|kind| [u8::from(b"dn".contains(&kind)); B]).collect::<Vec<_>>().concat();
    let bit = |(index, kind)| u16::from(b"xn".contains(&kind)) << index;
    Chunk { bytes: bytes.into(), unmapped: blocks.bytes().enumerate().map(bit).sum() }
}
