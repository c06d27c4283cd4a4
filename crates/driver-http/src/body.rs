//! Bodies on their way to a client: pieces of a file or of published content, counted, and reported when they end.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use flasher_core::driver::ContentStream;
use flasher_core::{CancellationToken, Content};
use futures_util::{Stream, StreamExt, stream};
use server_kit::Reader;

use crate::report::Report;

/// Largest piece read, counted and handed over at once, bytes. Smaller ones cost calls, larger ones the processor's cache.
const PIECE: usize = 128 * 1024;

/// The bytes `start..end` of a file.
///
/// The stream gives `UnexpectedEof` when the file has become shorter.
pub(crate) fn of_file(file: File, start: u64, end: u64) -> ContentStream {
    let reader = Reader::new(file).reusing();
    Box::pin(stream::try_unfold((reader, start), move |(mut reader, at)| async move {
        let wanted = (end - at).min(PIECE as u64);
        if wanted == 0 {
            return Ok(None);
        }
        let piece = reader.read(at, wanted as usize).await?;
        Ok(Some((piece, (reader, at + wanted))))
    }))
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
