//! Stories of whole images: written by real tools and encoders, stored in files and behind servers, sound and damaged.

mod archive_maps;
mod bmap;
mod cache;
mod companions;
mod errors;
mod extents;
mod external;
mod files;
mod foreign;
mod formats;
mod hostile;
mod http;
mod left_alone;
mod resume;
mod server;
mod shared;
mod simg;
mod tls;
mod wrapped;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{
    Blame, Blamed, Decoding, Digest, Error, Expected, Extent, Format, Image, SourceOptions, Summary,
};

/// Longest wait for anything that must happen soon.
const SOON: Duration = Duration::from_secs(30);

const COMPRESSED: [Format; 5] = [Format::Gzip, Format::Xz, Format::Zstd, Format::Bzip2, Format::Lz4];

/// What a decoding gave.
#[derive(Debug)]
struct Decoded {
    format: Format,
    extents: Vec<Extent>,
    summary: Summary,
}

impl Decoded {
    /// The image put together again.
    fn bytes(&self) -> Vec<u8> {
        let mut image = Vec::new();
        for extent in &self.extents {
            assert_eq!(extent.offset(), image.len() as u64, "extents without gaps");
            match extent {
                Extent::Data { bytes, .. } => image.extend_from_slice(bytes),
                Extent::Zero { length, .. } | Extent::Unmapped { length, .. } => {
                    image.resize(image.len() + *length as usize, 0)
                }
            }
        }
        image
    }
}

/// Who is to blame, whatever there is to do about it.
fn blame_of(error: &Error) -> Blame {
    Blame { next_step: None, root: None, ..error.blame() }
}

async fn decode(source: &str, options: SourceOptions) -> Result<Decoded, Error> {
    drain(&Image::open(source, options).await?).await
}

async fn drain(image: &Image) -> Result<Decoded, Error> {
    take_all(image.format(), image.decode()).await
}

async fn take_all(format: Format, mut decoding: Decoding) -> Result<Decoded, Error> {
    let mut extents = Vec::new();
    while let Some(extent) = within(decoding.next()).await? {
        assert!(decoding.summary().is_none(), "no summary before the end is proven");
        extents.push(extent);
    }
    let summary = decoding.summary().expect("a summary after the end").clone();
    Ok(Decoded { format, extents, summary })
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.expect("in time")
}

/// Writes `bytes` to a file without a telling name and decodes it.
async fn decode_bytes(bytes: &[u8]) -> Result<Decoded, Error> {
    let file = file_of(bytes);
    decode(path_of(file.path()), SourceOptions::default()).await
}

fn file_of(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("its bytes");
    file
}

fn path_of(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// `bytes` stored as `format`, with the checksums that the command-line tools write.
fn encode(format: Format, bytes: &[u8]) -> Vec<u8> {
    fn written<W: Write>(mut writer: W, bytes: &[u8]) -> W {
        writer.write_all(bytes).expect("encoded");
        writer
    }
    match format {
        Format::Raw => Ok(bytes.to_vec()),
        Format::Gzip => {
            written(flate2::write::GzEncoder::new(Vec::new(), Default::default()), bytes).finish()
        }
        Format::Xz => written(liblzma::write::XzEncoder::new(Vec::new(), 1), bytes).finish(),
        Format::Bzip2 => {
            written(bzip2::write::BzEncoder::new(Vec::new(), Default::default()), bytes).finish()
        }
        Format::Zstd => {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
            encoder.include_checksum(true).expect("a checksum");
            written(encoder, bytes).finish()
        }
        Format::Lz4 => {
            let sums = lz4_flex::frame::FrameInfo::new().block_checksums(true).content_checksum(true);
            let encoder = lz4_flex::frame::FrameEncoder::with_frame_info(sums, Vec::new());
            Ok(written(encoder, bytes).finish().expect("encoded"))
        }
        other => panic!("{other} is made elsewhere"),
    }
    .expect("encoded")
}

/// `bytes` through a tool of this machine; `None` if it is not installed.
fn through(tool: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
    let file = file_of(bytes);
    let input = std::fs::File::open(file.path()).expect("the file just written");
    let output =
        Command::new(tool[0]).args(&tool[1..]).stdin(input).stderr(Stdio::inherit()).output().ok()?;
    assert!(output.status.success(), "{tool:?}");
    Some(output.stdout)
}

/// An Android sparse image: a block of data, then 36 MiB of which nothing matters.
fn mostly_unmapped() -> Vec<u8> {
    [
        &b"\x3a\xff\x26\xed\x01\0\0\0\x1c\0\x0c\0\0\x10\0\0\x01\x24\0\0\x02\0\0\0\0\0\0\0"[..],
        b"\xc2\xca\0\0\x01\0\0\0\x10\0\0\0\x01\x02\x03\x04",
        b"\xc3\xca\0\0\0\x24\0\0\x0c\0\0\0",
    ]
    .concat()
}

/// Bytes that no format shrinks, the same in every run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Noise, a large gap, text, a small gap and an odd tail.
fn disk() -> Vec<u8> {
    let text = b"the quick brown fox ".repeat(20_000);
    [noise(700_001), vec![0; 3_000_000], text, vec![0; 100_000], noise(12_345)].concat()
}

fn options_with(sha256: Digest) -> SourceOptions {
    SourceOptions { sha256: Some(sha256), ..SourceOptions::default() }
}
