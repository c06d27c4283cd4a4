//! Lets the kernel send files itself (sendfile), below an HTTP engine that knows nothing but memory.
//!
//! A body hands over a span of its file and gives the engine a *stand-in* of the same length: memory that is never looked at.
//! The socket knows stand-ins by their address and sends the span in their place, so that order, framing and keep-alive stay
//! the engine's. What is in a stand-in cannot get out: a write whose stand-ins are not exactly the spans handed over is an
//! error, and errors end the connection.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use rustix::io::Errno;
use rustix::net::sockopt::set_tcp_cork;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// Longest span handed over at once, bytes.
pub(crate) const SPAN: usize = 2 * 1024 * 1024;
/// Read at once where the kernel does not send by itself, bytes.
const COPIED: usize = 64 * 1024;

/// Never written to or read from, so it is address space without memory behind it.
static STAND_IN: LazyLock<Bytes> = LazyLock::new(|| vec![0; SPAN].into());

/// Whether these bytes stand for a span of a file.
pub(crate) fn is_stand_in(bytes: &[u8]) -> bool {
    !bytes.is_empty() && STAND_IN.as_ptr_range().contains(&bytes.as_ptr())
}

/// The spans of one connection between its bodies and its socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Span>,
    failure: Option<String>,
    waiting: Option<Waker>,
}

#[derive(Debug)]
struct Span {
    file: Arc<File>,
    at: u64,
    left: usize,
}

impl Spans {
    /// Takes `length` bytes of `file` from offset `at` on, at most [`SPAN`]; gives what stands for them.
    pub(crate) fn hand_over(&self, file: &Arc<File>, at: u64, length: usize) -> Bytes {
        let stand_in = STAND_IN.slice(..length.min(SPAN));
        let span = Span { file: Arc::clone(file), at, left: stand_in.len() };
        self.state().queue.push_back(span);
        stand_in
    }

