//! Bodies on their way to a client: pieces of a file or of published content, counted, and reported when they end.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use flasher_core::driver::ContentStream;
use flasher_core::{CancellationToken, Content, Transfer, TransferLog, TransferState};
use futures_util::{Stream, StreamExt, stream};
use tokio::task::JoinHandle;

/// Largest piece read, counted and handed over at once, bytes. Smaller ones cost throughput.
const PIECE: usize = 256 * 1024;

/// The bytes `start..end` of a file, one piece read ahead.
///
/// # Errors
/// When `start` cannot be reached; later `UnexpectedEof` in the stream when the file has become shorter.
pub(crate) fn of_file(mut file: File, start: u64, end: u64) -> io::Result<ContentStream> {
    file.seek(SeekFrom::Start(start))?;
    let file = Arc::new(file);
    let first = read_ahead(&file, end - start);
    Ok(Box::pin(stream::try_unfold((first, end - start), move |(reading, left)| {
        let file = Arc::clone(&file);
        async move {
            let Some(reading) = reading else { return Ok(None) };
            let piece = reading.await.map_err(io::Error::other)??;
            let left = left - piece.len() as u64;
            Ok(Some((piece, (read_ahead(&file, left), left))))
        }
    })))
}

fn read_ahead(file: &Arc<File>, left: u64) -> Option<JoinHandle<io::Result<Bytes>>> {
    let wanted = left.min(PIECE as u64);
    if wanted == 0 {
        return None;
    }
    let file = Arc::clone(file);
    Some(tokio::task::spawn_blocking(move || {
        let mut piece = Vec::with_capacity(wanted as usize);
        let read = (&*file).take(wanted).read_to_end(&mut piece)?;
        let short =
            || io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was served");
        if read as u64 == wanted { Ok(Bytes::from(piece)) } else { Err(short()) }
    }))
}

/// Who asked for what, and where the outcome is reported.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    log: TransferLog,
    blank: Transfer,
}

impl Report {
    /// `file` is taken as it arrived; control characters are removed and it is cut to 256 characters.
    pub(crate) fn new(log: TransferLog, peer: std::net::SocketAddr, file: &str) -> Self {
        let file = file.chars().filter(|letter| !letter.is_control()).take(256).collect();
        let state = TransferState::Begun { length: None, options: String::new() };
        Self { log, blank: Transfer { protocol: "http".into(), peer, file, state } }
    }

    pub(crate) fn begun(&self, length: Option<u64>, options: String) {
        self.record(TransferState::Begun { length, options });
    }

    pub(crate) fn failed(&self, bytes: u64, reason: impl Into<String>) {
        self.record(TransferState::Failed { bytes, reason: reason.into() });
    }

    fn done(&self, bytes: u64, begun: Instant) {
        let seconds = begun.elapsed().as_secs_f64();
        self.record(TransferState::Done { bytes, resends: 0, seconds });
    }

    fn record(&self, state: TransferState) {
        self.log.record(Transfer { state, ..self.blank.clone() });
    }
}

/// One body under way. Reports its outcome when dropped.
pub(crate) struct Body {
    // The lock is never contended: it makes the stream `Sync`, which warp asks for.
    pieces: Mutex<ContentStream>,
    rest: Bytes,
    sent: u64,
    length: Option<u64>,
    ended: bool,
    failure: Option<String>,
    content: Option<Content>,
    report: Report,
    begun: Instant,
    cuts: Vec<(CancellationToken, &'static str)>,
    broken: CancellationToken,
}

impl Body {
    /// `length` is what the client was promised, bytes; more or less is a failure. `broken` is cancelled when the body
    /// ends without being whole.
    pub(crate) fn new(
        pieces: ContentStream,
        length: Option<u64>,
        report: Report,
        broken: CancellationToken,
    ) -> Self {
        Self {
            pieces: Mutex::new(pieces),
            rest: Bytes::new(),
            sent: 0,
            length,
            ended: false,
            failure: None,
            content: None,
            report,
            begun: Instant::now(),
            cuts: Vec::new(),
            broken,
        }
    }

    /// Counts what is handed over in `content`.
    pub(crate) fn counting(mut self, content: Content) -> Self {
        self.content = Some(content);
        self
    }

    /// When the body ends early while `token` is cancelled, `reason` is why.
    pub(crate) fn cut_by(mut self, token: CancellationToken, reason: &'static str) -> Self {
        self.cuts.push((token, reason));
        self
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        while self.rest.is_empty() {
            let pieces = self.pieces.get_mut().unwrap_or_else(PoisonError::into_inner);
            match ready!(pieces.poll_next_unpin(context)) {
                Some(Ok(piece)) => self.rest = piece,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(self.end()),
            }
        }
        Poll::Ready(Some(self.hand_over()))
    }

    fn end(&mut self) -> Option<io::Result<Bytes>> {
        self.ended = true;
        let length = self.length.filter(|length| self.sent < *length)?;
        let text = format!("the content ended after {} of {length} bytes", self.sent);
        Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, text)))
    }

    fn hand_over(&mut self) -> io::Result<Bytes> {
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        let bytes = piece.len() as u64;
        if let Some(length) = self.length.filter(|length| self.sent + bytes > *length) {
            return Err(io::Error::other(format!("the content is longer than its {length} bytes")));
        }
        self.sent += bytes;
        if let Some(content) = &self.content {
            content.count(bytes);
        }
        Ok(piece)
    }

    fn failure(&mut self) -> Option<String> {
        if let Some(reason) = self.failure.take() {
            return Some(reason);
        }
        if self.length.map_or(self.ended, |length| self.sent == length) {
            return None;
        }
        let cut = self.cuts.iter().find(|(token, _)| token.is_cancelled());
        Some(cut.map_or("the client closed the connection", |(_, reason)| reason).to_owned())
    }
}

impl Stream for Body {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let body = self.get_mut();
        if body.ended || body.failure.is_some() {
            return Poll::Ready(None);
        }
        let piece = ready!(body.poll_piece(context));
        if let Some(Err(error)) = &piece {
            body.failure = Some(error.to_string());
        }
        Poll::Ready(piece)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        match self.failure() {
            Some(reason) => {
                self.report.failed(self.sent, reason);
                self.broken.cancel();
            }
            None => self.report.done(self.sent, self.begun),
        }
    }
}
