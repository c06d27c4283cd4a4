//! The driver tree as clients see it: reports, parents before children, and what answers under each UUID.
//!
//! A node that is reached by several paths is reported once for each, under the same UUID (docs/wire.md). What
//! clients expect below a node and the tree does not have is added: the files of a server, the partners of a console.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use flasher_core::flash::Site;
use flasher_core::owner::Board;
use flasher_core::python::PythonNode;
use flasher_core::tree::{DriverTree, Notes};
use flasher_core::{Device, FileServer};
use uuid::Uuid;

use crate::capability::{
    Capability, Console, FileServerNode, Flash, Group, Mux, Opendal, Other, Power, Python, Serial,
    StorageFlasher,
};
use crate::claims::{ClaimRequest, Key};
use crate::forward::Forward;
use crate::proto::DriverInstanceReport;
use crate::python::{PythonExporter, PythonReport, is_at};
use crate::storage::Storage;

/// Reports at most; references can multiply a tree.
const MOST: usize = 10_000;

/// Every node of a tree.
#[derive(Debug)]
pub(crate) struct Nodes {
    pub(crate) reports: Vec<DriverInstanceReport>,
    by_uuid: HashMap<Uuid, Arc<dyn Capability>>,
    storages: HashMap<Key, Arc<Storage>>,
    by_path: HashMap<String, Uuid>,
}

impl Nodes {
    /// With Python, the nodes that it runs are reported as it reports them.
    pub(crate) fn of(tree: &DriverTree, python: Option<&Arc<PythonExporter>>) -> Self {
        let mut builder = Builder { python, ..Builder::new(tree) };
        builder.root(tree.devices());
        Self {
            reports: builder.reports,
            by_uuid: builder.by_uuid,
            storages: builder.storages,
            by_path: builder.by_path,
        }
    }

    /// What answers under a UUID.
    pub(crate) fn get(&self, uuid: Uuid) -> Option<&Arc<dyn Capability>> {
        self.by_uuid.get(&uuid)
    }

    /// The UUID of the node at a dotted path; none for one that Python runs.
    pub(crate) fn at(&self, path: &str) -> Option<Uuid> {
        self.by_path.get(path).copied()
    }

    /// Every node once.
    pub(crate) fn capabilities(&self) -> impl Iterator<Item = &Arc<dyn Capability>> {
        self.by_uuid.values()
    }

    /// The files of every server once.
    pub(crate) fn storages(&self) -> Vec<Arc<Storage>> {
        self.storages.values().cloned().collect()
    }
}

struct Builder<'t> {
    tree: &'t DriverTree,
    python: Option<&'t Arc<PythonExporter>>,
    /// UUIDs of nodes that Python runs, by those that it gave them.
    of_python: HashMap<String, Uuid>,
    /// What the file says about a device; it is said where the device is made, and reported wherever it stands.
    notes: HashMap<Key, Notes>,
    /// Every node by its dotted path.
    all: BTreeMap<String, Device>,
    /// The path under which a driver has its children.
    home: HashMap<Key, String>,
    known: HashMap<Key, Uuid>,
    files: HashMap<Key, Uuid>,
    reports: Vec<DriverInstanceReport>,
    by_uuid: HashMap<Uuid, Arc<dyn Capability>>,
    storages: HashMap<Key, Arc<Storage>>,
    by_path: HashMap<String, Uuid>,
}

impl<'t> Builder<'t> {
    fn new(tree: &'t DriverTree) -> Self {
        let all: BTreeMap<_, _> = tree.all().into_iter().collect();
        let mut home = HashMap::new();
        for (path, device) in &all {
            let has_children = all.keys().any(|other| is_below(other, path));
            if let Some(key) = Key::of(device).filter(|_| has_children) {
                home.entry(key).or_insert_with(|| path.clone());
            }
        }
        let noted = |(path, device): (&String, &Device)| Some((Key::of(device)?, tree.notes(path)?.clone()));
        let notes = all.iter().filter_map(noted).collect();
        Self {
            tree,
            python: None,
            of_python: HashMap::new(),
            notes,
            all,
            home,
            known: HashMap::new(),
            files: HashMap::new(),
            reports: Vec::new(),
            by_uuid: HashMap::new(),
            storages: HashMap::new(),
            by_path: HashMap::new(),
        }
    }

