//! Jumpstarter's Python beside a command: started for the nodes that the command needs, and ended when their tree is closed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use driver_remote::{RemoteAccess, RemoteExporter};
use exporter_grpc::PythonExporter;
use flasher_core::owner::Board;
use flasher_core::python::{PythonChoice, PythonHost, PythonNode, RunningNode};
use flasher_core::tree::DriverTree;
use flasher_core::{Device, Driver, Result, safe};

use crate::args::python::{PythonOption, chosen, interpreter};
use crate::screen::Screen;

/// Starts Python for `needed`, nodes of `tree`; which of them it runs, they know from then on. Without Python nothing is done.
///
/// # Errors
/// When a Python that was asked for by name is missing or does not start. One that was only found is left out with a warning.
pub(super) async fn start(
    option: &PythonOption,
    tree: &DriverTree,
    needed: &[Arc<PythonNode>],
    screen: &Screen,
) -> Result<Option<Arc<PythonExporter>>> {
    let choice = chosen(option, tree);
    let needed: Vec<_> = needed.iter().filter(|node| !node.is_running()).cloned().collect();
    let Some(interpreter) = interpreter(&choice)?.filter(|_| !needed.is_empty()) else { return Ok(None) };
    let failed = match started(&interpreter, tree, &needed).await {
        Err(error) if choice == PythonChoice::Auto => error,
        started => return started,
    };
    let why = safe::one_line(&failed.cause());
    screen.aside(&format!("warning: {why}\n"));
    needed.iter().for_each(|node| node.refuse(why.clone()));
    Ok(None)
}

/// The Python nodes of which one is, or may be, the device that a command needs: `path` names it, or nothing else `fits`.
pub(super) fn nodes_for(
    tree: &DriverTree,
    path: Option<&str>,
    fits: impl Fn(&Device) -> bool,
) -> Vec<Arc<PythonNode>> {
    match path.map(|path| tree.find(path)) {
        Some(Ok(Device::Python(node))) => vec![node],
        Some(_) => Vec::new(),
        None if tree.all().iter().any(|(_, device)| fits(device)) => Vec::new(),
        None => tree.python(),
    }
}

/// Refuses to start Python for nodes of a board that a job has: its drivers may open the hardware a second time.
///
/// # Errors
/// When another job has it; names the holder.
pub(super) async fn refuse_if_held(tree: &DriverTree, nodes: &[Arc<PythonNode>]) -> Result<()> {
    let drivers = nodes.iter().map(|node| Arc::clone(node) as Arc<dyn Driver>);
    Board::of_all(tree, drivers).refuse_if_held().await
}

/// Which of the tree's Python nodes there is no Python for, by path, and why. Opens no hardware.
///
/// # Errors
/// As [`start`].
pub(super) async fn not_available(
    option: &PythonOption,
    tree: &DriverTree,
    screen: &Screen,
) -> Result<BTreeMap<String, Option<String>>> {
    let (nodes, choice) = (tree.python(), chosen(option, tree));
    let unknown = |why: Option<String>| nodes.iter().map(move |node| (node.path().to_owned(), why.clone()));
    let Some(interpreter) = interpreter(&choice)?.filter(|_| !nodes.is_empty()) else {
        return Ok(unknown(None).collect());
    };
    let classes: Vec<&str> = nodes.iter().map(|node| node.class()).collect();
    let missing = match PythonExporter::missing(&interpreter, &classes).await {
        Err(error) if choice == PythonChoice::Auto => {
            let why = safe::one_line(&error.cause());
            screen.aside(&format!("warning: {why}\n"));
            return Ok(unknown(Some(why)).collect());
        }
        missing => missing?,
    };
    let why = |node: &PythonNode| missing.get(node.class()).map(|why| python_says(why));
    let nodes = nodes.iter().filter(|node| node.obstacle().is_some() || missing.contains_key(node.class()));
    Ok(nodes.map(|node| (node.path().to_owned(), why(node))).collect())
}

async fn started(
    interpreter: &Path,
    tree: &DriverTree,
    needed: &[Arc<PythonNode>],
) -> Result<Option<Arc<PythonExporter>>> {
    let Some(python) = PythonExporter::start(interpreter, tree, needed).await? else { return Ok(None) };
    // From now on it ends with the tree, also when this is interrupted.
    let host = || Arc::clone(&python) as Arc<dyn PythonHost>;
    needed.iter().for_each(|node| node.run(RunningNode { power: None, serial: None, host: host() }));
    let access = RemoteAccess::open(format!("unix:{}", python.socket().display()));
    let client = match RemoteExporter::connect(access).await {
        Ok(client) => client,
        Err(error) => {
            python.close().await;
            needed.iter().for_each(|node| node.refuse(error.cause()));
            return Err(error);
        }
    };
    // Nodes that were not asked for run as well when they are referred to.
    for node in tree.python() {
        hand_over(&node, &python, &client)?;
    }
    if tree.python().iter().any(|node| node.is_running()) {
        return Ok(Some(python));
    }
    python.close().await;
    Ok(None)
}

/// Tells a node whether Python runs it, and as what.
fn hand_over(node: &PythonNode, python: &Arc<PythonExporter>, client: &RemoteExporter) -> Result<()> {
    let path = node.path();
    if let Some(why) = python.failed_at(path) {
        node.refuse(python_says(why));
    }
    if !python.runs(path) {
        if node.is_running() {
            node.refuse("Python does not report it");
        }
        return Ok(());
    }
    let kinds = python.kinds(path);
    let power = match kinds.power {
        true => Some(client.power_as(path)?),
        false => None,
    };
    let serial = match kinds.serial {
        true => Some(client.serial_as(path)?),
        false => None,
    };
    node.run(RunningNode { power, serial, host: Arc::clone(python) as Arc<dyn PythonHost> });
    Ok(())
}

fn python_says(why: &str) -> String {
    format!("Python says: {}", safe::one_line(why))
}
