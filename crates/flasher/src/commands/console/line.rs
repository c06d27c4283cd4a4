//! The board's line: our own, or one of another process that we only hear, now or once it is open.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use flasher_core::{Error, Result, SerialDriver};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};

/// Bound on opening the line, on its owner's answer, and on the board taking what was typed.
pub(super) const ANSWER: Duration = Duration::from_secs(30);
/// How often a watcher looks whether another process has opened the line.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// What comes from a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// So many bytes of the board.
    Bytes(usize),
    /// What to tell who watches: the line opens, or is waited for.
    News(String),
}

/// A line that is heard.
pub(super) enum Line {
    Own { hears: Box<dyn AsyncRead + Send + Unpin>, says: Box<dyn AsyncWrite + Send + Unpin> },
    Watched(Watch),
}

impl Line {
    /// Opens the line to speak on it.
    ///
    /// # Errors
    /// Those of the driver, and when it does not answer.
    pub(super) async fn open(serial: &dyn SerialDriver) -> Result<Self> {
        let late = |_| Err(Error::infrastructure("the serial line could not be opened in time"));
        let line = timeout(ANSWER, serial.open()).await.unwrap_or_else(late)?;
        let (hears, says) = tokio::io::split(line);
        Ok(Self::Own { hears: Box::new(hears), says: Box::new(says) })
    }

    pub(super) fn is_watched(&self) -> bool {
        matches!(self, Self::Watched(_))
    }

    /// The next of the board or of the line. May be dropped at any time: nothing is lost.
    ///
    /// # Errors
    /// When a line of one's own is lost, or the owner of a watched one does not let others hear.
    pub(super) async fn hear(&mut self, buffer: &mut [u8]) -> Result<Heard> {
        match self {
            Self::Watched(watch) => watch.hear(buffer).await,
            Self::Own { hears, .. } => match hears.read(buffer).await.map_err(lost)? {
                0 => Err(Error::infrastructure("the serial line was closed")),
                count => Ok(Heard::Bytes(count)),
            },
        }
    }

    /// Types. Who watches may type what they like; it goes nowhere.
    ///
    /// # Errors
    /// When the line is lost, or takes nothing.
    pub(super) async fn say(&mut self, bytes: &[u8]) -> Result<()> {
        let Self::Own { says, .. } = self else { return Ok(()) };
        let written = timeout(ANSWER, async {
            says.write_all(bytes).await?;
            says.flush().await
        });
        let late = || {
            Error::infrastructure("the serial line does not take what is typed").help("check flow control")
        };
        written.await.map_err(|_| late())?.map_err(lost)
    }
}

fn lost(error: io::Error) -> Error {
    Error::infrastructure("the serial line was lost").because(error)
}

/// A line that others open.
pub(super) struct Watch {
    serial: Arc<dyn SerialDriver>,
    line: Option<Box<dyn AsyncRead + Send + Unpin>>,
    state: Option<State>,
}

/// What is known of a watched line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// It is not open.
    Closed,
    /// Its device is not there.
    Missing,
}

impl Watch {
    pub(super) fn new(serial: Arc<dyn SerialDriver>) -> Self {
        Self { serial, line: None, state: None }
    }

    async fn hear(&mut self, buffer: &mut [u8]) -> Result<Heard> {
        loop {
            if let Some(line) = &mut self.line {
                match line.read(buffer).await {
                    Ok(count @ 1..) => return Ok(Heard::Bytes(count)),
                    Ok(0) | Err(_) => self.line = None, // its owner let go of it
                }
            }
            let silent = |_| Err(Error::infrastructure("the owner of the serial line does not answer"));
            self.line = timeout(ANSWER, self.serial.watch()).await.unwrap_or_else(silent)?;
            if let Some(news) = self.news().await {
                return Ok(Heard::News(news));
            }
            if self.line.is_none() {
                sleep(POLL_INTERVAL).await;
            }
        }
    }

    /// What has changed, once.
    async fn news(&mut self) -> Option<String> {
        let port = self.serial.port().await;
        let state = match &self.line {
            Some(_) => State::Open,
            None if port.is_missing => State::Missing,
            None => State::Closed,
        };
        let is_news = self.state.replace(state) != Some(state);
        let name = port.name;
        is_news.then(|| match state {
            State::Open => format!("{name} is open\n"),
            State::Closed => {
                format!("waiting for a flash or a `console` without `--watch` that opens {name}\n")
            }
            State::Missing => format!("waiting for {name}, which is not there\n"),
        })
    }
}
