//! A connection to an exporter: its nodes, its devices, and the flashes that run there.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use exporter_wire::order::{self, JobOrder};
use exporter_wire::value;
use flasher_core::tree::{DeviceTree, TreeParts};
use flasher_core::{Device, Error, PowerDriver, PowerMeter, Result, SerialDriver};
use futures_util::{Stream, StreamExt};
use prost_types::Value;
use tokio::sync::mpsc;
use tonic::{Code, Status};

use crate::access::RemoteAccess;
use crate::connection::ConnectedExporter;
use crate::devices::{self, RemotePower, RemoteSerial};
use crate::files::{OutgoingFiles, StartedFlash};
use crate::link::{Link, failed};
use crate::node::{NodeKind, RemoteNode};
use crate::session::{Place, RemoteSession};

/// An exporter that is connected; clones share the connection.
#[derive(Clone, Debug)]
pub struct RemoteExporter(ConnectedExporter);

/// A flasher on the exporter.
#[derive(Clone, Debug)]
pub struct RemoteFlasher {
    flasher: String,
}

impl RemoteExporter {
    /// Connects, and asks for the nodes of the driver tree.
    ///
    /// # Errors
    /// When there is no answer, or the exporter refuses the connection.
    pub async fn connect(access: RemoteAccess) -> Result<Self> {
        ConnectedExporter::open(access).await.map(Self)
    }

    /// Where it is.
    pub fn access(&self) -> &RemoteAccess {
        &self.0.access
    }

    /// The connection, for raw calls.
    pub fn link(&self) -> &Link {
        &self.0.link
    }

    /// Every node as it was reported, parents first; the root has an empty path.
    pub fn nodes(&self) -> &[RemoteNode] {
        &self.0.nodes
    }

    /// The nodes as devices of this machine. A node that stands in several places is one device.
    pub fn tree(&self) -> DeviceTree {
        let session = Arc::new(RemoteSession::connected(self.0.clone()));
        let mut known = HashMap::<&str, Device>::new();
        let mut nodes = BTreeMap::new();
        // Groups need what is below them, which is reported after them.
        for node in self.0.nodes.iter().rev().filter(|node| !node.path.is_empty()) {
            let device = match node.kind {
                NodeKind::Group => Device::Group(below(&nodes, &node.path)),
                _ => known.entry(&node.uuid).or_insert_with(|| devices::device(&session, node)).clone(),
            };
            nodes.insert(node.path.clone(), device);
        }
        let roots = nodes.iter().filter(|(path, _)| !path.contains('.'));
        let roots = roots.map(|(path, device)| (path.clone(), device.clone())).collect();
        let notes = self.0.nodes.iter().map(|node| (node.path.clone(), node.notes.clone())).collect();
        let name = self.0.access.address.clone();
        DeviceTree::from(TreeParts { name, roots, nodes, notes, is_remote: true, ..TreeParts::default() })
    }

    /// The one flasher of the exporter, or the one at the dotted `path`.
    ///
    /// # Errors
    /// When there is none, or several and no path.
    pub fn board(&self, path: Option<&str>) -> Result<RemoteFlasher> {
        self.0.choose(NodeKind::Flasher, path).map(|node| RemoteFlasher { flasher: node.uuid.clone() })
    }

    /// The one serial line of the exporter, or the one at the dotted `path`. It is opened like one of this machine.
    ///
    /// # Errors
    /// When there is none, or several and no path.
    pub fn serial(&self, path: Option<&str>) -> Result<Arc<dyn SerialDriver>> {
        Ok(Arc::new(RemoteSerial::new(self.place(NodeKind::Serial, path)?)))
    }

    /// The one power switch of the exporter, or the one at the dotted `path`.
    ///
    /// # Errors
    /// When there is none, or several and no path.
    pub fn power(&self, path: Option<&str>) -> Result<Arc<dyn PowerDriver>> {
        Ok(Arc::new(RemotePower(self.place(NodeKind::Power, path)?)))
    }

