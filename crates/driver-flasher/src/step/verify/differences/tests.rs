//! Media of each kind, played on a model of them.

use bytes::Bytes;

use super::*;

const MIB: usize = 1 << 20;

/// Bytes that do not repeat.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Plays the images, and compares these stretches of `medium` with the first one.
fn play(images: &[&[u8]], medium: &[u8], stretches: &[(usize, usize)]) -> Differences {
    let cut = |(from, to): &(usize, usize)| MediumBytes {
        offset: *from as u64,
        bytes: medium[*from..*to].to_vec(),
    };
    let mut differences = Differences::new(0, stretches.iter().map(cut).collect());
    for (image, bytes) in images.iter().enumerate() {
        for (index, part) in bytes.chunks(MIB).enumerate() {
            let bytes = Bytes::copy_from_slice(part);
            differences.take(image, &Extent::Data { offset: (index * MIB) as u64, bytes });
        }
    }
    differences
}

#[test]
fn one_flipped_bit_is_told_with_its_place_and_both_values() {
    let image = noise(3 * MIB, 1);
    for at in [65_536, 700_000, MIB - 3, MIB, 3 * MIB - 1] {
        let mut medium = image.clone();
        medium[at] ^= 4;
        let differences = play(&[&image], &medium, &[(65_536, 3 * MIB)]);
        let end = (at + SHOWN).min(3 * MIB);
        let (expected, read) = (image[at..end].to_vec(), medium[at..end].to_vec());
        assert_eq!(differences.first(), Some(&First { offset: at as u64, count: 1, expected, read }));
        assert_eq!(differences.cause(true), None, "{at}");
    }
    assert_eq!(play(&[&image], &image, &[(0, MIB)]).first(), None);
}

#[test]
fn zeros_that_are_none_are_told() {
    let mut differences = Differences::new(0, vec![MediumBytes { offset: 4096, bytes: vec![0, 0, 7, 8] }]);
    differences.take(0, &Extent::Zero { offset: 0, length: 65_536 });
    let first = First { offset: 4098, count: 2, expected: vec![0, 0], read: vec![7, 8] };
    assert_eq!(differences.first(), Some(&first));
}

/// The image as a medium shows it that holds `real` bytes and wraps round.
fn wrapped(image: &[u8], real: usize) -> Vec<u8> {
    let mut cells = vec![0; real];
    image.iter().enumerate().for_each(|(at, byte)| cells[at % real] = *byte);
    (0..image.len()).map(|at| cells[at % real]).collect()
}

#[test]
fn a_medium_that_wraps_round_is_named_with_what_it_holds() {
    let image = noise(7 * MIB, 2);
    for real in [2 * MIB, 4 * MIB, 5 * MIB + 3 * 4096, 6 * MIB + 512] {
        let medium = wrapped(&image, real);
        let samples: Vec<(usize, usize)> = (1..7).map(|at| (at * MIB, at * MIB + 4096)).collect();
        let stretches = [vec![(65_536, MIB)], samples].concat();
        let cause = play(&[&image], &medium, &stretches).cause(false);
        let Some(Cause::Wraps { held, at, from }) = cause else { panic!("{real}: {cause:?}") };
        assert_eq!(held, real as u64);
        assert_eq!(medium[at as usize..][..512], image[from as usize..][..512], "{real}");
    }
}

#[test]
fn a_medium_that_drops_is_named_and_a_bad_block_is_not() {
    let image = noise(4 * MIB, 3);
    for (from, to, to_the_end, held) in [
        (3 * MIB, 4 * MIB, true, Some(3 * MIB)),
        (4 * MIB - 65_536, 4 * MIB, true, Some(4 * MIB - 65_536)),
        // Something behind it is right.
        (3 * MIB, 4 * MIB, false, None),
        (3 * MIB, 3 * MIB + 8192, true, None),
        (4 * MIB - 4096, 4 * MIB, true, None),
        // Nothing is kept at all: broken, whatever it holds.
        (65_536, 4 * MIB, true, None),
    ] {
        let mut medium = image.clone();
        medium[from..to].fill(0xa5);
        let differences = play(&[&image], &medium, &[(65_536, 4 * MIB)]);
        let held = held.map(|held| Cause::Drops { held: held as u64 });
        assert_eq!(differences.cause(to_the_end), held, "{from}-{to}");
    }
}

#[test]
fn what_another_image_of_the_job_wrote_is_named() {
    let (one, other) = (noise(MIB, 4), noise(MIB, 5));
    let cause = play(&[&one, &other], &other, &[(65_536, MIB)]).cause(true);
    assert_eq!(cause, Some(Cause::Shares { image: 1, at: 65_536, from: 65_536 }));
}

#[test]
fn an_image_that_repeats_itself_makes_no_counterfeit_medium() {
    let block = noise(4096, 6);
    let image: Vec<u8> = block.iter().copied().cycle().take(4 * MIB).collect();
    let mut medium = image.clone();
    medium[MIB + 1] ^= 1;
    assert_eq!(play(&[&image], &medium, &[(65_536, 4 * MIB)]).cause(false), None);
}
