//! `flasher console`: the board's serial line by hand. Several may watch, one may type.

pub(crate) mod args;
mod escape;
mod keys;
mod line;
mod output;
mod talk;
mod terminal;

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use flasher_core::tree::DriverTree;
use flasher_core::{Device, Error, PowerDriver, Result, SerialDriver, cycle};
use futures_util::FutureExt as _;
use futures_util::future::FusedFuture as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{driver_tree, python};
use crate::args::python::PythonOption;
use crate::failure::Failure;
use crate::screen::Screen;
use args::ConsoleArgs;
use escape::Escape;
use keys::Keys;
use line::{ANSWER, Line, Watch};
use output::Output;
use talk::{Talk, interrupted};
use terminal::RawTerminal;

/// How long power stays off when it is cycled.
const OFF: Duration = Duration::from_secs(2);
/// Bound on asking the switch for its state; it is only shown.
const STATE: Duration = Duration::from_secs(5);

/// Connects the terminal (or a pipe) with the board until the escape, the end of the input, or a signal.
pub(super) async fn run(
    args: &ConsoleArgs,
    (tree, python): (DriverTree, &PythonOption),
    screen: &Screen,
) -> Result<u8, Failure> {
    let mut signals = Signals::new()?;
    let ready = tokio::select! {
        ready = ready(args, &tree, python, screen) => ready,
        () = signals.any() => Err(interrupted()),
    };
    let ended = match ready.and_then(|()| bench(args, &tree)) {
        Ok(bench) => connect(args, bench, screen).await,
        Err(error) => Err(error.into()),
    };
    driver_tree::close(&tree, screen).await;
    ended.map(|()| 0)
}

/// Starts Python when the line is one of its nodes, or the switch that is to be cycled.
async fn ready(args: &ConsoleArgs, tree: &DriverTree, python: &PythonOption, screen: &Screen) -> Result<()> {
    let path = args.node.device.as_deref();
    let mut nodes = python::nodes_for(tree, path, |device| matches!(device, Device::Serial(_)));
    if args.power_cycle {
        nodes.extend(python::nodes_for(tree, None, |device| matches!(device, Device::Power(..))));
    }
    python::refuse_if_held(tree, &nodes).await?;
    python::start(python, tree, &nodes, screen).await.map(drop)
}

/// A board's line, and its switch when there is one.
struct Bench {
    serial: Arc<dyn SerialDriver>,
    power: Option<Arc<dyn PowerDriver>>,
    /// Whether the switch here knows the power of the board that is heard.
    knows_power: bool,
}

impl Bench {
    /// Whether the power is on; none when no switch can say.
    async fn is_on(&self) -> Option<bool> {
        let power = self.power.as_ref().filter(|_| self.knows_power)?;
        timeout(STATE, power.state()).await.ok()?.unwrap_or_else(|error| {
            tracing::debug!(%error, "the power switch does not tell its state");
            None
        })
    }
}

/// The switch, which only a cycle needs.
fn optional(args: &ConsoleArgs, power: Result<Arc<dyn PowerDriver>>) -> Result<Option<Arc<dyn PowerDriver>>> {
    if args.power_cycle { power.map(Some) } else { Ok(power.ok()) }
}

fn bench(args: &ConsoleArgs, tree: &DriverTree) -> Result<Bench> {
    let serial = tree.pick(args.node.device.as_deref(), "serial", |device| match device {
        Device::Serial(serial) => Some(serial.clone()),
        _ => None,
    })?;
    let power = optional(args, power(tree))?;
    // A virtual board that is watched lives in another process, whose power the switch of this one does not know.
    let knows_power = !(args.watch && power.as_ref().is_some_and(|power| power.is_virtual()));
    Ok(Bench { serial, power, knows_power })
}