    /// The node at the dotted `path` as a power switch, whatever its client is: who asks knows what it can do.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn power_as(&self, path: &str) -> Result<(Arc<dyn PowerDriver>, Arc<dyn PowerMeter>)> {
        let switch = Arc::new(RemotePower(self.place_at(path)?));
        let meter = Arc::clone(&switch) as Arc<dyn PowerMeter>;
        Ok((switch, meter))
    }

    /// The same as a serial line.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn serial_as(&self, path: &str) -> Result<Arc<dyn SerialDriver>> {
        Ok(Arc::new(RemoteSerial::new(self.place_at(path)?)))
    }

    fn place_at(&self, path: &str) -> Result<Place> {
        let found = self.0.nodes.iter().find(|node| node.path == path);
        let missing = || Error::config(format!("the exporter at {} has no `{path}`", self.0.access.address));
        self.place(found.ok_or_else(missing)?.kind, Some(path))
    }

    fn place(&self, kind: NodeKind, path: Option<&str>) -> Result<Place> {
        let path = Some(self.0.choose(kind, path)?.path.clone());
        Ok(Place { session: Arc::new(RemoteSession::connected(self.0.clone())), kind, path })
    }

    /// Starts a flash with the files at `paths`, which are those of the order, and follows it. They are sent once the exporter has
    /// reserved the board; once all are sent, the flash goes on when this client goes away. `sent` hears how many bytes have gone.
    ///
    /// # Errors
    /// When a file cannot be read, the order is too long or refused, or the board is in use.
    pub async fn start(
        &self,
        board: &RemoteFlasher,
        mut order: JobOrder,
        paths: &[PathBuf],
        sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<StartedFlash> {
        let outgoing = OutgoingFiles::open(paths).await?;
        for (file, length) in order.files.iter_mut().zip(outgoing.lengths()) {
            file.length = length;
        }
        order.check().map_err(Error::config)?;
        let text = order.json();
        if text.len() > order::LONGEST {
            let what = format!("the order has {} bytes, an exporter takes {}", text.len(), order::LONGEST);
            return Err(Error::config(what).help("give fewer or shorter headers and `--preflash` commands"));
        }
        let (frames, outward) = mpsc::channel(8);
        let mut args = vec![value::text(text)];
        if !paths.is_empty() {
            let meta = serde_json::json!({ "kind": "resource", "uuid": board.flasher, "x_jmp_content_encoding": null });
            args.push(self.0.link.open_stream(&meta.to_string(), outward).await?);
        }
        let events = self.job(board, "start", args).await?;
        Ok(outgoing.send_when_asked(events, frames, sent))
    }

    /// Follows the running flash from its beginning, or hears again how the last one went.
    ///
    /// # Errors
    /// When none has run.
    pub async fn attach(&self, board: &RemoteFlasher) -> Result<impl Stream<Item = Result<String>> + use<>> {
        self.job(board, "attach", Vec::new()).await
    }

    /// Stops the running flash in good order, and follows it to its end.
    ///
    /// # Errors
    /// When none has run.
    pub async fn cancel(&self, board: &RemoteFlasher) -> Result<impl Stream<Item = Result<String>> + use<>> {
        self.job(board, "cancel", Vec::new()).await
    }

    async fn job(
        &self,
        board: &RemoteFlasher,
        action: &str,
        more: Vec<Value>,
    ) -> Result<impl Stream<Item = Result<String>> + use<>> {
        let args = [vec![value::text(action)], more].concat();
        let events = self.0.link.results(&board.flasher, "flash_job", args).await;
        let events = events.map_err(|status| job_refused(&status))?;
        Ok(events.map(|event| {
            let event = event.map_err(|status| failed("flash_job", &status))?;
            let text = event.result.as_ref().and_then(value::as_text).map(str::to_owned);
            text.ok_or_else(|| Error::infrastructure("the exporter sent an event that is no text"))
        }))
    }
}

/// The nodes one step below a path, by name.
fn below(nodes: &BTreeMap<String, Device>, above: &str) -> BTreeMap<String, Device> {
    let name = |path: &String| {
        let rest = path.strip_prefix(above)?.strip_prefix('.')?;
        (!rest.contains('.')).then(|| rest.to_owned())
    };
    nodes.iter().filter_map(|(path, device)| Some((name(path)?, device.clone()))).collect()
}

/// An order is well-formed, so what an exporter does not understand of it is of another release.
fn job_refused(status: &Status) -> Error {
    match status.code() {
        Code::InvalidArgument => failed("flash_job", status)
            .help("use the same release of `flasher` here and on the exporter's machine")
            .retryable(false),
        _ => failed("flash_job", status),
    }
}
