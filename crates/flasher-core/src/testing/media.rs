//! Media that held an image, and then something happened to them: what must never be taken for the image.

/// What a medium is full of where no image is.
pub const OTHER: u8 = 0xa5;

/// Seeded dice (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ word >> 31) % limit.max(1) as u64) as usize
    }
}

/// A medium of `size` bytes that held `image`, which has 1 MiB and more, and what happened to it: one of six things, the last of which is
/// nothing. The same seed gives the same medium.
pub fn changed(image: &[u8], size: usize, seed: u64) -> (Vec<u8>, &'static str) {
    const PART: usize = 65_536;
    let (mut dice, length) = (Dice(seed), image.len());
    let mut medium = image.to_vec();
    medium.resize(size.max(length), OTHER);
    let what = match seed % 6 {
        0 => {
            medium[dice.below(length)] ^= 1 << dice.below(8);
            "one bit"
        }
        1 => {
            medium[dice.below(length)..].fill(OTHER);
            "a stale tail"
        }
        2 => {
            let (one, other) = (dice.below(8) * PART, (8 + dice.below(8)) * PART);
            let (low, high) = medium.split_at_mut(other);
            low[one..one + PART].swap_with_slice(&mut high[..PART]);
            "two extents that changed places"
        }
        3 => {
            medium[dice.below(PART)] ^= 0x10;
            "another first block"
        }
        4 => {
            let end = dice.below(length);
            medium[end..length].fill(0);
            "it ends early"
        }
        _ => "nothing",
    };
    (medium, what)
}
