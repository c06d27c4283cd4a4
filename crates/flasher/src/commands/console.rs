//! `flasher console`: the board's serial line by hand; Ctrl-] leaves.

use std::io::{self, IsTerminal};
use std::time::Duration;

use flasher_core::tree::DeviceTree;
use flasher_core::{ByteStream, Class, Device, Error, Result};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until, timeout};

use crate::args::NodeArgs;
use crate::failure::Failure;
use crate::screen::Screen;

/// Ctrl-].
const LEAVE: u8 = 0x1d;
/// Silence after the end of the input that ends the session.
const QUIET: Duration = Duration::from_millis(500);
/// Bound on waiting for that silence: a board may never stop talking.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bound on opening the line, and on the board taking what was typed.
const ANSWER: Duration = Duration::from_secs(30);

/// Connects the terminal (or a pipe) with the board until Ctrl-], the end of the input, or a signal.
pub(super) async fn run(node: &NodeArgs, tree: DeviceTree, screen: &Screen) -> Result<u8, Failure> {
    let ended = if screen.is_json() {
        Err(Error::config("a console has no JSON form").help("leave `--json` out").into())
    } else {
        connect(node, &tree, screen).await
    };
    super::close(&tree, screen).await;
    ended.map(|()| 0)
}

async fn connect(node: &NodeArgs, tree: &DeviceTree, screen: &Screen) -> Result<(), Failure> {
    let serial = tree.pick(node.device.as_deref(), "serial", |device| match device {
        Device::Serial(serial) => Some(serial.clone()),
        _ => None,
    })?;
    let line = timeout(ANSWER, serial.open())
        .await
        .unwrap_or_else(|_| Err(Error::infrastructure("the serial line could not be opened in time")))?;
    let mut signals = Signals::new()?;
    let by_hand = io::stdin().is_terminal();
    if by_hand {
        screen.aside("connected; Ctrl-] leaves\n");
    }
    let raw = by_hand.then(RawTerminal::enter).transpose()?;
    let ended = tokio::select! {
        ended = talk(line, tokio::io::stdin(), tokio::io::stdout(), by_hand) => ended,
        () = signals.any() => Err(Error::new(Class::Interrupted, "interrupted").into()),
    };
    drop(raw);
    if by_hand {
        screen.aside("\n");
    }
    ended
}

/// Copies both ways. Ends at Ctrl-] (by hand), some silence after the end of the input, or when the line is gone.
async fn talk(
    line: Box<dyn ByteStream>,
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    by_hand: bool,
) -> Result<(), Failure> {
    let (mut from_board, mut to_board) = tokio::io::split(line);
    let (mut typed, mut printed) = ([0; 4096], [0; 4096]);
    let mut closing: Option<(Instant, Instant)> = None;
    loop {
        let end = closing.map(|(quiet, patience)| quiet.min(patience));
        tokio::select! {
            count = from_board.read(&mut printed) => {
                let count = count.map_err(lost)?;
                if count == 0 {
                    return Err(Error::infrastructure("the serial line was closed").into());
                }
                output.write_all(&printed[..count]).await?;
                output.flush().await?;
                closing = closing.map(|(_, patience)| (Instant::now() + QUIET, patience));
            }
            count = input.read(&mut typed), if closing.is_none() => {
                let (bytes, leaving) = until_leave(&typed[..count?], by_hand);
                send(&mut to_board, bytes).await?;
                if leaving {
                    return Ok(());
                }
                if bytes.is_empty() {
                    closing = Some((Instant::now() + QUIET, Instant::now() + PATIENCE));
                }
            }
            () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => return Ok(()),
        }
    }
}

/// What was typed before Ctrl-], and whether that was among it. In a pipe it is a byte like any other.
fn until_leave(typed: &[u8], by_hand: bool) -> (&[u8], bool) {
    match typed.iter().position(|byte| *byte == LEAVE) {
        Some(at) if by_hand => (&typed[..at], true),
        _ => (typed, false),
    }
}

async fn send(to_board: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<()> {
    let written = timeout(ANSWER, async {
        to_board.write_all(bytes).await?;
        to_board.flush().await
    });
    let late =
        || Error::infrastructure("the serial line does not take what is typed").help("check flow control");
    written.await.map_err(|_| late())?.map_err(lost)
}

fn lost(error: io::Error) -> Error {
    Error::infrastructure("the serial line was lost").because(error)
}

/// A terminal in raw mode; its former mode comes back when this is dropped.
struct RawTerminal {
    former: Termios,
}

impl RawTerminal {
    fn enter() -> Result<Self> {
        let refused =
            |error: rustix::io::Errno| Error::infrastructure("the terminal has no raw mode").because(error);
        let former = tcgetattr(io::stdin()).map_err(refused)?;
        let mut raw = former.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw).map_err(refused)?;
        Ok(Self { former })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        if let Err(error) = tcsetattr(io::stdin(), OptionalActions::Now, &self.former) {
            tracing::warn!(%error, "the terminal keeps its raw mode; `reset` mends it");
        }
    }
}

/// The signals that end a session in good order. ^C by hand is no signal: raw mode sends it to the board.
struct Signals([Signal; 3]);

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn any(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Talks to a board that echoes; gives what came out.
    async fn session(input: &'static [u8], by_hand: bool) -> Vec<u8> {
        let (ours, theirs) = tokio::io::duplex(64);
        let (mut hears, mut says) = tokio::io::split(theirs);
        let board = tokio::spawn(async move { tokio::io::copy(&mut hears, &mut says).await });
        let mut output = io::Cursor::new(Vec::new());
        talk(Box::new(ours), input, &mut output, by_hand).await.unwrap();
        board.abort();
        output.into_inner()
    }

    #[tokio::test]
    async fn a_pipe_gets_all_of_the_answer_and_then_ends() {
        assert_eq!(session(b"printenv\n", false).await, b"printenv\n");
        assert_eq!(session(b"a\x1db", false).await, b"a\x1db");
    }

    #[test]
    fn the_key_that_leaves_counts_only_by_hand() {
        assert_eq!(until_leave(b"ab\x1dc", true), (&b"ab"[..], true));
        assert_eq!(until_leave(b"ab\x1dc", false), (&b"ab\x1dc"[..], false));
        assert_eq!(until_leave(b"ab", true), (&b"ab"[..], false));
    }

    #[tokio::test]
    async fn a_line_that_closes_is_an_error() {
        let (ours, theirs) = tokio::io::duplex(64);
        drop(theirs);
        let (input, _keep) = tokio::io::duplex(64);
        let failure = talk(Box::new(ours), input, tokio::io::sink(), true).await.unwrap_err();
        assert!(
            matches!(failure, Failure::Error(error) if error.to_string() == "the serial line was closed")
        );
    }
}