    /// Waits until the socket has taken all that was handed over.
    pub(crate) async fn all_sent(&self) {
        std::future::poll_fn(|context| {
            let mut state = self.state();
            if state.queue.is_empty() {
                return Poll::Ready(());
            }
            state.waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Why a span could not be sent, when it could not.
    pub(crate) fn failure(&self) -> Option<String> {
        self.state().failure.clone()
    }

    /// Bytes that were handed over and not sent yet.
    fn left(&self) -> usize {
        self.state().queue.iter().map(|span| span.left).sum()
    }

    /// Sends from the first span what the socket takes.
    fn send_some(&self, socket: &TcpStream) -> io::Result<usize> {
        let mut state = self.state();
        let Some(span) = state.queue.front_mut() else { return Ok(0) };
        // No half full packets in the middle of a span (tcp(7), TCP_CORK). A socket that does not know it sends all the same.
        let _ = set_tcp_cork(socket, true);
        let sent = span.send(socket)?;
        if span.left == 0 {
            state.queue.pop_front();
        }
        if state.queue.is_empty() {
            let _ = set_tcp_cork(socket, false);
            state.waiting.take().into_iter().for_each(Waker::wake);
        }
        Ok(sent)
    }

    /// Remembers a failure for the report of the transfer.
    fn note<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        outcome.inspect_err(|error| self.state().failure = Some(error.to_string()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Span {
    fn send(&mut self, socket: &TcpStream) -> io::Result<usize> {
        let mut at = self.at;
        let sent = match rustix::fs::sendfile(socket, &self.file, Some(&mut at), self.left) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.copy(socket)?,
            sent => sent?,
        };
        if sent == 0 {
            let text = "the file became shorter while it was sent";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        self.at += sent as u64;
        self.left -= sent;
        Ok(sent)
    }

    /// For file systems the kernel cannot send from. What is read is in the page cache.
    fn copy(&self, socket: &TcpStream) -> io::Result<usize> {
        let mut piece = vec![0; self.left.min(COPIED)];
        let read = self.file.read_at(&mut piece, self.at)?;
        Ok(rustix::net::send(socket, &piece[..read], rustix::net::SendFlags::NOSIGNAL)?)
    }
}

/// A socket that sends spans where stand-ins are written to it.
#[derive(Debug)]
pub(crate) struct SendfileSocket {
    socket: TcpStream,
    spans: Spans,
}

impl SendfileSocket {
    pub(crate) fn new(socket: TcpStream, spans: Spans) -> Self {
        Self { socket, spans }
    }

    /// Nothing may be lost between bodies and socket, and nothing made up.
    fn check(&self, slices: &[IoSlice<'_>]) -> io::Result<()> {
        let stand_ins: usize =
            slices.iter().filter(|slice| is_stand_in(slice)).map(|slice| slice.len()).sum();
        let left = self.spans.left();
        if stand_ins == left {
            return Ok(());
        }
        let text = format!("{stand_ins} bytes of files came to be sent, expected {left}; nothing was sent");
        Err(io::Error::other(text))
    }

    fn poll_span(&self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_write_ready(context))?;
            let sent = self.socket.try_io(Interest::WRITABLE, || self.spans.send_some(&self.socket));
            match sent {
                Err(error) if is_passing(&error) => {}
                sent => return Poll::Ready(self.spans.note(sent)),
            }
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl AsyncRead for SendfileSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for SendfileSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.spans.note(self.check(slices))?;
        let first = slices.iter().position(|slice| !slice.is_empty()).unwrap_or_default();
        let plain = slices[first..].iter().take_while(|slice| !is_stand_in(slice)).count();
        if plain == 0 && first < slices.len() {
            return self.poll_span(context);
        }
        Pin::new(&mut self.socket).poll_write_vectored(context, &slices[first..first + plain])
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn connected() -> (SendfileSocket, Spans, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let spans = Spans::default();
        (SendfileSocket::new(listener.accept().await.unwrap().0, spans.clone()), spans, client)
    }

    fn file(length: usize) -> (Arc<File>, Vec<u8>) {
        let bytes: Vec<u8> = (0..length).map(|at| (at >> 3) as u8 | 1).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        (Arc::new(file), bytes)
    }

    #[tokio::test]
    async fn spans_go_out_in_their_place_between_other_bytes() {
        let (mut socket, spans, mut client) = connected().await;
        let (file, bytes) = file(SPAN + 10);
        let mut parts = [
            Bytes::from_static(b"first"),
            spans.hand_over(&file, 10, SPAN),
            Bytes::new(),
            Bytes::from_static(b"between"),
            spans.hand_over(&file, 1, 3),
            spans.hand_over(&file, 0, 2),
            Bytes::from_static(b"last"),
        ];
        let expected = [b"first", &bytes[10..], b"between", &bytes[1..4], &bytes[..2], b"last"].concat();
        let reading = tokio::spawn(async move {
            let mut got = Vec::new();
            client.read_to_end(&mut got).await.map(|_| got)
        });
        while parts.iter().any(|part| !part.is_empty()) {
            let slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
            let mut written = socket.write_vectored(&slices).await.unwrap();
            for part in &mut parts {
                let some = written.min(part.len());
                drop(part.split_to(some));
                written -= some;
            }
        }
        spans.all_sent().await;
        drop(socket);
        assert!(reading.await.unwrap().unwrap() == expected);
        assert_eq!(spans.failure(), None);
    }

    #[tokio::test]
    async fn nothing_is_sent_when_stand_ins_were_copied_lost_or_made_up() {
        let (file, _) = file(100);
        for (handed_over, written) in [(10, "copied"), (10, "cut"), (10, "lost"), (0, "made up")] {
            let (mut socket, spans, mut client) = connected().await;
            if handed_over > 0 {
                drop(spans.hand_over(&file, 0, handed_over));
            }
            let bytes = match written {
                "copied" => vec![0; 10].into(),
                "cut" => STAND_IN.slice(..9),
                "lost" => Bytes::from_static(b"other"),
                _ => STAND_IN.slice(..10),
            };
            let error = socket.write_all(&bytes).await.unwrap_err();
            assert!(error.to_string().contains("bytes of files came to be sent"), "{written}: {error}");
            assert_eq!(spans.failure(), Some(error.to_string()));
            drop(socket);
            assert_eq!(client.read(&mut [0; 100]).await.unwrap(), 0, "{written}");
        }
    }

    #[tokio::test]
    async fn a_file_that_ends_too_early_is_an_error() {
        let (mut socket, spans, _client) = connected().await;
        let (file, _) = file(5);
        let stand_in = spans.hand_over(&file, 0, 6);
        let error = socket.write_all(&stand_in).await.unwrap_err();
        assert_eq!(error.to_string(), "the file became shorter while it was sent");
    }

    #[tokio::test]
    async fn what_the_kernel_cannot_send_is_copied() {
        let (socket, _, mut client) = connected().await;
        let (file, bytes) = file(100);
        let span = Span { file, at: 3, left: 90 };
        assert_eq!(span.copy(&socket.socket).unwrap(), 90);
        let mut got = [0; 90];
        client.read_exact(&mut got).await.unwrap();
        assert_eq!(got, bytes[3..93]);
    }
}
