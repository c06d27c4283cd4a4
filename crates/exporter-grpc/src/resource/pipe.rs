//! The two directions of a resource, as blocking readers and writers for worker threads.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::encoding::{self, Encoding};
use crate::failure::{CallFailure, CallResult};
use crate::minimum_rate::MinimumRate;

/// Pieces on their way from a client; they have 64 KiB each.
const QUEUE: usize = 8;
/// Pieces on their way to a client, which may never take them.
const OUTGOING: usize = 2;
/// Bytes of one piece that goes to a client.
const PIECE: usize = 256 * 1024;

/// What arrives from a client, or from an HTTP server.
#[derive(Debug)]
pub(crate) enum StreamItem {
    Data(Bytes),
    /// All of it has arrived. Without this the sender went away before the end.
    End,
    /// It will never be whole.
    Broken(CallFailure),
}

/// One stream with a client, as the call that uses it sees it.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(super) incoming: mpsc::Receiver<StreamItem>,
    pub(super) outgoing: mpsc::Sender<CallResult<Bytes>>,
    pub(super) encoding: Option<Encoding>,
}

/// The ends of a [`Pipe`] that the stream itself serves.
#[derive(Debug)]
pub(crate) struct PipeEnds {
    pub(crate) incoming: mpsc::Sender<StreamItem>,
    pub(crate) outgoing: mpsc::Receiver<CallResult<Bytes>>,
}

impl Pipe {
    pub(crate) fn new(encoding: Option<Encoding>) -> (Self, PipeEnds) {
        let ((to_us, incoming), (outgoing, to_them)) = (mpsc::channel(QUEUE), mpsc::channel(OUTGOING));
        (Self { incoming, outgoing, encoding }, PipeEnds { incoming: to_us, outgoing: to_them })
    }

    /// Whether the client's stream is gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.outgoing.is_closed()
    }
}

/// Where the data of a call comes from.
#[derive(Debug)]
pub(crate) struct DataSource {
    pieces: mpsc::Receiver<StreamItem>,
    encoding: Option<Encoding>,
    /// Kept until the data is used up: dropping it ends the client's stream.
    _answer: Option<mpsc::Sender<CallResult<Bytes>>>,
}

impl DataSource {
    pub(crate) fn stream(pipe: Pipe) -> Self {
        Self { pieces: pipe.incoming, encoding: pipe.encoding, _answer: Some(pipe.outgoing) }
    }

    /// Pieces of something else than a client's stream, not compressed.
    pub(crate) fn pieces() -> (mpsc::Sender<StreamItem>, Self) {
        let (sender, pieces) = mpsc::channel(QUEUE);
        (sender, Self { pieces, encoding: None, _answer: None })
    }

    /// Whether the data comes as it is, not compressed.
    pub(crate) fn is_plain(&self) -> bool {
        self.encoding.is_none()
    }

    /// What comes next, as it was sent.
    pub(crate) async fn next(&mut self) -> StreamItem {
        self.pieces.recv().await.unwrap_or_else(|| StreamItem::Broken(CallFailure::gone()))
    }

    /// Copies all of it, decompressed. Blocks; ends with an error when the sender goes away before the end.
    pub(crate) fn copy_to(self, to: &mut impl Write) -> CallResult<u64> {
        if self.encoding.is_none() {
            return self.copy_plain_to(to);
        }
        let broken = Arc::new(Mutex::new(None));
        let reader = PipeReader {
            pieces: self.pieces,
            minimum_rate: MinimumRate::default(),
            current: Bytes::new(),
            ended: false,
            broken: Arc::clone(&broken),
        };
        let mut reader = encoding::decoded(reader, self.encoding).map_err(|error| unpack(&error))?;
        let mut buffer = vec![0; PIECE];
        let mut copied = 0;
        loop {
            let count = match reader.read(&mut buffer) {
                Ok(0) => return Ok(copied),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let cause = broken.lock().unwrap_or_else(PoisonError::into_inner).take();
                    return Err(cause.unwrap_or_else(|| unpack(&error)));
                }
            };
            written(to.write_all(&buffer[..count]))?;
            copied += count as u64;
        }
    }

    /// The same when nothing is to be unpacked: every piece as it is.
    fn copy_plain_to(mut self, to: &mut impl Write) -> CallResult<u64> {
        let (mut copied, mut minimum_rate) = (0, MinimumRate::default());
        loop {
            match minimum_rate.block_on(self.pieces.recv())? {
                Some(StreamItem::Data(data)) => {
                    minimum_rate.moved(data.len());
                    written(to.write_all(&data))?;
                    copied += data.len() as u64;
                }
                Some(StreamItem::End) => return Ok(copied),
                Some(StreamItem::Broken(failure)) => return Err(failure),
                None => return Err(CallFailure::gone()),
            }
        }
    }
}

