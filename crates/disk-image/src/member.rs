//! One member (gzip, bzip2), stream (xz) or frame (zstd) of compressed data, as a step from input to output.

use flate2::{FlushDecompress, Status as GzipStatus};
use liblzma::stream::{Action, Status as XzStatus, Stream, TELL_UNSUPPORTED_CHECK};
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

use crate::Format;

/// Memory that xz data may demand, in MiB; `xz -9` needs 65.
const XZ_MEMORY: u64 = 256;
/// Largest zstd window, as a power of two; `zstd --long` makes windows of that size.
const ZSTD_WINDOW_LOG: u32 = 27;

/// What one step did, in bytes.
pub(crate) struct Step {
    pub(crate) consumed: usize,
    pub(crate) produced: usize,
    /// The member is complete and its checksum right.
    pub(crate) end: bool,
}

/// Why a step cannot be done.
#[derive(Debug)]
pub(crate) enum Failure {
    Corrupt(String),
    /// More memory is needed than the limit, in MiB.
    Memory(u64),
}

/// Decodes one member.
pub(crate) trait Member {
    /// Decodes from `input` into `output`, some of either. No `input` means that there is no more.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Failure>;
}

/// A decoder for the next member of `format`; none for raw data.
pub(crate) fn start(format: Format) -> Result<Option<Box<dyn Member>>, Failure> {
    Ok(Some(match format {
        Format::Raw => return Ok(None),
        Format::Gzip => Box::new(Gzip(flate2::Decompress::new_gzip(15))), // RFC 1951: windows of 32 KiB
        Format::Xz => Box::new(Xz(xz_stream()?)),
        Format::Zstd => Box::new(Zstd(zstd_decoder()?)),
        Format::Bzip2 => Box::new(Bzip2(bzip2::Decompress::new(false))),
    }))
}

struct Gzip(flate2::Decompress);

impl Member for Gzip {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Failure> {
        let before = (self.0.total_in(), self.0.total_out());
        let status = self.0.decompress(input, output, FlushDecompress::None);
        let status =
            status.map_err(|e| Failure::Corrupt(e.message().unwrap_or("invalid data").to_owned()))?;
        Ok(progress(before, (self.0.total_in(), self.0.total_out()), status == GzipStatus::StreamEnd))
    }
}

struct Bzip2(bzip2::Decompress);

impl Member for Bzip2 {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Failure> {
        let before = (self.0.total_in(), self.0.total_out());
        let status = self.0.decompress(input, output).map_err(|e| Failure::Corrupt(e.to_string()))?;
        Ok(progress(before, (self.0.total_in(), self.0.total_out()), status == bzip2::Status::StreamEnd))
    }
}

struct Xz(Stream);

fn xz_stream() -> Result<Stream, Failure> {
    Stream::new_stream_decoder(XZ_MEMORY << 20, TELL_UNSUPPORTED_CHECK).map_err(xz_failure)
}

fn xz_failure(error: liblzma::stream::Error) -> Failure {
    use liblzma::stream::Error;
    match error {
        Error::MemLimit | Error::Mem => Failure::Memory(XZ_MEMORY),
        Error::UnsupportedCheck => Failure::Corrupt("its integrity check is unknown".into()),
        other => Failure::Corrupt(other.to_string()),
    }
}

impl Member for Xz {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Failure> {
        let before = (self.0.total_in(), self.0.total_out());
        let action = if input.is_empty() { Action::Finish } else { Action::Run };
        let status = self.0.process(input, output, action).map_err(xz_failure)?;
        Ok(progress(before, (self.0.total_in(), self.0.total_out()), status == XzStatus::StreamEnd))
    }
}

struct Zstd(ZstdDecoder<'static>);

fn zstd_decoder() -> Result<ZstdDecoder<'static>, Failure> {
    let mut decoder = ZstdDecoder::new().map_err(zstd_failure)?;
    decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG)).map_err(zstd_failure)?;
    Ok(decoder)
}

/// zstd tells its errors by text only.
fn zstd_failure(error: std::io::Error) -> Failure {
    let text = error.to_string();
    match text.contains("too much memory") {
        true => Failure::Memory(1 << (ZSTD_WINDOW_LOG - 20)),
        false => Failure::Corrupt(text),
    }
}

impl Member for Zstd {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Failure> {
        let (mut from, mut to) = (InBuffer::around(input), OutBuffer::around(output));
        let left = self.0.run(&mut from, &mut to).map_err(zstd_failure)?;
        Ok(Step { consumed: from.pos(), produced: to.pos(), end: left == 0 })
    }
}

fn progress(before: (u64, u64), after: (u64, u64), end: bool) -> Step {
    Step { consumed: (after.0 - before.0) as usize, produced: (after.1 - before.1) as usize, end }
}
