//! Withholding the first block, clipping extents to the ranges that are written again, and what becomes of one extent.

use disk_image::{Digest, RangeKind};

use super::*;

fn data(offset: u64, length: u64) -> Extent {
    let bytes: Vec<u8> = (offset..offset + length).map(|at| at as u8).collect();
    Extent::Data { offset, bytes: bytes.into() }
}

fn stretch(extent: &Extent) -> (u64, u64) {
    (extent.offset(), extent.length())
}

#[test]
fn the_first_block_is_kept_back_and_nothing_else() {
    let mut first = BytesMut::new();
    let rest = withhold(data(0, BLOCK + 100), &mut first).unwrap();
    assert_eq!(stretch(&rest), (BLOCK, 100));
    assert_eq!(first.len() as u64, BLOCK);
    assert_eq!((first[1], first[255]), (1, 255));
    assert_eq!(stretch(&withhold(data(BLOCK * 2, 5), &mut first).unwrap()), (BLOCK * 2, 5));
    assert_eq!(first.len() as u64, BLOCK);
}

#[test]
fn first_blocks_of_zeros_or_short_images() {
    let mut zeros = BytesMut::new();
    let rest = withhold(Extent::Zero { offset: 0, length: BLOCK * 3 }, &mut zeros).unwrap();
    assert_eq!(stretch(&rest), (BLOCK, BLOCK * 2));
    assert_eq!(zeros.as_ref(), vec![0; BLOCK as usize]);
    let mut small = BytesMut::new();
    assert!(withhold(data(0, 700), &mut small).is_none());
    assert_eq!(small.len(), 700);
}

#[test]
fn a_extent_is_cut_to_the_range_that_is_written_again() {
    let range = |offset, length| Range { offset, length, sha256: Digest::of(b""), kind: RangeKind::Data };
    let cases = [
        (data(100, 50), range(0, 100), None),
        (data(100, 50), range(120, 10), Some((120, 10))),
        (data(100, 50), range(0, 110), Some((100, 10))),
        (data(100, 50), range(140, 500), Some((140, 10))),
        (Extent::Zero { offset: 0, length: 1000 }, range(10, 20), Some((10, 20))),
    ];
    for (extent, range, expected) in cases {
        let cut = clip(&extent, &range);
        assert_eq!(cut.as_ref().map(stretch), expected);
        if let Some(Extent::Data { offset, bytes }) = cut {
            assert_eq!(bytes[0], offset as u8);
        }
    }
}
