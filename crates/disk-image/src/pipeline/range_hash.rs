//! The digest of a range of an image, which is often nothing but zeros.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::pipeline::chunk::is_zero;
use crate::{BLOCK, Digest};

/// Hashes one range after the other. Zeros at the beginning of a range are not hashed before something else follows them, and
/// the digest of so many zeros is made only once: comparing memory is much faster than hashing it.
#[derive(Debug, Default)]
pub struct RangeHash {
    hash: Sha256,
    /// Zeros that begin the range and are not hashed yet, in bytes.
    zeros: u64,
    /// Whether anything was hashed.
    hashed: bool,
    /// Digests of so many zeros.
    known: BTreeMap<u64, Digest>,
}

impl RangeHash {
    /// Takes the next bytes of the range.
    pub fn update(&mut self, bytes: &[u8]) {
        if !self.hashed && is_zero(bytes) {
            self.zeros += bytes.len() as u64;
            return;
        }
        if !self.hashed {
            hash_zeros(&mut self.hash, std::mem::take(&mut self.zeros));
            self.hashed = true;
        }
        self.hash.update(bytes);
    }

    /// Whether there was nothing but zeros so far.
    pub fn is_zero(&self) -> bool {
        !self.hashed
    }

    /// The digest of the range; the next bytes begin another one.
    pub fn finish(&mut self) -> Digest {
        if std::mem::take(&mut self.hashed) {
            return digest(std::mem::take(&mut self.hash));
        }
        let length = std::mem::take(&mut self.zeros);
        *self.known.entry(length).or_insert_with(|| zeros(length))
    }
}

fn zeros(length: u64) -> Digest {
    let mut hash = Sha256::new();
    hash_zeros(&mut hash, length);
    digest(hash)
}

fn hash_zeros(hash: &mut Sha256, length: u64) {
    static ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];
    let mut left = length;
    while left > 0 {
        let count = left.min(BLOCK);
        hash.update(&ZEROS[..count as usize]);
        left -= count;
    }
}

fn digest(hash: Sha256) -> Digest {
    <[u8; 32]>::from(hash.finalize()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_the_digests_of_their_bytes_wherever_zeros_are() {
        let mut hash = RangeHash::default();
        let ranges: [&[&[u8]]; 7] = [
            &[],
            &[&[0; 70_000], &[0; 3]],
            &[&[0; 70_000], &[0, 1], &[0; 9]],
            &[&[1, 0], &[0; 9]],
            &[&[0; 70_003]],
            &[&[0; 5], &[7; 5], &[0; 5], &[7; 5]],
            &[&[0]],
        ];
        for extents in ranges {
            extents.iter().for_each(|extent| hash.update(extent));
            let all = extents.concat();
            assert_eq!(hash.is_zero(), all.iter().all(|byte| *byte == 0));
            assert_eq!(hash.finish(), Digest::of(&all), "{} bytes", all.len());
        }
    }
}