async fn connect(args: &ConsoleArgs, bench: Bench, screen: &Screen) -> Result<(), Failure> {
    let log = args.log.as_deref().map(output::open_log).transpose()?.map(Arc::new);
    let output = Output::new(tokio::io::stdout(), log.clone(), args.timestamps);
    let port = bench.serial.port().await.name;
    let (line, is_on) = tokio::join!(open(args, &bench), bench.is_on());
    let line = line?;
    let mut signals = Signals::new()?;
    let by_hand = io::stdin().is_terminal();
    if by_hand || args.watch {
        screen.aside(&greeting(args, &port, is_on, by_hand));
    }
    let raw = by_hand.then(RawTerminal::enter).transpose()?;
    let tell = |news: &str| if by_hand { screen.aside_raw(news) } else { screen.aside(news) };
    let keys = by_hand.then(|| Keys::new(args.escape));
    let talk = Talk { line, input: tokio::io::stdin(), output, keys, tell };
    let power = bench.power.filter(|_| args.power_cycle);
    let (done, cycling) = oneshot::channel();
    let mut cycle = std::pin::pin!(cycled(power, done).fuse());
    let ended = tokio::select! {
        ended = talk.run(cycling) => ended,
        () = signals.any() => Err(interrupted().into()),
        Err(error) = cycle.as_mut() => Err(error.into()),
    };
    drop(raw);
    if by_hand {
        screen.aside("\n");
    }
    let ended = ended.and(output::finish(log.as_deref(), args.log.as_deref()).await);
    if cycle.is_terminated() {
        return ended;
    }
    // A user who leaves in the middle of it leaves a board that is on.
    screen.aside("switching the power on again\n");
    let late = |_| Err(Error::infrastructure("the power could not be switched on again in time"));
    let cycled = timeout(ANSWER, cycle).await.unwrap_or_else(late);
    ended.and(cycled.map_err(Failure::from))
}

fn power(tree: &DriverTree) -> Result<Arc<dyn PowerDriver>> {
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

async fn open(args: &ConsoleArgs, bench: &Bench) -> Result<Line> {
    if args.watch {
        return Ok(Line::Watched(Watch::new(Arc::clone(&bench.serial))));
    }
    Line::open(bench.serial.as_ref()).await
}

/// What is shown at the start: the line, the board's power, and how to leave.
fn greeting(args: &ConsoleArgs, port: &str, is_on: Option<bool>, by_hand: bool) -> String {
    let doing = if args.watch { "watching" } else { "connected to" };
    let power = match is_on {
        Some(true) => "on",
        Some(false) => "off",
        None => "unknown",
    };
    let leave = match (by_hand, args.watch, args.escape) {
        (false, ..) | (true, true, Escape::None) => "^C leaves".to_owned(),
        (true, true, escape) => format!("{escape} or ^C leaves"),
        (true, false, Escape::None) => "no key leaves: end the process or close the terminal".to_owned(),
        (true, false, Escape::Tilde) => format!("{} leaves, `~~` sends `~`", Escape::Tilde),
        (true, false, escape) => format!("{escape} leaves"),
    };
    format!("{doing} {port}; power: {power}; {leave}\n")
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
    use crate::args::node::NodeArgs;

    #[test]
    fn the_start_names_the_line_the_power_and_how_to_leave() {
        for (watch, escape, is_on, by_hand, expected) in [
            (false, "ctrl-]", Some(true), true, "connected to `/dev/ttyUSB0`; power: on; Ctrl-] leaves\n"),
            (false, "ctrl-a", Some(false), true, "connected to `/dev/ttyUSB0`; power: off; Ctrl-A leaves\n"),
            (
                false,
                "~.",
                None,
                true,
                "connected to `/dev/ttyUSB0`; power: unknown; `~.` at the beginning of a line leaves, `~~` sends `~`\n",
            ),
            (
                false,
                "none",
                None,
                true,
                "connected to `/dev/ttyUSB0`; power: unknown; no key leaves: end the process or close the terminal\n",
            ),
            (true, "ctrl-]", None, true, "watching `/dev/ttyUSB0`; power: unknown; Ctrl-] or ^C leaves\n"),
            (
                true,
                "~.",
                None,
                true,
                "watching `/dev/ttyUSB0`; power: unknown; `~.` at the beginning of a line or ^C leaves\n",
            ),
            (true, "none", Some(true), true, "watching `/dev/ttyUSB0`; power: on; ^C leaves\n"),
            (true, "ctrl-]", Some(true), false, "watching `/dev/ttyUSB0`; power: on; ^C leaves\n"),
        ] {
            let args = ConsoleArgs {
                node: NodeArgs { device: None },
                watch,
                escape: escape.parse().unwrap(),
                power_cycle: false,
                log: None,
                timestamps: false,
            };
            assert_eq!(greeting(&args, "`/dev/ttyUSB0`", is_on, by_hand), expected);
        }
    }
}
