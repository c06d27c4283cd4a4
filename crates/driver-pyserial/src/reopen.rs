//! A device that may vanish and come back: an adapter that is powered by the board, or that renumbers on the bus.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use serialport::TTYPort;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_serial::SerialStream;

use crate::error::PortError;
use crate::settings::Settings;
use crate::tty::{self, Opened, name};

/// The first pause between two looks, and the longest.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// How a device is opened, again and again.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) path: PathBuf,
    pub(crate) settings: Settings,
    /// How long it may be away.
    pub(crate) away: Duration,
}

/// The control lines of the device that is open just now.
pub(crate) type OpenControlLines = Arc<Mutex<Option<TTYPort>>>;

/// A device.
pub(crate) struct Device {
    recipe: Recipe,
    state: State,
    lines: OpenControlLines,
    /// Given to the reader before what the device says next.
    gap: Vec<u8>,
}

enum State {
    Here(SerialStream),
    Away(Search),
    Gone(f64),
}

/// A task looks for the device; reads and writes wait meanwhile.
struct Search {
    since: Instant,
    found: Arc<Mutex<FoundDevice>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct FoundDevice {
    outcome: Option<Option<Opened>>,
    waiting: Vec<Waker>,
}

impl Drop for Search {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Device {
    /// An open device; `lines` has its control lines as long as this lives.
    pub(crate) fn new(recipe: Recipe, opened: Opened, lines: OpenControlLines) -> Self {
        *locked(&lines) = Some(opened.lines);
        Self { recipe, state: State::Here(opened.stream), lines, gap: Vec::new() }
    }

    /// The device is away: a task begins to look for it, unless it may not be away at all.
    fn lost(&mut self) {
        *locked(&self.lines) = None;
        if self.recipe.away.is_zero() {
            self.state = State::Gone(0.0);
            return;
        }
        tracing::warn!(port = %self.recipe.path.display(), "the serial port vanished; waiting for it to come back");
        let found = Arc::<Mutex<FoundDevice>>::default();
        // The lost device is closed first, so that its name is free.
        self.state = State::Gone(0.0);
        let task = tokio::spawn(search(self.recipe.clone(), Arc::clone(&found)));
        self.state = State::Away(Search { since: Instant::now(), found, task });
    }

    /// Ready once the device is here.
    fn poll_here(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let State::Away(search) = &self.state {
            let outcome = {
                let mut found = locked(&search.found);
                let Some(outcome) = found.outcome.take() else {
                    if !found.waiting.iter().any(|it| it.will_wake(context.waker())) {
                        found.waiting.push(context.waker().clone());
                    }
                    return Poll::Pending;
                };
                outcome
            };
            let seconds = search.since.elapsed().as_secs_f64();
            match outcome {
                Some(opened) => {
                    *locked(&self.lines) = Some(opened.lines);
                    self.state = State::Here(opened.stream);
                    self.gap = format!("\r\n[the serial port was away for {seconds:.1} s]\r\n").into_bytes();
                }
                None => self.state = State::Gone(self.recipe.away.as_secs_f64()),
            }
        }
        match &self.state {
            State::Gone(seconds) => Poll::Ready(Err(self.vanished(*seconds))),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn vanished(&self, seconds: f64) -> io::Error {
        io::Error::new(
            io::ErrorKind::NotConnected,
            PortError::Vanished { port: name(&self.recipe.path), seconds },
        )
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        *locked(&self.lines) = None;
    }
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn search(recipe: Recipe, found: Arc<Mutex<FoundDevice>>) {
    let begun = Instant::now();
    let mut pause = FIRST;
    let outcome = loop {
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
        let (path, settings) = (recipe.path.clone(), recipe.settings);
        let opened = tokio::task::spawn_blocking(move || tty::open(&path, settings)).await;
        match opened {
            Ok(Ok(opened)) => break Some(opened),
            _ if begun.elapsed() >= recipe.away => break None,
            _ => {}
        }
    };
    let mut found = locked(&found);
    found.outcome = Some(outcome);
    found.waiting.drain(..).for_each(Waker::wake);
}

/// What the kernel says of a device that was unplugged.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(5 | 6 | 9 | 19)) || error.kind() == io::ErrorKind::BrokenPipe
}

impl AsyncRead for Device {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(this.poll_here(context))?;
            if !this.gap.is_empty() {
                let count = this.gap.len().min(buffer.remaining());
                buffer.put_slice(&this.gap[..count]);
                this.gap.drain(..count);
                return Poll::Ready(Ok(()));
            }
            let State::Here(stream) = &mut this.state else { continue };
            let before = buffer.filled().len();
            match ready!(Pin::new(stream).poll_read(context, buffer)) {
                Ok(()) if buffer.filled().len() > before => return Poll::Ready(Ok(())),
                Ok(()) => this.lost(),
                Err(error) if is_gone(&error) => this.lost(),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Device {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            ready!(this.poll_here(context))?;
            let State::Here(stream) = &mut this.state else { continue };
            match ready!(Pin::new(stream).poll_write(context, bytes)) {
                Err(error) if is_gone(&error) => this.lost(),
                other => return Poll::Ready(other),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match &mut this.state {
            State::Here(stream) => Pin::new(stream).poll_flush(context),
            // What was sent went with the device.
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match &mut this.state {
            State::Here(stream) => Pin::new(stream).poll_shutdown(context),
            _ => Poll::Ready(Ok(())),
        }
    }
}
