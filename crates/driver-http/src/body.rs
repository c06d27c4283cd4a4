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

use crate::report::TransferReport;
use crate::sendfile::{self, SPAN, Spans};

/// Largest piece read, counted and handed over at once, bytes. Smaller ones cost calls, larger ones the processor's cache.
const PIECE: usize = 128 * 1024;

/// The bytes `start..end` of a file: where the page cache has them, the kernel sends all but the last
/// piece. That one is read when everything else has gone, so that a body is whole only when the file was until then.
///
/// The stream gives `UnexpectedEof` when the file has become shorter, and another error when it was written to.
pub(crate) fn of_file(file: File, start: u64, end: u64, spans: Spans) -> ContentStream {
    let pieces = FilePieces { reader: Reader::new(file).reusing(), at: start, end, spans };
    Box::pin(stream::try_unfold(pieces, |mut pieces| async move {
        Ok(pieces.next().await?.map(|piece| (piece, pieces)))
    }))
}

struct FilePieces {
    reader: Reader,
    /// Offset of the next piece.
    at: u64,
    end: u64,
    spans: Spans,
}

impl FilePieces {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let left = self.end - self.at;
        if left == 0 {
            return Ok(None);
        }
        let piece = match self.span(left) {
            Some(stand_in) => stand_in,
            None => self.read(left).await?,
        };
        self.at += piece.len() as u64;
        Ok(Some(piece))
    }

    fn span(&self, left: u64) -> Option<Bytes> {
        let length = left.checked_sub(PIECE as u64)?.min(SPAN as u64) as usize;
        let is_fit = length > 0 && self.reader.is_at_hand(self.at, length);
        is_fit.then(|| self.spans.hand_over(self.reader.file(), self.at, length))
    }

    async fn read(&mut self, left: u64) -> io::Result<Bytes> {
        if left <= PIECE as u64 {
            self.spans.all_sent().await;
        }
        self.reader.read(self.at, left.min(PIECE as u64) as usize).await
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
    spans: Option<Spans>,
    report: TransferReport,
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
        report: TransferReport,
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
            spans: None,
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

    /// When the body ends early because a span could not be sent, that is why.
    pub(crate) fn sent_by(mut self, spans: Spans) -> Self {
        self.spans = Some(spans);
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
        let most = if sendfile::is_stand_in(&self.rest) { SPAN } else { PIECE };
        let piece = self.rest.split_to(self.rest.len().min(most));
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
        if let Some(reason) = self.spans.as_ref().and_then(Spans::failure) {
            return Some(reason);
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn cached_files_are_sent_by_the_kernel() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; 2 * SPAN + PIECE]).unwrap();
        let reader = Reader::new(file.try_clone().unwrap());
        if !reader.is_at_hand(0, 1) {
            eprintln!("skipped: this file system cannot tell what is in the page cache");
            return;
        }
        let mut pieces = of_file(file, 0, (2 * SPAN + PIECE) as u64, Spans::default());
        for _ in 0..2 {
            let piece = pieces.next().await.unwrap().unwrap();
            assert!(sendfile::is_stand_in(&piece) && piece.len() == SPAN, "{} bytes", piece.len());
        }
        let last = pieces.next();
        let waited = tokio::time::timeout(std::time::Duration::from_millis(20), last).await;
        assert!(waited.is_err(), "the last piece did not wait for the others");
    }
}
