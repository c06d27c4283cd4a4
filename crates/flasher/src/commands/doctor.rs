//! `flasher doctor`: what would stop a flash here, with the remedy.

mod machine;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use flasher_core::driver::TransferLog;
use flasher_core::owner::Board;
use flasher_core::tree::DriverTree;
use flasher_core::{Class, Device, Error, FileServer, Flasher, PowerDriver, Result, safe};

use super::{driver_tree, killed, python};
use crate::args::python::PythonOption;
use crate::failure::Failure;
use crate::render::message::Message;
use crate::render::units::shown;
use crate::screen::Screen;
use crate::signals;

/// Bound on looking at one thing.
const LOOK: Duration = Duration::from_secs(30);
/// What to do about a registry that cannot be reached.
const OUT_OF_REACH: &str =
    "a flash needs it unless the bundle is in the cache: look again where the registry can be reached";

/// What was found out about one thing that does not stop a flash for certain.
pub(super) enum Found {
    Ready(String),
    /// A killed job may have left the board on: reported as a warning.
    LeftOn(String),
    /// Only Python has its driver: reported as a warning, and as an error of the flasher that needs it.
    NotAvailable(Error),
    /// A node of another exporter that this program has no device for: reported as a warning.
    NotUsable(Error),
    /// A registry cannot be reached from here and now, as on a machine without a network: reported as a warning.
    OutOfReach(Error),
}

/// Where the board is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Machine {
    /// Here: what a flash needs of this machine is looked at as well.
    This,
    /// Behind `--remote`.
    Elsewhere,
}

/// Prints a line for each thing; gives 0, or the exit code of the worst that would stop a flash, which is that of the flash. A
/// registry that is out of reach is a warning.
pub(super) async fn run(
    (tree, python): (DriverTree, &PythonOption),
    machine: Machine,
    screen: &Screen,
) -> Result<u8, Failure> {
    look_at(&tree, python, machine, screen).await
}

/// The same with a tree that others hold as well; it is closed.
pub(super) async fn look_at(
    tree: &DriverTree,
    python: &PythonOption,
    machine: Machine,
    screen: &Screen,
) -> Result<u8, Failure> {
    let told = signals::interruptible(async {
        start_python(python, tree, screen).await?;
        look(tree, machine, screen).await
    })
    .await;
    driver_tree::close(tree, screen).await;
    Ok(told?.map_or(0, Class::exit_code))
}

/// Has Python run what only it has; what a job has is left alone.
async fn start_python(choice: &PythonOption, tree: &DriverTree, screen: &Screen) -> Result<()> {
    let mut free = Vec::new();
    for node in tree.python() {
        match python::refuse_if_held(tree, std::slice::from_ref(&node)).await {
            Ok(()) => free.push(node),
            Err(held) => node.refuse(held.cause()),
        }
    }
    python::start(choice, tree, &free, screen).await.map(drop)
}

/// The worst that was found.
async fn look(tree: &DriverTree, machine: Machine, screen: &Screen) -> Result<Option<Class>, Failure> {
    let paths: BTreeSet<String> = tree.drivers().into_iter().map(|(path, _)| path).collect();
    let nodes = tree.all().into_iter().filter(|(path, _)| paths.contains(path)).collect::<Vec<_>>();
    let machine = if machine == Machine::This { machine::look() } else { Vec::new() };
    let subjects = nodes.iter().map(|(path, _)| path).chain(machine.iter().map(|(subject, _)| subject));
    let width = subjects.map(|subject| subject.chars().count()).max().unwrap_or(0);
    let mut worst = Vec::new();
    for (path, device) in &nodes {
        let found = tokio::time::timeout(LOOK, node(tree, device)).await.unwrap_or_else(|_| {
            Err(Error::infrastructure(format!("no answer within {} s", LOOK.as_secs()))
                .help("look at it by hand: is it switched on and connected?"))
        });
        worst.extend(tell(path, found, width, screen)?);
    }
    for (path, device) in &nodes {
        if let Some(found) = route(device).await {
            worst.extend(tell(path, found.map(Found::Ready), width, screen)?);
        }
    }
    for (subject, found) in machine {
        worst.extend(tell(&subject, found.map(Found::Ready), width, screen)?);
    }
    Ok(worst.into_iter().max_by_key(|class| class.exit_code()))
}

