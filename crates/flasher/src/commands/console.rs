//! `flasher console`: the board's serial line by hand; Ctrl-] leaves. Several may watch, one may type.

mod output;
mod terminal;

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use flasher_core::tree::DeviceTree;
use flasher_core::{Class, Device, Error, PowerDriver, Result, SerialDriver, cycle};
use futures_util::FutureExt as _;
use futures_util::future::FusedFuture as _;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use crate::args::{ConsoleArgs, RemoteArgs};
use crate::failure::Failure;
use crate::screen::Screen;
use output::Output;
use terminal::RawTerminal;

/// Ctrl-].
const LEAVE: u8 = 0x1d;
/// Silence after the end of the input that ends the session.
const QUIET: Duration = Duration::from_millis(500);
/// Bound on waiting for that silence: a board may never stop talking.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long power stays off when it is cycled.
const OFF: Duration = Duration::from_secs(2);
/// Bound on opening the line, and on the board taking what was typed.
const ANSWER: Duration = Duration::from_secs(30);

/// Connects the terminal (or a pipe) with the board until Ctrl-], the end of the input, or a signal.
pub(super) async fn run(args: &ConsoleArgs, tree: DeviceTree, screen: &Screen) -> Result<u8, Failure> {
    let ended = match local(args, &tree) {
        Ok(bench) => connect(args, bench, screen).await,
        Err(error) => Err(error.into()),
    };
    super::close(&tree, screen).await;
    ended.map(|()| 0)
}

/// The same with a board of an exporter.
pub(super) async fn run_remote(
    args: &ConsoleArgs,
    remote: &RemoteArgs,
    screen: &Screen,
) -> Result<u8, Failure> {
    if args.watch {
        return Err(Error::config("`--watch` listens on the machine that has the line")
            .help("leave it out; `flasher --remote … attach` follows a flash")
            .into());
    }
    let exporter = super::remote::exporter(remote).await?;
    let serial = exporter.serial(args.node.device.as_deref())?;
    let power = args.power_cycle.then(|| exporter.power(None)).transpose()?;
    connect(args, Bench { serial, power }, screen).await.map(|()| 0)
}

/// A board's line, and its switch when the power is to be cycled.
struct Bench {
    serial: Arc<dyn SerialDriver>,
    power: Option<Arc<dyn PowerDriver>>,
}

fn local(args: &ConsoleArgs, tree: &DeviceTree) -> Result<Bench> {
    let serial = tree.pick(args.node.device.as_deref(), "serial", |device| match device {
        Device::Serial(serial) => Some(serial.clone()),
        _ => None,
    })?;
    let power = args.power_cycle.then(|| power(tree)).transpose()?;
    Ok(Bench { serial, power })
}

/// Both directions of a line; a watcher only hears.
struct Ends {
    hears: Box<dyn AsyncRead + Send + Unpin>,
    says: Option<Box<dyn AsyncWrite + Send + Unpin>>,
}

async fn connect(args: &ConsoleArgs, bench: Bench, screen: &Screen) -> Result<(), Failure> {
    let Bench { serial, power } = bench;
    let output = Output::new(tokio::io::stdout(), args.log.as_deref(), args.timestamps).await?;
    let ends = open(serial.as_ref(), args.watch).await?;
    let mut signals = Signals::new()?;
    let by_hand = io::stdin().is_terminal();
    if by_hand {
        screen.aside(if args.watch { "watching; Ctrl-] leaves\n" } else { "connected; Ctrl-] leaves\n" });
    }
    let raw = by_hand.then(RawTerminal::enter).transpose()?;
    let (done, cycling) = oneshot::channel();
    let mut cycle = std::pin::pin!(cycled(power, done).fuse());
    let ended = tokio::select! {
        ended = talk(ends, tokio::io::stdin(), output, by_hand, cycling) => ended,
        () = signals.any() => Err(Error::new(Class::Interrupted, "interrupted").into()),
        Err(error) = cycle.as_mut() => Err(error.into()),
    };
    drop(raw);
    if by_hand {
        screen.aside("\n");
    }
    if cycle.is_terminated() {
        return ended;
    }
    // Whoever leaves in the middle of it leaves a board that is on.
    screen.aside("switching the power on again\n");
    let late = |_| Err(Error::infrastructure("the power could not be switched on again in time"));
    let cycled = timeout(ANSWER, cycle).await.unwrap_or_else(late);
    ended.and(cycled.map_err(Failure::from))
}

fn power(tree: &DeviceTree) -> Result<Arc<dyn PowerDriver>> {
    tree.pick(None, "power", |device| match device {
        Device::Power(switch, _) => Some(Arc::clone(switch)),
        _ => None,
    })
}

/// Cycles power beside the session, and then drops `done`.
async fn cycled(power: Option<Arc<dyn PowerDriver>>, done: oneshot::Sender<()>) -> Result<()> {
    if let Some(power) = power {
        cycle(power.as_ref(), OFF).await?;
    }
    drop(done);
    Ok(())
}

async fn open(serial: &dyn SerialDriver, watch: bool) -> Result<Ends> {
    let late = |_| Err(Error::infrastructure("the serial line could not be opened in time"));
    if watch {
        let watched = timeout(ANSWER, serial.watch())
            .await
            .unwrap_or_else(|_| Err(Error::infrastructure("the owner of the serial line does not answer")))?;
        let hears = watched.ok_or_else(|| {
            Error::infrastructure("nobody has the serial line open, so that there is nothing to watch")
                .help("leave `--watch` out to open it, or watch while a flash runs")
        })?;
        return Ok(Ends { hears, says: None });
    }
    let line = timeout(ANSWER, serial.open()).await.unwrap_or_else(late)?;
    let (hears, says) = tokio::io::split(line);
    Ok(Ends { hears: Box::new(hears), says: Some(Box::new(says)) })
}

