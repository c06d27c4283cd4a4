//! Withholding the first block, and clipping pieces to the ranges that are written again.

use disk_image::{Digest, RangeKind};
use futures_util::StreamExt;

use super::*;

fn data(offset: u64, length: u64) -> Extent {
    let bytes: Vec<u8> = (offset..offset + length).map(|at| at as u8).collect();
    Extent::Data { offset, bytes: bytes.into() }
}

fn stretch(piece: &Extent) -> (u64, u64) {
    (piece.offset(), piece.length())
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
fn a_piece_is_cut_to_the_range_that_is_written_again() {
    let range = |offset, length| Range { offset, length, sha256: Digest::of(b""), kind: RangeKind::Data };
    let cases = [
        (data(100, 50), range(0, 100), None),
        (data(100, 50), range(120, 10), Some((120, 10))),
        (data(100, 50), range(0, 110), Some((100, 10))),
        (data(100, 50), range(140, 500), Some((140, 10))),
        (Extent::Zero { offset: 0, length: 1000 }, range(10, 20), Some((10, 20))),
    ];
    for (piece, range, expected) in cases {
        let cut = clip(&piece, &range);
        assert_eq!(cut.as_ref().map(stretch), expected);
        if let Some(Extent::Data { offset, bytes }) = cut {
            assert_eq!(bytes[0], offset as u8);
        }
    }
}

#[tokio::test]
async fn a_stream_can_be_had_once() {
    let (outlet, inlet) = mpsc::channel(1);
    let on_medium = OnMedium::default();
    let content = stream_once(inlet, on_medium.clone());
    let mut body = content.open().unwrap();
    assert!(content.open().is_none(), "a second reader would get the middle of the image");
    assert_eq!(on_medium.now(), MediumState::Untouched);
    outlet.send(Ok(Bytes::from_static(b"data"))).await.unwrap();
    assert_eq!(body.next().await.unwrap().unwrap(), "data");
    assert_eq!(on_medium.now(), MediumState::PartlyWritten { to: 0 }, "what left may be on the medium");
}