    fn root(&mut self, devices: &BTreeMap<String, Device>) {
        let root = self.add(Arc::new(Group));
        self.report(root, None, None, self.tree.notes("").cloned());
        for (name, device) in devices {
            self.place(name, name, device, root);
        }
    }

    /// Reports the node at `path`, then what is below it.
    fn place(&mut self, path: &str, name: &str, device: &Device, parent: Uuid) {
        if let (Device::Python(node), Some(python)) = (device, self.python)
            && python.runs(node.path())
        {
            return self.place_python(node.path(), name, python, parent);
        }
        let key = Key::of(device);
        let uuid = match key.and_then(|key| self.known.get(&key)) {
            Some(known) => *known,
            None => {
                let capability = self.capability(path, device);
                let uuid = self.add(capability);
                key.map(|key| self.known.insert(key, uuid));
                uuid
            }
        };
        let notes = key.map_or_else(|| self.tree.notes(path), |key| self.notes.get(&key)).cloned();
        self.report(uuid, Some(parent), Some(name), notes);
        if self.by_path.len() < MOST {
            self.by_path.insert(path.to_owned(), uuid);
        }
        for (name, child) in self.children(path, device) {
            self.place(&format!("{path}.{name}"), &name, &child, uuid);
        }
        if let (Some(key), Some(server)) = (key, file_server(device)) {
            let files = self.files_of(key, server.as_ref());
            self.report(files, Some(uuid), Some("storage"), None);
        }
    }

    /// Reports the node that Python has at `path` and what is below it, under UUIDs of ours: those of Python change with each start.
    fn place_python(&mut self, path: &str, name: &str, python: &Arc<PythonExporter>, parent: Uuid) {
        let mut placed: HashMap<String, Uuid> = HashMap::new();
        for PythonReport { path: at, report } in python.below(path) {
            let client = report.labels.get("jumpstarter.dev/client").cloned().unwrap_or_default();
            let uuid = match self.of_python.get(&report.uuid) {
                Some(known) => *known,
                None => {
                    let forward = self.forward(python, &at, client);
                    let uuid = self.add(Arc::new(forward));
                    self.of_python.insert(report.uuid, uuid);
                    uuid
                }
            };
            let (above, last) = at.rsplit_once('.').unwrap_or(("", &at));
            let (parent, last) = match placed.get(above) {
                Some(above) if at != path => (*above, last),
                _ => (parent, name),
            };
            let methods = report.methods_description.into_iter().collect();
            self.report(
                uuid,
                Some(parent),
                Some(last),
                Some(Notes { description: report.description, methods }),
            );
            placed.insert(at, uuid);
        }
    }

    fn forward(&self, python: &Arc<PythonExporter>, path: &str, client: String) -> Forward {
        let is_of = |node: &PythonNode| is_at(path, node.path()) || is_at(node.path(), path);
        let of: Vec<Device> = self
            .all
            .values()
            .filter(|it| matches!(it, Device::Python(node) if is_of(node)))
            .cloned()
            .collect();
        let keys = of.iter().filter_map(Key::of).collect();
        let owner = Board::of_all(self.tree, of.iter().filter_map(Device::driver));
        Forward { python: Arc::clone(python), path: path.to_owned(), client, keys, owner }
    }

