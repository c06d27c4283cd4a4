//! Who has the line, and what happens to it when they let go.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use flasher_core::ByteStream;
use line_share::Audible;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::line::Handles;
use crate::reopen::locked;

/// What there is while the line is open.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) handles: Handles,
    /// The line between two owners, when it is recorded all the time.
    pub(super) kept: Mutex<Option<HeldLine>>,
}

/// A line between two owners: a task goes on reading it, so that the recorder hears it.
pub(super) struct HeldLine {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Option<Box<dyn ByteStream>>>,
}

impl std::fmt::Debug for HeldLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeldLine").finish_non_exhaustive()
    }
}

impl HeldLine {
    fn new(line: Box<dyn ByteStream>, runtime: &tokio::runtime::Handle) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, task: runtime.spawn(read_on(line, stopped)) }
    }

    /// The line, unless it was lost meanwhile.
    pub(super) async fn take_back(self) -> Option<Box<dyn ByteStream>> {
        drop(self.stop);
        // It neither panics nor is it aborted.
        self.task.await.ok().flatten()
    }
}

/// What is read goes to the tap below; here it is forgotten.
async fn read_on(
    mut line: Box<dyn ByteStream>,
    mut stopped: oneshot::Receiver<()>,
) -> Option<Box<dyn ByteStream>> {
    let mut buffer = [0; 4096];
    loop {
        tokio::select! {
            _ = &mut stopped => return Some(line),
            count = line.read(&mut buffer) => {
                if !matches!(count, Ok(1..)) {
                    return None;
                }
            }
        }
    }
}

/// The stream of an owner whose line is recorded all the time: when it is dropped, a task goes on reading.
pub(super) struct Owned {
    line: Option<Box<dyn ByteStream>>,
    open: Arc<Open>,
}

impl Owned {
    pub(super) fn new(line: Box<dyn ByteStream>, open: Arc<Open>) -> Self {
        Self { line: Some(line), open }
    }

    fn line(&mut self) -> io::Result<Pin<&mut Box<dyn ByteStream>>> {
        self.line.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // Without a runtime the program is ending, and the line with it.
        if let (Some(line), Ok(runtime)) = (self.line.take(), tokio::runtime::Handle::try_current()) {
            *locked(&self.open.kept) = Some(HeldLine::new(line, &runtime));
        }
    }
}

/// A line whose port server is asked nothing more once it is let go of.
pub(super) struct Served {
    line: Audible<Box<dyn ByteStream>>,
    open: Arc<Open>,
}

impl Served {
    pub(super) fn new(line: Audible<Box<dyn ByteStream>>, open: Arc<Open>) -> Self {
        Self { line, open }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        *locked(&self.open.handles.server) = None;
    }
}

impl AsyncRead for Owned {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().line()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Owned {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().line()?.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().line()?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().line()?.poll_shutdown(context)
    }
}

impl AsyncRead for Served {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().line).poll_read(context, buffer)
    }
}

impl AsyncWrite for Served {
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
