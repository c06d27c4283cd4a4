//! The two directions of a resource, as blocking readers and writers for worker threads.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::encoding::{self, Encoding};
use crate::failure::{Failure, Outcome};
use crate::pace::Pace;

/// Pieces on their way from a client; they have 64 KiB each.
const QUEUE: usize = 8;
/// Pieces on their way to a client, which may never take them.
const OUTGOING: usize = 2;
/// Bytes of one piece that goes to a client.
const PIECE: usize = 256 * 1024;

/// What arrives from a client, or from an HTTP server.
#[derive(Debug)]
pub(crate) enum Piece {
    Data(Bytes),
    /// All of it has arrived. Without this the sender went away before the end.
    End,
    /// It will never be whole.
    Broken(Failure),
}

/// One stream with a client, as the call that uses it sees it.
#[derive(Debug)]
pub(crate) struct Pipe {
    incoming: mpsc::Receiver<Piece>,
    outgoing: mpsc::Sender<Outcome<Bytes>>,
    encoding: Option<Encoding>,
}

/// The ends of a [`Pipe`] that the stream itself serves.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) incoming: mpsc::Sender<Piece>,
    pub(crate) outgoing: mpsc::Receiver<Outcome<Bytes>>,
}

impl Pipe {
    pub(crate) fn new(encoding: Option<Encoding>) -> (Self, Ends) {
        let ((to_us, incoming), (outgoing, to_them)) = (mpsc::channel(QUEUE), mpsc::channel(OUTGOING));
        (Self { incoming, outgoing, encoding }, Ends { incoming: to_us, outgoing: to_them })
    }

    /// Whether the client's stream is gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.outgoing.is_closed()
    }
}

/// Where the data of a call comes from.
#[derive(Debug)]
pub(crate) struct Source {
    pieces: mpsc::Receiver<Piece>,
    encoding: Option<Encoding>,
    /// Kept until the data is used up: dropping it ends the client's stream.
    _answer: Option<mpsc::Sender<Outcome<Bytes>>>,
}

impl Source {
    pub(crate) fn stream(pipe: Pipe) -> Self {
        Self { pieces: pipe.incoming, encoding: pipe.encoding, _answer: Some(pipe.outgoing) }
    }

    /// Pieces of something else than a client's stream, not compressed.
    pub(crate) fn pieces() -> (mpsc::Sender<Piece>, Self) {
        let (sender, pieces) = mpsc::channel(QUEUE);
        (sender, Self { pieces, encoding: None, _answer: None })
    }

    /// Whether the data comes as it is, not compressed.
    pub(crate) fn is_plain(&self) -> bool {
        self.encoding.is_none()
    }

    /// What comes next, as it was sent.
    pub(crate) async fn next(&mut self) -> Piece {
        self.pieces.recv().await.unwrap_or_else(|| Piece::Broken(Failure::gone()))
    }

