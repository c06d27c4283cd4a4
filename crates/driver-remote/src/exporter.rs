//! A connection to an exporter: its nodes, its devices, and the flashes that run there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use flasher_core::tree::{DriverTree, TreeParts};
use flasher_core::{Device, Error, PowerDriver, PowerMeter, Result, SerialDriver};

use crate::access::RemoteAccess;
use crate::connection::ConnectedExporter;
use crate::devices::{self, RemotePower, RemoteSerial};
use crate::link::Link;
use crate::node::{NodeKind, RemoteNode};
use crate::session::{Place, RemoteSession};

/// An exporter that is connected; clones share the connection.
#[derive(Clone, Debug)]
pub struct RemoteExporter(pub(crate) ConnectedExporter);

/// A flasher on the exporter.
#[derive(Clone, Debug)]
pub struct RemoteFlasher {
    pub(crate) uuid: String,
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
    pub fn tree(&self) -> DriverTree {
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
        DriverTree::from(TreeParts { name, roots, nodes, notes, is_remote: true, ..TreeParts::default() })
    }

    /// The one flasher of the exporter, or the one at the dotted `path`.
    ///
    /// # Errors
    /// When there is none, or several and no path.
    pub fn board(&self, path: Option<&str>) -> Result<RemoteFlasher> {
        self.0.choose(NodeKind::Flasher, path).map(|node| RemoteFlasher { uuid: node.uuid.clone() })
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
}

/// The nodes one step below a path, by name.
fn below(nodes: &BTreeMap<String, Device>, above: &str) -> BTreeMap<String, Device> {
    let name = |path: &String| {
        let rest = path.strip_prefix(above)?.strip_prefix('.')?;
        (!rest.contains('.')).then(|| rest.to_owned())
    };
    nodes.iter().filter_map(|(path, device)| Some((name(path)?, device.clone()))).collect()
}
