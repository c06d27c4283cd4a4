//! What serving needs, with a controller or without: signals, addresses, a look at the hardware, and Python beside the exporter.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use exporter_grpc::PythonExporter;
use flasher_core::tree::DriverTree;
use flasher_core::{Error, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::python::PythonOption;
use crate::commands::python;
use crate::screen::Screen;

/// Bound on looking whether all hardware is there.
const PROBE: Duration = Duration::from_secs(60);

/// Looks whether all hardware of a tree is there.
///
/// # Errors
/// When some of it is not, or does not answer in time.
pub(super) async fn probe(tree: &DriverTree) -> Result<()> {
    tokio::time::timeout(PROBE, tree.probe()).await.unwrap_or_else(|_| {
        let message = format!("the hardware did not answer within {} s", PROBE.as_secs());
        Err(Error::infrastructure(message).help("`flasher doctor` looks at each node by itself"))
    })
}

/// The address to bind: `HOST:PORT`, or `:PORT` for every address of this machine.
///
/// # Errors
/// When it is none, or its host has no address.
pub(super) async fn resolve(address: &str) -> Result<SocketAddr> {
    let whole = if address.starts_with(':') { format!("0.0.0.0{address}") } else { address.to_owned() };
    let wrong = || {
        Error::config(format!("`{address}` is no address to listen on")).help(
            "give HOST:PORT, for example `127.0.0.1:18083`, or `:18083` for every address of this machine",
        )
    };
    let mut found = tokio::net::lookup_host(&whole).await.map_err(|error| wrong().because(error))?;
    found.next().ok_or_else(wrong)
}

/// The signals that end or reload an exporter.
pub(super) struct Signals {
    pub(super) interrupt: Signal,
    pub(super) terminate: Signal,
    pub(super) hangup: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self { interrupt: interrupt?, terminate: terminate?, hangup: hangup? })
    }

    /// ^C or SIGTERM.
    pub(super) async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Starts Python when the tree has nodes for it, and names those that clients will find not available.
///
/// # Errors
/// When a Python that was asked for by name is missing or does not start.
pub(super) async fn beside(
    choice: &PythonOption,
    tree: &DriverTree,
    screen: &Screen,
) -> Result<Option<Arc<PythonExporter>>> {
    let nodes = tree.python();
    let started = python::start(choice, tree, &nodes, screen).await?;
    for node in nodes.iter().filter(|node| !node.is_running()) {
        screen.aside(&format!("warning: {}\n", node.refusal().cause()));
    }
    Ok(started)
}