    /// Copies all of it, decompressed. Blocks; ends with an error when the sender goes away before the end.
    pub(crate) fn copy_to(self, to: &mut impl Write) -> Outcome<u64> {
        if self.encoding.is_none() {
            return self.copy_plain_to(to);
        }
        let broken = Arc::new(Mutex::new(None));
        let reader = Reader {
            pieces: self.pieces,
            pace: Pace::default(),
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
    fn copy_plain_to(mut self, to: &mut impl Write) -> Outcome<u64> {
        let (mut copied, mut pace) = (0, Pace::default());
        loop {
            match pace.block_on(self.pieces.recv())? {
                Some(Piece::Data(data)) => {
                    pace.moved(data.len());
                    written(to.write_all(&data))?;
                    copied += data.len() as u64;
                }
                Some(Piece::End) => return Ok(copied),
                Some(Piece::Broken(failure)) => return Err(failure),
                None => return Err(Failure::gone()),
            }
        }
    }
}

fn written(done: io::Result<()>) -> Outcome<()> {
    done.map_err(|error| Failure::io("write", "the file", &error))
}

fn unpack(error: &io::Error) -> Failure {
    Failure::argument(format!("what the client sent cannot be decompressed: {error}"))
}

/// Pieces as a blocking reader.
struct Reader {
    pieces: mpsc::Receiver<Piece>,
    pace: Pace,
    current: Bytes,
    ended: bool,
    /// Why it broke, as the wire wants to know it.
    broken: Arc<Mutex<Option<Failure>>>,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            let piece = self.pace.block_on(self.pieces.recv());
            match piece.map_err(|failure| self.fail(failure))? {
                Some(Piece::Data(data)) => {
                    self.pace.moved(data.len());
                    self.current = data;
                }
                Some(Piece::End) => self.ended = true,
                Some(Piece::Broken(failure)) => return Err(self.fail(failure)),
                None => return Err(self.fail(Failure::gone())),
            }
        }
        let count = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

impl Reader {
    fn fail(&self, failure: Failure) -> io::Error {
        let error = io::Error::new(io::ErrorKind::ConnectionAborted, failure.text.clone());
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        error
    }
}

/// Where the data of a call goes.
#[derive(Debug)]
pub(crate) struct Sink {
    pieces: mpsc::Sender<Outcome<Bytes>>,
    encoding: Option<Encoding>,
    /// What the receiver makes of it, when it has something to say.
    verdict: Option<JoinHandle<Outcome<()>>>,
}

impl Sink {
    pub(crate) fn stream(pipe: Pipe) -> Self {
        Self { pieces: pipe.outgoing, encoding: pipe.encoding, verdict: None }
    }

    /// A sink whose pieces something else than a client's stream takes.
    pub(crate) fn pieces(
        take: impl FnOnce(mpsc::Receiver<Outcome<Bytes>>) -> JoinHandle<Outcome<()>>,
    ) -> Self {
        let (pieces, receiver) = mpsc::channel(OUTGOING);
        Self { pieces, encoding: None, verdict: Some(take(receiver)) }
    }

    /// Copies all of `from`, compressed; gives what to wait for afterwards. Blocks; an error also ends the stream with one.
    pub(crate) fn copy_from(self, from: &mut impl Read) -> Outcome<Option<JoinHandle<Outcome<()>>>> {
        let copied = self.copy(from);
        let (Err(failure), Ok(runtime)) = (&copied, Handle::try_current()) else {
            return copied.map(|()| self.verdict);
        };
        let failure = failure.clone();
        match self.verdict {
            // Whoever takes the data has given up, and knows why.
            Some(verdict) if failure == Failure::gone() => Ok(Some(runtime.spawn(async move {
                match verdict.await {
                    Ok(Err(reason)) => Err(reason),
                    _ => Err(failure),
                }
            }))),
            _ => {
                // Whoever takes nothing hears it late or never, and no worker waits for that.
                let (pieces, told) = (self.pieces, failure.clone());
                runtime.spawn(async move { pieces.send(Err(told)).await });
                Err(failure)
            }
        }
    }

    fn copy(&self, from: &mut impl Read) -> Outcome<()> {
        let slow = Slow::default();
        let to = Writer { pieces: self.pieces.clone(), pace: Pace::default(), slow: Arc::clone(&slow) };
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
                Err(error) => return Err(Failure::io("read", "the file", &error)),
            }
        }
    }
}

fn sent(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::gone(),
        _ => Failure::io("send", "the file", error),
    }
}

/// Pieces as a blocking writer.
pub(super) struct Writer {
    pieces: mpsc::Sender<Outcome<Bytes>>,
    pace: Pace,
    /// That the receiver is too slow, as the wire wants to know it.
    slow: Slow,
}

type Slow = Arc<Mutex<Option<Failure>>>;

impl Write for Writer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let sent = self.pace.block_on(self.pieces.send(Ok(Bytes::copy_from_slice(data))));
        let sent = sent.map_err(|failure| {
            let error = io::Error::new(io::ErrorKind::TimedOut, failure.text.clone());
            *self.slow.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            error
        })?;
        self.pace.moved(data.len());
        sent.map(|()| data.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
