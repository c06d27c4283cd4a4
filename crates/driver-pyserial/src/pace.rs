//! A stream that sends as fast as the board can take it: byte by byte with a pause after each, from the start or once the
//! board's echo has lost something.

mod echo;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use echo::Echo;

/// The first pause once an echo differs; doubled each time up to the longest.
const FIRST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(8);

/// How a line is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As fast as it goes.
    Free,
    /// As fast as it goes, and slower once the echo differs.
    Careful,
    /// With this pause after each byte.
    Fixed(Duration),
}

/// Sends at a pace, receives as fast as it comes.
#[derive(Debug)]
pub(crate) struct Paced<S> {
    inner: S,
    pause: Option<Duration>,
    echo: Option<Echo>,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    /// `inner` at a pace.
    pub(crate) fn new(inner: S, pace: Pace) -> Self {
        let (pause, echo) = match pace {
            Pace::Free => (None, None),
            Pace::Careful => (None, Some(Echo::default())),
            Pace::Fixed(pause) => (Some(pause), None),
        };
        Self { inner, pause, echo, waiting: None }
    }

    fn poll_pause(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(waiting) = &mut self.waiting {
            ready!(waiting.as_mut().poll(context));
            self.waiting = None;
        }
        Poll::Ready(())
    }

    /// Notes what was sent; a line whose echo was damaged makes the next ones slower.
    fn sent(&mut self, bytes: &[u8]) {
        let Some(echo) = &mut self.echo else { return };
        if echo.sent(bytes) {
            let pause = self.pause.map_or(FIRST, |pause| (pause * 2).min(LONGEST));
            if self.pause != Some(pause) {
                tracing::warn!(
                    pause_ms = pause.as_millis(),
                    "the board's echo lost characters: sending more slowly from now on"
                );
            }
            self.pause = Some(pause);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(context, buffer))?;
        if let Some(echo) = &mut this.echo {
            echo.heard(&buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_pause(context));
        let most = if this.pause.is_some() { 1 } else { bytes.len() };
        let written = ready!(Pin::new(&mut this.inner).poll_write(context, &bytes[..bytes.len().min(most)]))?;
        this.sent(&bytes[..written]);
        if let Some(pause) = this.pause.filter(|_| written > 0) {
            this.waiting = Some(Box::pin(sleep(pause)));
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}
