//! The expect engine: one owner of the byte stream, a bounded buffer, waits with a deadline.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use console_record::EscapeFilter;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::error::{Error, Tail};
use crate::pattern::Pattern;
use crate::transcript::Transcript;

/// What is kept of text that no pattern has matched, in bytes; the oldest is dropped.
pub(crate) const BUFFER: usize = 1024 * 1024;
/// One read, in bytes.
const CHUNK: usize = 64 * 1024;
/// A board that takes longer to accept what is sent has stopped listening.
const SEND_WITHIN: Duration = Duration::from_secs(5);
/// A deadline that never comes.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// A byte stream to a board: a serial port, a socket, a pty.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// The console of a board. Owns the stream; dropping it closes the stream.
pub struct Console {
    stream: Box<dyn ByteStream>,
    transcript: Transcript,
    state: Box<State>,
}

struct State {
    chunk: Vec<u8>,
    filter: EscapeFilter,
    clean: Vec<u8>,
    buffer: BytesMut,
    /// Bytes of text ever received; the end of the buffer.
    received: u64,
    /// Bytes ever read, and those of them that are no text in any console's character set.
    read: u64,
    unreadable: u64,
    pacing: Duration,
    /// The prompt of the U-Boot that was asked to boot: seeing it again means that the boot failed.
    uboot_prompt: Option<String>,
}

/// A match of [`Console::expect`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which pattern matched, as an index into the list.
    pub index: usize,
    /// What came before the match since the last one; of more than 1 MiB the end.
    pub before: Vec<u8>,
    /// What matched.
    pub matched: Vec<u8>,
}

impl Console {
    /// A console over `stream` that records everything in `transcript`.
    pub fn new(stream: Box<dyn ByteStream>, transcript: Transcript) -> Self {
        let state = State {
            chunk: vec![0; CHUNK],
            filter: EscapeFilter::default(),
            clean: Vec::with_capacity(CHUNK),
            buffer: BytesMut::new(),
            received: 0,
            read: 0,
            unreadable: 0,
            pacing: Duration::ZERO,
            uboot_prompt: None,
        };
        Self { stream, transcript, state: Box::new(state) }
    }