/// What is found about one node; what stops a flash is an error.
pub(super) async fn node(tree: &DriverTree, device: &Device) -> Result<Found> {
    let Some(driver) = device.driver() else { return Ok(Found::Ready("group".to_owned())) };
    driver.examine().await?;
    let ready = match &device.usable() {
        Device::FileServer(server) => bind(server.as_ref()).await,
        Device::Flasher(flasher) => {
            tree.require(flasher)?;
            Board::below(tree, flasher).refuse_if_held().await?;
            let board = match board_name(flasher.as_ref()).await {
                Err(error) if is_out_of_reach(&error) => return Ok(Found::OutOfReach(error)),
                board => board?,
            };
            flasher.rehearse().await?;
            Ok(format!("{board}, ready"))
        }
        Device::ContentServer(server) => bind(server.as_ref() as &dyn FileServer).await,
        Device::Power(switch, _) => return power(tree, switch).await,
        Device::StorageMux(mux) => Ok(match mux.position().await? {
            Some(position) => format!("storage mux, reports {position}"),
            None => "storage mux, ready; cannot tell its position".to_owned(),
        }),
        Device::Python(python) if !python.is_running() => {
            return Ok(Found::NotAvailable(python.refusal()));
        }
        Device::Other(other) => return Ok(Found::NotUsable(other.refusal())),
        other => Ok(format!("{}, ready", other.kind())),
    };
    ready.map(Found::Ready)
}

/// The board of the flasher's bundle.
async fn board_name(flasher: &dyn Flasher) -> Result<String> {
    match flasher.flasher_bundle() {
        Some(bundle) => Ok(bundle.describe().await?.board),
        None => Ok("flasher".to_owned()),
    }
}

/// What the switch reports, and whether a killed job may have left the board on.
async fn power(tree: &DriverTree, switch: &Arc<dyn PowerDriver>) -> Result<Found> {
    let on = switch.state().await?;
    let left_on = killed::left_on(tree, switch, on).await?;
    Ok(left_on
        .map_or_else(|| Found::Ready(state(on)), |killed| Found::LeftOn(format!("{}; {killed}", state(on)))))
}

/// Whether a bundle cannot be had because of the network: what is wrong with this machine or a file stays so.
fn is_out_of_reach(error: &Error) -> bool {
    error.class() == Class::Infrastructure && error.is_retryable()
}

/// The way to the board, of a flasher that can tell.
async fn route(device: &Device) -> Option<Result<String>> {
    let Device::Flasher(flasher) = device else { return None };
    flasher.route().await.transpose()
}

fn state(on: Option<bool>) -> String {
    let state = match on {
        Some(true) => "reports on",
        Some(false) => "reports off",
        None => "ready; cannot tell its state, so that receipts say `not confirmed`",
    };
    format!("power, {state}")
}

/// Binds and lets go again.
async fn bind(server: &dyn FileServer) -> Result<String> {
    let address = server.start(TransferLog::default()).await?;
    server.stop().await?;
    Ok(format!("binds {address} and serves {}", shown(&server.root())))
}

/// Shows what was found; gives who is to blame when it would stop a flash.
fn tell(subject: &str, found: Result<Found>, width: usize, screen: &Screen) -> io::Result<Option<Class>> {
    let warning = !matches!(found, Ok(Found::Ready(_)) | Err(_));
    let switch_off = killed::switch_off(Some(subject));
    let (finding, help, class) = match &found {
        Ok(Found::Ready(finding)) => (finding.clone(), None, None),
        Ok(Found::LeftOn(finding)) => (finding.clone(), Some(switch_off.as_str()), None),
        Ok(Found::OutOfReach(error)) => (error.cause(), Some(OUT_OF_REACH), Some(error.class())),
        Ok(Found::NotAvailable(error) | Found::NotUsable(error)) => {
            (error.cause(), error.next_step(), Some(error.class()))
        }
        Err(error) => (error.cause(), error.next_step(), Some(error.class())),
    };
    let (finding, help) = (safe::one_line(&finding), help.map(safe::one_line));
    let healthy = class.is_none();
    let text = (finding.clone(), help.clone());
    let message = Message::Health { subject: subject.to_owned(), healthy, warning, class, finding, help };
    screen.show(&message, |paint| {
        let (finding, help) = &text;
        let mark = match (healthy, warning) {
            (_, true) => paint.warning("!"),
            (true, false) => paint.good("✓"),
            (false, false) => paint.bad("✗"),
        };
        let indent = " ".repeat(width + 4);
        let help = help.as_ref().map(|help| format!("{indent}{}\n", paint.dim(help))).unwrap_or_default();
        let subject = safe::line(subject);
        format!("{mark} {subject:width$}  {finding}\n{help}")
    })?;
    Ok(class.filter(|_| !warning))
}
