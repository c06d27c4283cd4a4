//! How a receipt says that something was written, read back or checked: each in one of the words there are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which digest was the demanded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckedDigest {
    /// That of the source, as it was fetched.
    Source,
    /// That of the decoded image.
    Decoded,
}

/// How a read-back went around the page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CacheBypass {
    /// It read directly, past the cache.
    Direct,
    /// The cache was dropped before.
    Dropped,
    /// The boot loader read it, which has no page cache; its small cache of blocks was off, where it has one.
    Bootloader,
}

/// Who made the digests of what was read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DigestsBy {
    /// The exporter, to which the board sent the bytes.
    Exporter,
    /// The board.
    Board,
    /// More than one of these, each of some ranges.
    Both,
    /// No digest was made: the board compared what it read, byte for byte, with bytes of the image that were loaded once more, and its CRC-32
    /// with the one computed here. Equal bytes have equal digests.
    Compared,
}

/// The way to the medium that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ViaUsed {
    /// A small Linux on the board.
    Linux,
    /// The board's boot loader.
    Uboot,
    /// This machine, of which the medium was a disk.
    Host,
}

/// How zeros were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ZerosBy {
    /// The kernel zeroed them on request, and vouches for it.
    Zeroout,
    /// They were discarded, on a device of which the kernel says that it reads as zeros then.
    Discard,
    /// They were written.
    Written,
}

/// How the image travelled to the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WireUsed {
    /// As it is.
    Identity,
    /// Packed with gzip.
    Gzip,
    /// Packed with zstd.
    Zstd,
    /// The board fetched the image by itself.
    Direct,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_say_what_they_always_said() {
        fn check<T: Serialize + for<'d> Deserialize<'d> + PartialEq + std::fmt::Debug>(all: &[(T, &str)]) {
            for (value, word) in all {
                assert_eq!(serde_json::to_value(value).unwrap(), *word);
                assert_eq!(serde_json::from_value::<T>((*word).into()).unwrap(), *value);
            }
            let error = serde_json::from_value::<T>("pigeon".into()).unwrap_err().to_string();
            assert!(error.starts_with("unknown variant `pigeon`, expected"), "{error}");
        }
        check(&[(CheckedDigest::Source, "source"), (CheckedDigest::Decoded, "decoded")]);
        check(&[
            (CacheBypass::Direct, "direct"),
            (CacheBypass::Dropped, "dropped"),
            (CacheBypass::Bootloader, "bootloader"),
        ]);
        check(&[
            (DigestsBy::Exporter, "exporter"),
            (DigestsBy::Board, "board"),
            (DigestsBy::Both, "both"),
            (DigestsBy::Compared, "compared"),
        ]);
        check(&[(ViaUsed::Linux, "linux"), (ViaUsed::Uboot, "uboot"), (ViaUsed::Host, "host")]);
        check(&[(ZerosBy::Zeroout, "zeroout"), (ZerosBy::Discard, "discard"), (ZerosBy::Written, "written")]);
        check(&[
            (WireUsed::Identity, "identity"),
            (WireUsed::Gzip, "gzip"),
            (WireUsed::Zstd, "zstd"),
            (WireUsed::Direct, "direct"),
        ]);
    }
}