fn written(done: io::Result<()>) -> CallResult<()> {
    done.map_err(|error| CallFailure::io("write", "the file", &error))
}

fn unpack(error: &io::Error) -> CallFailure {
    CallFailure::argument(format!("what the client sent cannot be decompressed: {error}"))
}

/// Pieces as a blocking reader.
struct PipeReader {
    pieces: mpsc::Receiver<StreamItem>,
    minimum_rate: MinimumRate,
    current: Bytes,
    ended: bool,
    /// Why it broke, as the wire wants to know it.
    broken: Arc<Mutex<Option<CallFailure>>>,
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            let piece = self.minimum_rate.block_on(self.pieces.recv());
            match piece.map_err(|failure| self.fail(failure))? {
                Some(StreamItem::Data(data)) => {
                    self.minimum_rate.moved(data.len());
                    self.current = data;
                }
                Some(StreamItem::End) => self.ended = true,
                Some(StreamItem::Broken(failure)) => return Err(self.fail(failure)),
                None => return Err(self.fail(CallFailure::gone())),
            }
        }
        let count = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

impl PipeReader {
    fn fail(&self, failure: CallFailure) -> io::Error {
        let error = io::Error::new(io::ErrorKind::ConnectionAborted, failure.text.clone());
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        error
    }
}

/// Where the data of a call goes.
#[derive(Debug)]
pub(crate) struct Sink {
    pieces: mpsc::Sender<CallResult<Bytes>>,
    encoding: Option<Encoding>,
    /// What the receiver makes of it, when it has something to say.
    verdict: Option<JoinHandle<CallResult<()>>>,
}

impl Sink {
    pub(crate) fn stream(pipe: Pipe) -> Self {
        Self { pieces: pipe.outgoing, encoding: pipe.encoding, verdict: None }
    }

    /// A sink whose pieces something else than a client's stream takes.
    pub(crate) fn pieces(
        take: impl FnOnce(mpsc::Receiver<CallResult<Bytes>>) -> JoinHandle<CallResult<()>>,
    ) -> Self {
        let (pieces, receiver) = mpsc::channel(OUTGOING);
        Self { pieces, encoding: None, verdict: Some(take(receiver)) }
    }

    /// Copies all of `from`, compressed; gives what to wait for afterwards. Blocks; an error also ends the stream with one.
    pub(crate) fn copy_from(self, from: &mut impl Read) -> CallResult<Option<JoinHandle<CallResult<()>>>> {
        let copied = self.copy(from);
        let (Err(failure), Ok(runtime)) = (&copied, Handle::try_current()) else {
            return copied.map(|()| self.verdict);
        };
        let failure = failure.clone();
        match self.verdict {
            // The receiver of the data has given up, and knows why.
            Some(verdict) if failure == CallFailure::gone() => Ok(Some(runtime.spawn(async move {
                match verdict.await {
                    Ok(Err(reason)) => Err(reason),
                    _ => Err(failure),
                }
            }))),
            _ => {
                // A client that reads nothing gets it late or never, and no worker waits for that.
                let (pieces, reported) = (self.pieces, failure.clone());
                runtime.spawn(async move { pieces.send(Err(reported)).await });
                Err(failure)
            }
        }
    }

    fn copy(&self, from: &mut impl Read) -> CallResult<()> {
        let slow = RateCheck::default();
        let to = PipeWriter {
            pieces: self.pieces.clone(),
            minimum_rate: MinimumRate::default(),
            slow: Arc::clone(&slow),
        };
        let sent = |error| {
            slow.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_else(|| sent(&error))
        };
        let mut writer = encoding::encoder(to, self.encoding).map_err(sent)?;
        let mut buffer = vec![0; PIECE];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return writer.finish().map_err(sent),
                Ok(count) => writer.write_all(&buffer[..count]).map_err(sent)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(CallFailure::io("read", "the file", &error)),
            }
        }
    }
}

fn sent(error: &io::Error) -> CallFailure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => CallFailure::gone(),
        _ => CallFailure::io("send", "the file", error),
    }
}

/// Pieces as a blocking writer.
struct PipeWriter {
    pieces: mpsc::Sender<CallResult<Bytes>>,
    minimum_rate: MinimumRate,
    /// That the receiver is too slow, as the wire wants to know it.
    slow: RateCheck,
}

type RateCheck = Arc<Mutex<Option<CallFailure>>>;

impl Write for PipeWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let sent = self.minimum_rate.block_on(self.pieces.send(Ok(Bytes::copy_from_slice(data))));
        let sent = sent.map_err(|failure| {
            let error = io::Error::new(io::ErrorKind::TimedOut, failure.text.clone());
            *self.slow.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            error
        })?;
        self.minimum_rate.moved(data.len());
        sent.map(|()| data.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
