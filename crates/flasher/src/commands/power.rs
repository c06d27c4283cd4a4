//! `flasher power`: the switch and the meter by hand.

use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use flasher_core::owner::Board;
use flasher_core::tree::DriverTree;
use flasher_core::{Device, Driver, Error, PowerDriver, PowerMeter, Reading, Result, cycle};

use super::{driver_tree, killed, python};
use crate::args::python::PythonOption;
use crate::args::values::seconds;
use crate::failure::Failure;
use crate::render::message::Message;
use crate::screen::Screen;
use crate::signals;

/// What is done with the power.
#[derive(Subcommand)]
pub(crate) enum PowerAction {
    /// Power on
    On,
    /// Power off
    Off,
    /// Power off, wait, power on
    Cycle {
        /// How long power stays off
        #[arg(long, value_name = "SECS", default_value = "2", value_parser = seconds)]
        wait: Duration,
    },
    /// Ask the switch whether power is on
    Status,
    /// Measure voltage and current
    Read {
        /// How often
        #[arg(short = 'n', long, value_name = "N", default_value_t = 1)]
        count: u32,
        /// Seconds between two readings
        #[arg(short, long, value_name = "SECS", default_value = "1", value_parser = seconds)]
        interval: Duration,
    },
}

/// Bound on what the switch or the meter takes to answer; longer than any driver waits by itself.
const ANSWER: Duration = Duration::from_secs(60);

/// Switches or measures. Refuses to switch a board that another job has, unless `force`.
pub(super) async fn run(
    action: &PowerAction,
    (device, force): (Option<&str>, bool),
    (tree, python): (DriverTree, &PythonOption),
    screen: &Screen,
) -> Result<u8, Failure> {
    let work = switch_or_measure(action, (device, force), (&tree, python), screen);
    let done = signals::interruptible(work).await;
    driver_tree::close(&tree, screen).await;
    done.map(|()| 0)
}

/// Switches or measures one node of a tree.
///
/// # Errors
/// When another job has the board, and those of the switch or the meter.
pub(super) async fn switch_or_measure(
    action: &PowerAction,
    (device, force): (Option<&str>, bool),
    (tree, python): (&DriverTree, &PythonOption),
    screen: &Screen,
) -> Result<(), Failure> {
    let power = Power { path: device, force, tree };
    power.ready(python, screen).await?;
    power.act(action, screen).await
}

/// The power of one node.
struct Power<'a> {
    path: Option<&'a str>,
    force: bool,
    tree: &'a DriverTree,
}

impl Power<'_> {
    async fn act(&self, action: &PowerAction, screen: &Screen) -> Result<(), Failure> {
        let switch = match action {
            PowerAction::Read { count, interval } => return self.read(*count, *interval, screen).await,
            _ => self.switch()?,
        };
        match action {
            PowerAction::On => {
                self.may_switch(&switch).await?;
                bounded(ANSWER, switch.on()).await?;
            }
            PowerAction::Off => {
                self.may_switch(&switch).await?;
                bounded(ANSWER, switch.off()).await?;
                bounded(ANSWER, self.board(&switch).forget_killed_job()).await?;
            }
            PowerAction::Cycle { wait } => {
                self.may_switch(&switch).await?;
                bounded(ANSWER + *wait, cycle(switch.as_ref(), *wait)).await?;
            }
            PowerAction::Status | PowerAction::Read { .. } => {}
        }
        let state = bounded(ANSWER, switch.state()).await?;
        let told = match action {
            PowerAction::Status | PowerAction::Read { .. } => None,
            PowerAction::Off => Some(false),
            PowerAction::On | PowerAction::Cycle { .. } => Some(true),
        };
        show(told, state, screen)?;
        if let Some(killed) = killed::left_on(self.tree, &switch, state).await? {
            let next = killed::switch_off(self.path);
            screen.aside(&format!("warning: {killed}; {next}\n"));
        }
        Ok(())
    }

    /// Starts Python when the power is one of its nodes.
    async fn ready(&self, python: &PythonOption, screen: &Screen) -> Result<()> {
        let nodes = python::nodes_for(self.tree, self.path, |device| matches!(device, Device::Power(..)));
        if !self.force {
            python::refuse_if_held(self.tree, &nodes)
                .await
                .map_err(|error| error.help("wait for it to end, stop it, or use `--force`"))?;
        }
        python::start(python, self.tree, &nodes, screen).await.map(drop)
    }

    async fn may_switch(&self, switch: &Arc<dyn PowerDriver>) -> Result<()> {
        if self.force {
            return Ok(());
        }
        self.board(switch)
            .refuse_if_held()
            .await
            .map_err(|error| error.help("wait for it to end, stop it, or use `--force`"))
    }

    fn board(&self, switch: &Arc<dyn PowerDriver>) -> Board {
        Board::of(self.tree, &(Arc::clone(switch) as Arc<dyn Driver>))
    }

    async fn read(&self, count: u32, interval: Duration, screen: &Screen) -> Result<(), Failure> {
        let meter = self.meter()?;
        for round in 0..count {
            if round > 0 {
                tokio::time::sleep(interval).await;
            }
            for Reading { voltage, current } in bounded(ANSWER, meter.read()).await? {
                screen.show(&Message::Reading { voltage, current }, |_| {
                    format!("{voltage:.3} V  {current:.3} A  {:.3} W\n", voltage * current)
                })?;
            }
        }
        Ok(())
    }

    fn switch(&self) -> Result<Arc<dyn PowerDriver>> {
        self.tree.pick(self.path, "power", |device| match device {
            Device::Power(switch, _) => Some(Arc::clone(switch)),
            _ => None,
        })
    }

    fn meter(&self) -> Result<Arc<dyn PowerMeter>> {
        self.tree.pick(self.path, "power with a meter", |device| match device {
            Device::Power(_, Some(meter)) => Some(Arc::clone(meter)),
            _ => None,
        })
    }
}

/// What the power is: what was ordered, and whether the switch says so as well; or what it says when nothing was ordered.
fn show(told: Option<bool>, state: Option<bool>, screen: &Screen) -> std::io::Result<()> {
    let on = told.or(state);
    let confirmed = state.is_some() && state == on;
    let word = match on {
        Some(true) => "on",
        Some(false) => "off",
        None => "unknown: the switch cannot tell",
    };
    let evidence = match (on, confirmed) {
        (None, _) => "",
        (Some(_), true) => ", as the switch reports",
        (Some(_), false) => ", not confirmed",
    };
    screen.show(&Message::Power { on, confirmed }, |_| format!("power {word}{evidence}\n"))
}

async fn bounded<T>(bound: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(bound, work).await.unwrap_or_else(|_| {
        Err(Error::infrastructure(format!("the power did not answer within {} s", bound.as_secs()))
            .help("`flasher doctor` looks at each node by itself"))
    })
}
