//! The watchers of a line, and the open line that they hear.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::share::{self, WatchSocket};
use crate::tap::{Take, Tap};

/// What a watcher reads. In another process than the owner's it ends when the owner lets go of the line; in the same one it goes on with
/// the next owner.
pub type Watched = Box<dyn AsyncRead + Send + Unpin>;

/// The watchers of a line, across all its owners.
#[derive(Debug, Default)]
pub struct Audience {
    tap: Tap,
    open: Arc<Opening>,
}

/// What there is while the line is open.
#[derive(Debug, Default)]
struct Opening {
    /// Openings that are heard just now; an echo has as many as it is opened.
    heard: AtomicUsize,
    shared: Mutex<Option<WatchSocket>>,
}

impl Audience {
    /// Lets the audience hear what the owner of `line` reads from it, until the result is dropped. `name` is the same for the same line
    /// in every process, and fit for a file name; without one, no other process hears it. `also` gets every piece.
    pub async fn hear<S>(&self, line: S, name: Option<&str>, also: Option<Arc<dyn Take>>) -> Audible<S> {
        let tap = self.tap.also(also);
        if let Some(name) = name
            && let Some(shared) = share::serve(name, &tap).await
        {
            *self.open.shared() = Some(shared);
        }
        self.open.heard.fetch_add(1, Ordering::Relaxed);
        Audible { line, tap, open: Arc::clone(&self.open) }
    }

    /// What the owner of the line called `name` hears from now on, in this process or another one; none when no process has it open.
    ///
    /// # Errors
    /// When another process has it and does not let us hear.
    pub async fn watch(&self, name: Option<&str>) -> io::Result<Option<Watched>> {
        if self.open.heard.load(Ordering::Relaxed) > 0 {
            return Ok(Some(Box::new(self.tap.watch())));
        }
        let Some(name) = name else { return Ok(None) };
        Ok(share::watch(name).await?.map(|stream| Box::new(stream) as Watched))
    }
}

impl Opening {
    fn shared(&self) -> MutexGuard<'_, Option<WatchSocket>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open line that others hear for as long as it lives.
#[derive(Debug)]
pub struct Audible<S> {
    line: S,
    tap: Tap,
    open: Arc<Opening>,
}

impl<S> Drop for Audible<S> {
    fn drop(&mut self) {
        // Others may be open still, as on an echo.
        if self.open.heard.fetch_sub(1, Ordering::Relaxed) == 1 {
            drop(self.open.shared().take());
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Audible<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.line).poll_read(context, buffer))?;
        this.tap.hear(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Audible<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().line).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().line).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().line).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn other_processes_hear_until_the_last_owner_ends() {
        let audience = Audience::default();
        let name = format!("test-{}", std::process::id());
        let (one, _first_board) = tokio::io::duplex(64);
        let (two, _second_board) = tokio::io::duplex(64);
        let one = audience.hear(one, Some(&name), None).await;
        let two = audience.hear(two, Some(&name), None).await;
        // As another process looks for it.
        let is_heard = async || share::watch(&name).await.unwrap().is_some();
        assert!(is_heard().await);
        drop(one);
        assert!(is_heard().await, "the second owner is heard still");
        drop(two);
        assert!(!is_heard().await);
    }
}
