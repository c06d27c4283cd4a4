//! Everything that can be wrong with a source.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use flasher_base::blame::Blame;

use crate::{Digest, Format, PartitionTable};

/// Why a source could not be opened or decoded. Offsets and lengths are bytes of the source as stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the message of a variant says what its fields are")]
pub enum Error {
    /// No such file.
    #[error("image `{label}` does not exist")]
    Missing { label: String },
    /// A file that cannot be opened.
    #[error("image `{label}` cannot be opened: {source}")]
    Open { label: String, source: io::Error },
    /// A file that cannot be read on.
    #[error("image `{label}` cannot be read at byte {offset}: {source}")]
    Read { label: String, offset: u64, source: io::Error },
    /// The server says 404 or 410.
    #[error("image `{label}` is not on its server (status {status})")]
    NotFound { label: String, status: u16 },
    /// The source has no bytes.
    #[error("image `{label}` is empty (0 bytes)")]
    Empty { label: String },
    /// The source decodes to no bytes.
    #[error("image `{label}` is {format} data that decodes to nothing (0 bytes)")]
    EmptyImage { label: String, format: Format },
    /// A sparse image or a block map that leaves everything out.
    #[error("image `{label}` has no data: all of it is left out, so nothing would be written")]
    NoData { label: String },
    /// The source ends before its length.
    #[error("image `{label}` is truncated: it ends at byte {offset}, its length was {expected} bytes")]
    Short { label: String, offset: u64, expected: u64 },
    /// The source ends inside its compressed data.
    #[error("image `{label}` is truncated: it ends at byte {offset}, inside its {format} data")]
    Truncated { label: String, format: Format, offset: u64 },
    /// The compressed data is damaged.
    #[error("image `{label}` is corrupt near byte {offset} of its {format} data: {reason}")]
    Corrupt { label: String, format: Format, offset: u64, reason: String },
    /// Something follows the end of the compressed data.
    #[error("image `{label}` has something that is not {format} data behind its end, from byte {offset} on")]
    Garbage { label: String, format: Format, offset: u64 },
    /// Decoding would need more memory than is granted.
    #[error(
        "image `{label}` needs more than {limit} MiB of memory to decode its {format} data; compress it with a smaller window or dictionary"
    )]
    Memory { label: String, format: Format, limit: u64 },
    /// Recognised, but not a disk image that can be written as it is.
    #[error(
        "image `{label}` is {found}, expected a raw or Android sparse image, also compressed (gzip, xz, zstd, bzip2, lz4) or alone in a zip or tar archive"
    )]
    Unsupported { label: String, found: &'static str, help: &'static str },
    /// Too short to be an image.
    #[error("image `{label}` has only {length} bytes, less than one sector (512 bytes)")]
    Tiny { label: String, length: u64 },
    /// Nothing that is known to be on whole devices.
    #[error(
        "image `{label}` does not look like something a whole device can hold: no partition table, file system or boot loader is at its beginning (it begins with {begins})"
    )]
    Unknown { label: String, begins: String },
    /// A partition table that says more than there is.
    #[error(
        "image `{label}` is shorter than its own partition table says: it has {length} bytes, {table} ends at byte {}", .table.end
    )]
    BeyondEnd { label: String, table: PartitionTable, length: u64 },
    /// Recognised, but of a kind that holds no one image.
    #[error("{format} data of image `{label}` cannot be used: {reason}")]
    Unusable { label: String, format: Format, reason: String },
    /// Neither digest is the demanded one.
    #[error(
        "image `{label}` has another digest: expected sha256 {expected}{}, the source has {source_sha256}, the decoded image {decoded_sha256}", told_by(.list)
    )]
    DigestDiffers {
        label: String,
        expected: Digest,
        /// The file of checksums that says so; none when the caller does.
        list: Option<String>,
        source_sha256: Digest,
        decoded_sha256: Box<Digest>,
    },
    /// Neither length is the demanded one.
    #[error(
        "image `{label}` has another length: expected {expected} bytes, the source has {source_length}, the decoded image {decoded_length}"
    )]
    LengthDiffers { label: String, expected: u64, source_length: u64, decoded_length: u64 },
    /// A block map that is none, or of an unknown version.
    #[error("block map `{map}` cannot be used: {reason}; give the one that was made for the image, or none")]
    Map { map: String, reason: String },
    /// A block map of an image of another length.
    #[error(
        "block map `{map}` is not the one of image `{label}`: it is for {expected} bytes, the image has {found}; give the one that was made for the image, or none"
    )]
    MapLength { label: String, map: String, expected: u64, found: u64 },
    /// A block map with another checksum.
    #[error(
        "block map `{map}` is not the one of image `{label}`: the checksum of bytes {start} to {end} differs; give the one that was made for the image, or none"
    )]
    MapDiffers { label: String, map: String, start: u64, end: u64 },
    /// A signed block map was demanded, and there is none to look at.
    #[error(
        "image `{label}` has no block map in use, and one that is signed by a key in `{}` is demanded; name it with --bmap, or leave the keys out", .keyring.display()
    )]
    MapAbsent { label: String, keyring: PathBuf },
    /// A block map without the demanded signature.
    #[error(
        "block map `{map}` has no signature beside it (`.asc` or `.sig`); sign it with `gpg --detach-sign`, or use no block map"
    )]
    MapUnsigned { map: String },
    /// A block map whose signature is not one of the keys that are trusted.
    #[error("the signature of block map `{map}` is not one of a key in `{}`: {reason}", .keyring.display())]
    MapSignature { map: String, keyring: PathBuf, reason: String },
    /// A file of checksums without the image.
    #[error(
        "checksums `{list}` cannot be used for image `{label}`: {reason}; pass the digest itself with `--sha256`, or leave the file out with `--no-checksum`"
    )]
    Checksums { label: String, list: String, reason: String },
    /// A block map or file of checksums beyond all measure.
    #[error("`{label}` is longer than {longest} bytes, so it is no block map and no file of checksums")]
    TooLong { label: String, longest: u64 },
    /// A copy in the cache that was changed or damaged.
    #[error(
        "the copy of image `{label}` in the cache is damaged (`{}`, {what}); try again, it is fetched and decoded anew", .copy.display()
    )]
    Copy { label: String, copy: PathBuf, what: String },
    /// No room for standard input.
    #[error("image `{label}` cannot be kept in `{}`: {source}; choose a folder with more room", .folder.display())]
    Spool { label: String, folder: PathBuf, source: io::Error },
    /// Not the object that was opened or decoded before.
    #[error("image `{label}` changed while in use: it was {before}, now it is {now}")]
    Changed { label: String, before: String, now: String },
    /// The server sends the request elsewhere without end, or to nowhere.
    #[error("image `{label}` cannot be fetched: {reason}")]
    Redirect { label: String, reason: String },
    /// The server does not give the part that was asked for, or does not prove of which version it is.
    #[error(
        "image `{label}` cannot be fetched in parts: its server gives others (expected status 206 and its tag)"
    )]
    NoParts { label: String },
    /// The server gives another status than 200.
    #[error("image `{label}` cannot be fetched: its server answered with status {status}{}, expected 200", words(.said))]
    Status { label: String, status: u16, said: Option<String> },
    /// The server's certificate, or the caller's trust.
    #[error("server of image `{label}` is not trusted: {reason}")]
    Untrusted { label: String, reason: String },
    /// A server that does not speak TLS, or none that we speak.
    #[error("server of image `{label}` does not speak TLS as https demands: {reason}")]
    NoTls { label: String, reason: String },
    /// A proxy of the environment that we cannot speak to.
    #[error(
        "image `{label}` cannot be fetched by way of the proxy `{proxy}` of the environment; expected one with http:// or https://, or the image's server in `no_proxy`"
    )]
    Proxy { label: String, proxy: String },
    /// The client that chose the source may not have this fetched.
    #[error("image `{label}` is not fetched: {reason}")]
    NotAllowed { label: String, reason: String },
    /// No connection to the server.
    #[error("server of image `{label}` cannot be reached: {reason}")]
    Connect { label: String, reason: String },
    /// The connection ended early.
    #[error("transfer of image `{label}` was cut at byte {received}{}: {reason}", of_length(.expected))]
    Cut { label: String, received: u64, expected: Option<u64>, reason: String },
    /// The connection is open, but silent.
    #[error("transfer of image `{label}` stalled at byte {received}: no byte for {} s", .waited.as_secs_f64())]
    Stalled { label: String, received: u64, waited: Duration },
    /// The connection is open, but next to silent.
    #[error(
        "transfer of image `{label}` drips: {bytes} bytes in {} s of waiting, at byte {received}", .waited.as_secs()
    )]
    Drips { label: String, received: u64, bytes: u64, waited: Duration },
    /// The server says 401 or 403.
    #[error(
        "server of image `{label}` refuses access (status {status}{}); pass a bearer token or a header it accepts", words(.said)
    )]
    Unauthorized { label: String, status: u16, said: Option<String> },
    /// The end of the transfer proves nothing.
    #[error(
        "image `{label}` is raw and its server tells neither a length nor the end of the transfer, so a cut would go unnoticed; pass its --sha256 or --length"
    )]
    Unframed { label: String },
    /// Standard input that may have been cut short.
    #[error(
        "image `{label}` (standard input) is raw and has no partition table that tells where it ends, so a cut would go unnoticed; pass its --sha256 or --length"
    )]
    Unproven { label: String },
    /// A folder, pipe or the like.
    #[error("image `{label}` is {kind}, expected a file, a block device or a URL")]
    NotAFile { label: String, kind: &'static str },
    /// A URL of another kind or one that does not parse.
    #[error(
        "image `{label}` is not a source that can be opened: {reason}; expected a path, -, file://, http://, https:// or s3://"
    )]
    Url { label: String, reason: String },
    /// A source that the caller opens.
    #[error("image `{label}` cannot be read: {reason}")]
    External { label: String, reason: String, blame: Blame },
    /// A source whose name is a digest, and not the one it has.
    #[error("image `{label}` is not what its name says: expected sha256 {expected}, it has {found}")]
    Misnamed { label: String, expected: Digest, found: Digest },
    /// A header that HTTP does not allow. The value is not shown, it may be a secret.
    #[error("header `{name}` for image `{label}` has characters that HTTP does not allow")]
    Header { label: String, name: String },
    /// The certificate file is of no use.
    #[error("certificates `{}` for image `{label}` cannot be used: {reason}; expected a PEM file", .path.display())]
    Certificates { label: String, path: PathBuf, reason: String },
    /// The machine gives no thread or no TLS.
    #[error("image `{label}` cannot be decoded on this machine: {reason}")]
    Machine { label: String, reason: String },
    /// Asked on after an error.
    #[error("decoding of image `{label}` has ended without a result; decode it from the beginning")]
    Ended { label: String },
}

/// A server's own words.
fn words(said: &Option<String>) -> String {
    said.as_ref().map_or(String::new(), |words| format!(", it says: `{words}`"))
}

/// Who says so.
fn told_by(list: &Option<String>) -> String {
    list.as_ref().map_or(String::new(), |list| format!(" as `{list}` says"))
}

fn of_length(expected: &Option<u64>) -> String {
    expected.map_or(String::new(), |expected| format!(" of {expected}"))
}