    /// Sends `bytes` as they are, at the pace of [`Self::set_pacing`]. What arrives meanwhile is buffered.
    ///
    /// # Errors
    /// [`Error::Timeout`] when the stream does not take them within 5 s (each of them, when they are paced: a busy
    /// machine makes pauses longer), [`Error::Closed`] when it ended, [`Error::Io`] when it failed.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.transcript.sent(bytes);
        let pacing = self.state.pacing;
        let step = if pacing.is_zero() { bytes.len().max(1) } else { 1 };
        for piece in bytes.chunks(step) {
            match timeout(SEND_WITHIN, self.write(piece)).await {
                Ok(Ok(())) => {}
                Ok(Err(source)) => return Err(self.stream_error(source, "the stream to take what is sent")),
                Err(_) => return Err(self.timeout_error("room in the stream for what is sent", SEND_WITHIN)),
            }
            if !pacing.is_zero() {
                sleep(pacing).await;
            }
        }
        Ok(())
    }

    /// Waits for one of `patterns`. The match that begins earliest in the stream wins, of several at one place the
    /// first in the list; everything through the match is consumed. The stream continues where the last match ended.
    ///
    /// # Errors
    /// [`Error::Timeout`] when none came `within` that time, [`Error::Closed`] when the stream ended,
    /// [`Error::Io`] when it failed.
    pub async fn expect(&mut self, patterns: &[Pattern], within: Duration) -> Result<Found, Error> {
        match self.look(patterns, deadline(within)).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(self.timeout_error(&alternatives(patterns), within)),
            Err(source) => Err(self.stream_error(source, &alternatives(patterns))),
        }
    }

    /// Reads for this time; what comes is kept for the next wait. A line that ends meanwhile is waited out: the next wait reports it.
    pub async fn listen(&mut self, during: Duration) {
        let end = deadline(during);
        while matches!(self.fill(end).await, Ok(true)) {}
        tokio::time::sleep_until(end).await;
    }

    /// The record of this console.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Forgets what is buffered. What the board has sent and was not read yet is not touched.
    pub fn discard(&mut self) {
        self.state.buffer.clear();
    }

    /// Waits `pause` after each byte that is sent, for boards that lose characters. Zero is the default.
    pub fn set_pacing(&mut self, pause: Duration) {
        self.state.pacing = pause;
    }

    /// The pause after each byte.
    pub fn pacing(&self) -> Duration {
        self.state.pacing
    }

    /// As [`Self::expect`], but not finding anything until the deadline is not an error.
    pub(crate) async fn expect_until(
        &mut self,
        patterns: &[Pattern],
        until: Instant,
    ) -> Result<Option<Found>, Error> {
        self.look(patterns, until).await.map_err(|source| self.stream_error(source, &alternatives(patterns)))
    }

    /// Reads until nothing has come for `quiet`, for at most `longest`.
    pub(crate) async fn settle(&mut self, quiet: Duration, longest: Duration) -> Result<(), Error> {
        let end = deadline(longest);
        while Instant::now() < end {
            if !self.hear_until(deadline(quiet).min(end)).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads once; whether something came before the deadline.
    pub(crate) async fn hear_until(&mut self, until: Instant) -> Result<bool, Error> {
        self.fill(until).await.map_err(|source| self.stream_error(source, "the line to go quiet"))
    }

    /// What is buffered and not consumed.
    pub(crate) fn buffered(&self) -> &[u8] {
        &self.state.buffer
    }

    /// Bytes of text ever received.
    pub(crate) fn received(&self) -> u64 {
        self.state.received
    }

    /// Bytes ever read, and how many of them are no text: a line at the wrong speed gives mostly such.
    pub(crate) fn readable(&self) -> (u64, u64) {
        (self.state.read, self.state.unreadable)
    }

    /// The unfinished line: what came after the last line end and was not consumed.
    pub(crate) fn unfinished(&self) -> &[u8] {
        let ends = |byte: &u8| matches!(byte, b'\r' | b'\n');
        self.state.buffer.rsplit(ends).next().unwrap_or_default()
    }

    /// Remembers the prompt whose return means that a boot failed.
    pub(crate) fn set_uboot_prompt(&mut self, prompt: Option<String>) {
        self.state.uboot_prompt = prompt;
    }

    pub(crate) fn uboot_prompt(&self) -> Option<&str> {
        self.state.uboot_prompt.as_deref()
    }

    /// The last lines, for an error.
    pub(crate) fn tail(&self) -> Tail {
        Tail(self.transcript.tail(Tail::LINES))
    }

    pub(crate) fn timeout_error(&self, waited_for: &str, within: Duration) -> Error {
        Error::Timeout { waited_for: self.transcript.masked(waited_for), within, tail: self.tail() }
    }

    fn stream_error(&self, source: io::Error, waited_for: &str) -> Error {
        let tail = self.tail();
        match is_end(&source) {
            true => Error::Closed { waited_for: self.transcript.masked(waited_for), tail },
            false => Error::Io { source, tail },
        }
    }

    async fn look(&mut self, patterns: &[Pattern], until: Instant) -> io::Result<Option<Found>> {
        let mut scanned = self.state.start();
        loop {
            if let Some(found) = self.state.take_match(patterns, scanned) {
                return Ok(Some(found));
            }
            scanned = self.state.received;
            if !self.fill(until).await? {
                return Ok(None);
            }
        }
    }

    /// Reads once; whether something came before the deadline. The only way to read while nothing is sent: no caller can
    /// wait without saying how long. Nothing is lost when it is cancelled.
    async fn fill(&mut self, until: Instant) -> io::Result<bool> {
        // A stream that always has something would keep the timer from being asked.
        if Instant::now() >= until {
            return Ok(false);
        }
        match timeout_at(until, self.stream.read(&mut self.state.chunk)).await {
            Err(_) => Ok(false),
            Ok(length) => self.accept(length?).map(|()| true),
        }
    }

    fn accept(&mut self, length: usize) -> io::Result<()> {
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.state.accept(length);
        self.transcript.received(&self.state.clean);
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = self.write_some(rest).await?;
            rest = &rest[written..];
        }
        self.stream.flush().await
    }

    /// Writes what the stream takes; reads while it takes nothing, as the board may be waiting for us to do so.
    async fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let Self { stream, state, .. } = self;
            let step = poll_fn(|context| {
                if let Poll::Ready(written) = Pin::new(&mut **stream).poll_write(context, bytes) {
                    return Poll::Ready(written.map(ReadStep::Wrote));
                }
                let mut read = ReadBuf::new(&mut state.chunk);
                let polled = Pin::new(&mut **stream).poll_read(context, &mut read);
                polled.map_ok(|()| ReadStep::Read(read.filled().len()))
            });
            match step.await? {
                ReadStep::Wrote(0) => return Err(io::ErrorKind::WriteZero.into()),
                ReadStep::Wrote(length) => return Ok(length),
                ReadStep::Read(length) => self.accept(length)?,
            }
        }
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console")
            .field("buffered", &self.state.buffer.len())
            .field("received", &self.state.received)
            .field("pacing", &self.state.pacing)
            .finish_non_exhaustive()
    }
}

