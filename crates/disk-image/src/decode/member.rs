//! One member (gzip, bzip2), stream (xz) or frame (zstd) of compressed data, as a step from input to output.

use flate2::{FlushDecompress, Status as GzipStatus};
use liblzma::stream::{Action, MtStreamBuilder, Status as XzStatus, Stream};
use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;
use zstd::zstd_safe::{DCtx, DParameter, ErrorCode, InBuffer, OutBuffer, get_error_name};

use crate::Format;

/// Memory that xz data may demand, in MiB; `xz -9` needs 65.
const XZ_MEMORY: u64 = 256;
/// Memory that decoding of xz blocks side by side may take, in MiB; with more it is one after the other.
const XZ_THREADS_MEMORY: u64 = 48;
/// Integrity checks that are verified: none, CRC32, CRC64, SHA-256 (The .xz File Format 1.2.1, section 2.1.1.2).
const XZ_CHECKS: [u8; 4] = [0, 1, 4, 10];
/// Bytes of a member that [`start`] looks at.
pub(crate) const HEAD: usize = 8;
/// Largest zstd window, as a power of two; `zstd --long` makes windows of that size.
const ZSTD_WINDOW_LOG: u32 = 27;
/// What a zstd step gives when the window is larger, or the machine has too little memory: a code is the negative of its error.
const ZSTD_WINDOW_TOO_LARGE: ErrorCode =
    (ZSTD_ErrorCode::ZSTD_error_frameParameter_windowTooLarge as usize).wrapping_neg();
const ZSTD_NO_MEMORY: ErrorCode = (ZSTD_ErrorCode::ZSTD_error_memory_allocation as usize).wrapping_neg();

/// What one step did, in bytes.
pub(crate) struct MemberStep {
    pub(crate) consumed: usize,
    pub(crate) produced: usize,
    /// The member is complete and its checksum right.
    pub(crate) end: bool,
}

/// Why a step cannot be done.
#[derive(Debug)]
pub(crate) enum StepFailure {
    Corrupt(String),
    /// More memory is needed than the limit, in MiB.
    Memory(u64),
}

/// Decodes one member.
pub(crate) trait Member {
    /// Decodes from `input` into `output`, some of either. No `input` means that there is no more.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<MemberStep, StepFailure>;
}

/// A decoder for the next member of `format`, which begins with `head`.
pub(crate) fn start(format: Format, head: &[u8]) -> Result<Box<dyn Member>, StepFailure> {
    Ok(match format {
        Format::Gzip => Box::new(Gzip(flate2::Decompress::new_gzip(15))), // RFC 1951: windows of 32 KiB
        Format::Xz => Box::new(Xz(xz_stream(head)?)),
        Format::Zstd => Box::new(Zstd(zstd_decoder()?)),
        Format::Bzip2 => Box::new(Bzip2(bzip2::Decompress::new(false))),
        other => return Err(StepFailure::Corrupt(format!("{other} has no members"))),
    })
}

struct Gzip(flate2::Decompress);

impl Member for Gzip {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<MemberStep, StepFailure> {
        let before = (self.0.total_in(), self.0.total_out());
        let status = self.0.decompress(input, output, FlushDecompress::None);
        let status =
            status.map_err(|e| StepFailure::Corrupt(e.message().unwrap_or("invalid data").to_owned()))?;
        Ok(progress(before, (self.0.total_in(), self.0.total_out()), status == GzipStatus::StreamEnd))
    }
}

struct Bzip2(bzip2::Decompress);

impl Member for Bzip2 {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<MemberStep, StepFailure> {
        let before = (self.0.total_in(), self.0.total_out());
        let status = self.0.decompress(input, output).map_err(|e| StepFailure::Corrupt(e.to_string()))?;
        Ok(progress(before, (self.0.total_in(), self.0.total_out()), status == bzip2::Status::StreamEnd))
    }
}

struct Xz(Stream);

/// Decodes blocks side by side if there are several. That decoder would not tell of a check it cannot verify.
fn xz_stream(head: &[u8]) -> Result<Stream, StepFailure> {
    if head.get(7).is_some_and(|check| !XZ_CHECKS.contains(check)) {
        return Err(StepFailure::Corrupt("its integrity check is unknown".into()));
    }
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get().min(8));
    let mut builder = MtStreamBuilder::new();
    builder
        .threads(threads as u32)
        .memlimit_threading(XZ_THREADS_MEMORY << 20)
        .memlimit_stop(XZ_MEMORY << 20);
    builder.decoder().map_err(xz_failure)
}

fn xz_failure(error: liblzma::stream::Error) -> StepFailure {
    use liblzma::stream::Error;
    match error {
        Error::MemLimit | Error::Mem => StepFailure::Memory(XZ_MEMORY),
        other => StepFailure::Corrupt(other.to_string()),
    }
}

impl Member for Xz {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<MemberStep, StepFailure> {
        let before = (self.0.total_in(), self.0.total_out());
        let action = if input.is_empty() { Action::Finish } else { Action::Run };
        let status = self.0.process(input, output, action).map_err(xz_failure)?;
        Ok(progress(before, (self.0.total_in(), self.0.total_out()), status == XzStatus::StreamEnd))
    }
}

struct Zstd(DCtx<'static>);

fn zstd_decoder() -> Result<DCtx<'static>, StepFailure> {
    let mut decoder = DCtx::try_create().ok_or_else(|| zstd_failure(ZSTD_NO_MEMORY))?;
    decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG)).map_err(zstd_failure)?;
    Ok(decoder)
}

fn zstd_failure(code: ErrorCode) -> StepFailure {
    match code {
        ZSTD_WINDOW_TOO_LARGE | ZSTD_NO_MEMORY => StepFailure::Memory(1 << (ZSTD_WINDOW_LOG - 20)),
        other => StepFailure::Corrupt(get_error_name(other).to_owned()),
    }
}

impl Member for Zstd {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<MemberStep, StepFailure> {
        let (mut from, mut to) = (InBuffer::around(input), OutBuffer::around(output));
        let left = self.0.decompress_stream(&mut to, &mut from).map_err(zstd_failure)?;
        Ok(MemberStep { consumed: from.pos(), produced: to.pos(), end: left == 0 })
    }
}

fn progress(before: (u64, u64), after: (u64, u64), end: bool) -> MemberStep {
    MemberStep { consumed: (after.0 - before.0) as usize, produced: (after.1 - before.1) as usize, end }
}