/// Copies both ways. Ends at Ctrl-] (by hand), some silence after the end of the input, or when the line is gone. A pipe is read
/// once `cycling` is over: what is in it is for the board that boots then.
async fn talk(
    mut ends: Ends,
    mut input: impl AsyncRead + Unpin,
    mut output: Output<impl AsyncWrite + Unpin>,
    by_hand: bool,
    cycling: oneshot::Receiver<()>,
) -> Result<(), Failure> {
    let mut cycling = (!by_hand).then_some(cycling);
    let (mut typed, mut printed) = ([0; 4096], [0; 4096]);
    let mut closing: Option<(Instant, Instant)> = None;
    let mut typing = true;
    loop {
        let end = closing.map(|(quiet, patience)| quiet.min(patience));
        tokio::select! {
            count = ends.hears.read(&mut printed) => {
                let count = count.map_err(lost)?;
                if count == 0 {
                    return over(&ends);
                }
                output.print(&printed[..count]).await?;
                closing = closing.map(|(_, patience)| (Instant::now() + QUIET, patience));
            }
            () = over_with(&mut cycling), if cycling.is_some() => cycling = None,
            count = input.read(&mut typed), if typing && cycling.is_none() => {
                let (bytes, leaving) = until_leave(&typed[..count?], by_hand);
                send(&mut ends, bytes).await?;
                if leaving {
                    return Ok(());
                }
                if bytes.is_empty() {
                    typing = false;
                    // Somebody who only watches goes on until the line or the owner ends it.
                    closing = ends.says.as_ref().map(|_| (Instant::now() + QUIET, Instant::now() + PATIENCE));
                }
            }
            () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => return Ok(()),
        }
    }
}

/// Waits until its sender is gone.
async fn over_with(cycling: &mut Option<oneshot::Receiver<()>>) {
    if let Some(cycling) = cycling {
        // Nothing is ever sent.
        let _ = cycling.await;
    }
}

/// The owner of a watched line may let go of it; a line of one's own must not end.
fn over(ends: &Ends) -> Result<(), Failure> {
    if ends.says.is_none() {
        return Ok(());
    }
    Err(Error::infrastructure("the serial line was closed").into())
}

/// What was typed before Ctrl-], and whether that was among it. In a pipe it is a byte like any other.
fn until_leave(typed: &[u8], by_hand: bool) -> (&[u8], bool) {
    match typed.iter().position(|byte| *byte == LEAVE) {
        Some(at) if by_hand => (&typed[..at], true),
        _ => (typed, false),
    }
}

/// Who watches may type what they like; it goes nowhere.
async fn send(ends: &mut Ends, bytes: &[u8]) -> Result<()> {
    let Some(says) = &mut ends.says else { return Ok(()) };
    let written = timeout(ANSWER, async {
        says.write_all(bytes).await?;
        says.flush().await
    });
    let late =
        || Error::infrastructure("the serial line does not take what is typed").help("check flow control");
    written.await.map_err(|_| late())?.map_err(lost)
}

fn lost(error: io::Error) -> Error {
    Error::infrastructure("the serial line was lost").because(error)
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

    fn ends(stream: tokio::io::DuplexStream, watch: bool) -> Ends {
        let (hears, says) = tokio::io::split(stream);
        Ends { hears: Box::new(hears), says: (!watch).then(|| Box::new(says) as Box<_>) }
    }

    /// Talks to a board that echoes; gives what came out.
    async fn session(input: &'static [u8], by_hand: bool) -> Vec<u8> {
        let (ours, theirs) = tokio::io::duplex(64);
        let (mut hears, mut says) = tokio::io::split(theirs);
        let board = tokio::spawn(async move { tokio::io::copy(&mut hears, &mut says).await });
        let mut screen = io::Cursor::new(Vec::new());
        let output = Output::new(&mut screen, None, false).await.unwrap();
        talk(ends(ours, false), input, output, by_hand, not_cycled()).await.unwrap();
        board.abort();
        screen.into_inner()
    }

    fn not_cycled() -> oneshot::Receiver<()> {
        let (_, cycling) = oneshot::channel();
        cycling
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
    async fn a_line_that_closes_is_an_error_unless_it_was_only_watched() {
        for watch in [false, true] {
            let (ours, theirs) = tokio::io::duplex(64);
            drop(theirs);
            let (input, _keep) = tokio::io::duplex(64);
            let output = Output::new(tokio::io::sink(), None, false).await.unwrap();
            match talk(ends(ours, watch), input, output, true, not_cycled()).await {
                Ok(()) => assert!(watch),
                Err(Failure::Error(error)) => {
                    assert_eq!((watch, error.to_string().as_str()), (false, "the serial line was closed"));
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn who_watches_says_nothing() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        theirs.write_all(b"=> ").await.unwrap();
        let mut screen = io::Cursor::new(Vec::new());
        let output = Output::new(&mut screen, None, false).await.unwrap();
        let mut watched = ends(ours, false);
        watched.says = None;
        let (mut input, keys) = tokio::io::duplex(64);
        input.write_all(b"reset\r\x1d").await.unwrap();
        talk(watched, keys, output, true, not_cycled()).await.unwrap();
        let mut heard = Vec::new();
        theirs.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"");
    }
}