enum ReadStep {
    Wrote(usize),
    Read(usize),
}

impl State {
    /// Where the buffer begins in the stream.
    fn start(&self) -> u64 {
        self.received - self.buffer.len() as u64
    }

    fn accept(&mut self, length: usize) {
        self.read += length as u64;
        self.unreadable += self.chunk[..length].iter().filter(|byte| is_no_text(**byte)).count() as u64;
        self.clean.clear();
        self.filter.feed(&self.chunk[..length], &mut self.clean);
        self.received += self.clean.len() as u64;
        self.buffer.extend_from_slice(&self.clean);
        self.buffer.advance(self.buffer.len().saturating_sub(BUFFER));
    }

    /// Takes the earliest match; up to `scanned` in the stream there is none.
    fn take_match(&mut self, patterns: &[Pattern], scanned: u64) -> Option<Found> {
        let scanned = usize::try_from(scanned.saturating_sub(self.start())).unwrap_or(usize::MAX);
        let scanned = scanned.min(self.buffer.len());
        let matches = patterns.iter().enumerate();
        let found =
            matches.filter_map(|(index, pattern)| Some((index, pattern.find(&self.buffer, scanned)?)));
        let (index, range) = found.min_by_key(|(index, range)| (range.start, *index))?;
        let before = self.buffer.split_to(range.start).to_vec();
        let matched = self.buffer.split_to(range.len()).to_vec();
        Some(Found { index, before, matched })
    }
}

/// Whether no console prints it: neither ASCII text nor one of the control characters that terminals know.
fn is_no_text(byte: u8) -> bool {
    const TERMINAL: [u8; 8] = [0x03, 0x07, 0x08, b'\t', b'\n', b'\x0c', b'\r', 0x1b];
    byte >= 0x7f || byte < 0x20 && !TERMINAL.contains(&byte)
}

/// The end of `within` from now.
pub(crate) fn deadline(within: Duration) -> Instant {
    Instant::now() + within.min(FAR)
}

/// A pty whose other side is gone fails with EIO instead of ending.
fn is_end(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    let kinds = [
        io::ErrorKind::UnexpectedEof,
        io::ErrorKind::BrokenPipe,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::WriteZero,
    ];
    kinds.contains(&error.kind()) || error.raw_os_error() == Some(EIO)
}

fn alternatives(patterns: &[Pattern]) -> String {
    patterns.iter().map(Pattern::shown).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests;
