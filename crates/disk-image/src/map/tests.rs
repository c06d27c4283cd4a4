//! Which pieces an image of data, zeros and don't-care makes.

use super::*;

const B: usize = BLOCK as usize;

#[test]
fn only_a_gap_worth_a_command_is_a_piece_of_its_own() {
    for (image, pieces) in [
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
        assert_eq!(shape(image), pieces, "{image}");
    }
}

/// The pieces of an image whose blocks are `d`ata, `z`eros, don't care (`x`, or `n` if not zero), with their lengths in blocks.
fn shape(image: &str) -> String {
    let name = |piece: &Piece| match piece {
        Piece::Data { bytes, .. } => format!("d{}", bytes.len() / B),
        Piece::Zero { length, .. } => format!("z{}", *length as usize / B),
        Piece::DontCare { length, .. } => format!("x{}", *length as usize / B),
    };
    pieces(image, GAPS).iter().map(name).collect::<Vec<_>>().join(" ")
}

fn pieces(image: &str, allowed: u64) -> Vec<Piece> {
    let (mut mapper, mut joiner) = (Mapper { allowed, ..Mapper::default() }, Joiner::default());
    let mut rest = image;
    while !rest.is_empty() {
        let length = chunk_length(((image.len() - rest.len()) * B) as u64) / B;
        let (blocks, behind) = rest.split_at(length.min(rest.len()));
        mapper.push(&chunk(blocks));
        rest = behind;
    }
    mapper.finish();
    let mut pieces: Vec<Piece> = mapper.take().into_iter().flat_map(|part| joiner.push(part)).collect();
    pieces.extend(joiner.end());
    pieces
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
            pieces(&blocks, 2).iter().map(|piece| (piece.length() / BLOCK, is_gap(piece))).collect();
        let gaps = |text: &str| {
            let gaps = text.split(' ').filter(|piece| !piece.starts_with('d'));
            gaps.map(|piece| piece[1..].parse().unwrap()).collect::<Vec<u64>>()
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
            Bytes::from((0..16).flat_map(|block| [data(block); B]).collect::<Vec<u8>>())
        })
        .collect();
    let (mut mapper, mut joiner, mut gaps) = (Mapper::default(), Joiner::default(), 0);
    let mut offset = 0;
    while offset < LENGTH {
        let bytes = chunks[(offset / BLOCK % 17) as usize].slice(..chunk_length(offset));
        offset += bytes.len() as u64;
        mapper.push(&Chunk { bytes, dont_care: 0 });
        let pieces = mapper.take().into_iter().flat_map(|part| joiner.push(part));
        gaps += pieces.filter(is_gap).count() as u64;
    }
    assert_eq!(gaps, GAPS);
}

fn is_gap(piece: &Piece) -> bool {
    !matches!(piece, Piece::Data { .. })
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
    fn however_data_and_gaps_take_turns_every_block_comes_once_and_gaps_grow(
        image in "[dzx]([dzx][1-9]?[0-9]?){1,40}"
    ) {
        let blocks = spelt(&image);
        let (mut at, mut gaps) = (0, 0);
        for piece in pieces(&blocks, 2) {
            assert_eq!(piece.offset(), at);
            let stretch = &blocks[(at / BLOCK) as usize..][..(piece.length() / BLOCK) as usize];
            match &piece {
                Piece::Data { bytes, .. } => {
                    let is_data = |(block, kind)| u8::from(kind == b'd') == bytes[block * B];
                    assert!(stretch.bytes().enumerate().all(is_data));
                }
                Piece::Zero { .. } => assert!(stretch.bytes().all(|kind| kind == b'z')),
                Piece::DontCare { .. } => assert!(stretch.bytes().all(|kind| kind == b'x')),
            }
            // The first block is a piece of its own, however short.
            if is_gap(&piece) && at > 0 {
                assert!(piece.length() >= CHUNK << (gaps / 2), "gap {gaps} of {image}");
                gaps += 1;
            }
            at += piece.length();
        }
        assert_eq!(at, blocks.len() as u64 * BLOCK);
    }
}

fn chunk(blocks: &str) -> Chunk {
    let bytes: Vec<u8> = blocks.bytes().flat_map(|kind| [u8::from(b"dn".contains(&kind)); B]).collect();
    let bit = |(index, kind)| u16::from(b"xn".contains(&kind)) << index;
    Chunk { bytes: bytes.into(), dont_care: blocks.bytes().enumerate().map(bit).sum() }
}
