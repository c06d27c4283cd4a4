//! The digests of zeros: what tells a range of zeros from one of data without the image.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// Longest stretch that is hashed, bytes. Ranges end at multiples of 16 MiB.
pub(super) const LONGEST: u64 = 64 << 20;

/// The digests of zeros of each of these lengths, in hex. Hashes no more than the longest of them.
pub(super) fn digests(lengths: impl Iterator<Item = u64>) -> BTreeMap<u64, String> {
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    let mut digests: BTreeMap<u64, String> = lengths.map(|length| (length, String::new())).collect();
    let (mut hash, mut at) = (Sha256::new(), 0);
    for (length, digest) in &mut digests {
        while at < *length {
            let count = (*length - at).min(ZEROS.len() as u64);
            hash.update(&ZEROS[..count as usize]);
            at += count;
        }
        *digest = hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    }
    digests
}