    fn capability(&mut self, path: &str, device: &Device) -> Arc<dyn Capability> {
        let Some(key) = Key::of(device) else { return Arc::new(Group) };
        match device.clone() {
            Device::Power(switch, meter) => {
                let owner = device.driver().map(|it| Board::of(self.tree, &it)).unwrap_or_default();
                Arc::new(Power { switch, meter, key, owner })
            }
            Device::Serial(serial) => Arc::new(Serial { serial, key }),
            Device::FileServer(server) => Arc::new(FileServerNode::new(server, key, false)),
            Device::ContentServer(server) => Arc::new(FileServerNode::new(server, key, true)),
            Device::BootConsole(console) => Arc::new(Console(console)),
            Device::StorageMux(mux) => {
                let owner = device.driver().map(|it| Board::of(self.tree, &it)).unwrap_or_default();
                Arc::new(Mux { mux, key, owner })
            }
            Device::Flasher(flasher) => {
                let children = self.children(path, device);
                let used = children.iter().filter_map(|(_, child)| ClaimRequest::by_job(child));
                let wanted = used.chain([key.into()]).collect();
                let mut storage = |role: &str| {
                    let (_, child) = children.iter().find(|(name, _)| name == role)?;
                    Some(self.storage(Key::of(child)?, file_server(child)?.as_ref()))
                };
                let tftp = storage("tftp");
                let owner = Board::below(self.tree, &flasher);
                let exporter = self.tree.bench().map(str::to_owned);
                let site = Site { exporter, node: Some(path.to_owned()), ..Site::here() };
                let has_bundle = flasher.flasher_bundle().is_some();
                let flash = Flash::new(flasher, site, wanted, owner, tftp);
                match children.iter().find(|(name, _)| name == "mux") {
                    Some((_, Device::StorageMux(mux))) if !has_bundle => {
                        Arc::new(StorageFlasher { flash, mux: Arc::clone(mux) })
                    }
                    _ => Arc::new(flash),
                }
            }
            Device::Python(node) => Arc::new(Python(node)),
            Device::Group(_) => Arc::new(Group),
            Device::Other(other) => Arc::new(Other(other)),
        }
    }

    /// The children of a node by name: those of the tree, and for a console those of the node above it.
    fn children(&self, path: &str, device: &Device) -> Vec<(String, Device)> {
        if let Device::Group(children) = device {
            return children.iter().map(|(name, child)| (name.clone(), child.clone())).collect();
        }
        let home = Key::of(device).and_then(|key| self.home.get(&key)).map_or(path, String::as_str);
        let below = self.all.iter().filter(|(other, _)| is_below(other, home));
        let mut children: Vec<_> =
            below.map(|(other, child)| (other[home.len() + 1..].to_owned(), child.clone())).collect();
        if let (Device::BootConsole(_), Some((above, _))) = (device, path.rsplit_once('.')) {
            for role in ["power", "serial"] {
                let partner = self.all.get(&format!("{above}.{role}"));
                if let Some(partner) = partner.filter(|_| !children.iter().any(|(name, _)| name == role)) {
                    children.push((role.to_owned(), partner.clone()));
                }
            }
        }
        children
    }

    fn storage(&mut self, key: Key, server: &dyn FileServer) -> Arc<Storage> {
        let new = || Arc::new(Storage::new(server.root(), server.removes_created()));
        Arc::clone(self.storages.entry(key).or_insert_with(new))
    }

    fn files_of(&mut self, key: Key, server: &dyn FileServer) -> Uuid {
        if let Some(known) = self.files.get(&key) {
            return *known;
        }
        let storage = self.storage(key, server);
        let uuid = self.add(Arc::new(Opendal(storage)));
        self.files.insert(key, uuid);
        uuid
    }

    fn add(&mut self, capability: Arc<dyn Capability>) -> Uuid {
        let uuid = Uuid::new_v4();
        self.by_uuid.insert(uuid, capability);
        uuid
    }

    fn report(&mut self, uuid: Uuid, parent: Option<Uuid>, name: Option<&str>, notes: Option<Notes>) {
        if self.reports.len() >= MOST {
            return;
        }
        let client = self.by_uuid.get(&uuid).map_or("", |capability| capability.client());
        let mut labels = HashMap::from([("jumpstarter.dev/client".to_owned(), client.to_owned())]);
        if let Some(name) = name {
            labels.insert("jumpstarter.dev/name".to_owned(), name.to_owned());
        }
        let notes = notes.unwrap_or_default();
        self.reports.push(DriverInstanceReport {
            uuid: uuid.to_string(),
            parent_uuid: parent.map(|parent| parent.to_string()),
            labels,
            description: notes.description,
            methods_description: notes.methods.into_iter().collect(),
        });
    }
}

/// Whether `path` is one step below `above`.
fn is_below(path: &str, above: &str) -> bool {
    let rest = path.strip_prefix(above).and_then(|rest| rest.strip_prefix('.'));
    rest.is_some_and(|name| !name.contains('.'))
}

fn file_server(device: &Device) -> Option<Arc<dyn FileServer>> {
    match device {
        Device::FileServer(server) => Some(Arc::clone(server)),
        Device::ContentServer(server) => Some(Arc::clone(server) as Arc<dyn FileServer>),
        _ => None,
    }
}
