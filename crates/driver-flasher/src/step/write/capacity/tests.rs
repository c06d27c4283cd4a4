//! What a medium of each kind shows of the marks, played on a model of it.

use super::*;

const MIB: u64 = 1 << 20;

/// What becomes of a write behind the real end.
#[derive(Clone, Copy)]
enum Beyond {
    Wraps,
    Drops,
}

/// How much a medium that tells `size` MiB and holds `real` seems to hold, for an image of this length of which all counts, or of none.
fn seems(size: u64, real: u64, beyond: Beyond, length: Option<u64>) -> Option<u64> {
    let cell = |place: u64| match beyond {
        Beyond::Wraps => Some(place % real),
        Beyond::Drops => Some(place).filter(|place| *place < real),
    };
    let places = marked(length);
    let marks: BTreeMap<u64, Digest> =
        places.iter().map(|place| (*place, Digest::of(place.to_le_bytes()))).collect();
    let mut cells = BTreeMap::new();
    let order = [0].into_iter().chain(places.iter().rev().copied().filter(|place| *place != 0));
    for place in order {
        cell(place).map(|cell| cells.insert(cell, marks[&place]));
    }
    let nothing = Digest::of(b"zeros");
    let shown = |place: u64| cell(place).and_then(|cell| cells.get(&cell).copied()).unwrap_or(nothing);
    let read = places.iter().copied().chain(distances(size * MIB)).map(|place| (place, shown(place)));
    held(&marks, &read.collect())
}

#[test]
fn a_medium_that_lies_is_named_with_what_it_seems_to_hold() {
    use Beyond::{Drops, Wraps};
    let whole = 1 << 50;
    for (size, real, beyond, length, expected) in [
        (64, whole, Wraps, Some(60 * MIB), None),
        (64, 32 * MIB, Wraps, Some(60 * MIB), Some(32 * MIB)),
        (64, 32 * MIB, Wraps, Some(5 * MIB), Some(32 * MIB)),
        (64, 32 * MIB, Wraps, None, Some(32 * MIB)),
        (64, 48 * MIB, Wraps, Some(60 * MIB), Some(48 * MIB)),
        (64, 8 * MIB, Wraps, Some(60 * MIB), Some(8 * MIB)),
        (65536, 8192 * MIB, Wraps, None, Some(8192 * MIB)),
        (64, 32 * MIB, Drops, Some(60 * MIB), Some(32 * MIB)),
        // Not distinguished from one bad block; the comparison of everything shows it.
        (64, 60 * MIB - 8192, Drops, Some(60 * MIB), None),
        (64, 0, Drops, Some(60 * MIB), None),
        (64, 32 * MIB, Drops, Some(5 * MIB), None),
        (64, 32 * MIB, Drops, None, None),
    ] {
        assert_eq!(seems(size, real, beyond, length), expected, "{size} MiB, real {real}, image {length:?}");
    }
}

#[test]
fn marks_lie_inside_the_image_in_whole_pages() {
    for length in [MARK, BLOCK, BLOCK + 1, MIB, 3_600_123, 60 * MIB, (60 * MIB) + 17] {
        let places = marked(Some(length));
        assert!(
            places.iter().all(|place| place.is_multiple_of(MARK) && place + MARK <= length),
            "{places:?}"
        );
        assert_eq!(places[0], 0);
        assert!(places.len() < 2 || places[1] >= BLOCK);
    }
    assert_eq!(marked(None), [0]);
    assert!(distances(64 << 30).len() <= DISTANCES);
}

#[test]
fn a_counterfeit_medium_is_named_as_such() {
    let target = Target { device: "/dev/mmcblk0".to_owned(), size: 64 * MIB, direct: true, old_table: false };
    let error = counterfeit(&target, 32 * MIB);
    assert_eq!(
        error.to_string(),
        "`/dev/mmcblk0` tells 64 MiB and seems to hold 32 MiB: it is counterfeit or broken"
    );
    assert!(error.class() == Class::Medium && !error.is_retryable());
    let little = counterfeit(&target, 64 << 10).to_string();
    assert!(little.contains("seems to hold 64 KiB"), "{little}");
}
