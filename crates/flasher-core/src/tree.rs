//! The devices of a bench by their names: looked up, probed and closed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flasher_base::suggest;

use crate::device::Device;
use crate::driver::{Driver, Flasher};
use crate::error::{Error, Result};
use crate::python::{PythonChoice, PythonNode};

/// Every node of an exporter YAML, built and wired.
#[derive(Debug)]
pub struct DriverTree(TreeParts);

/// What a [`DriverTree`] is made of.
#[derive(Debug, Default)]
pub struct TreeParts {
    /// What messages call it: its file as the user named it.
    pub name: String,
    /// Where it was read, without links; none when it was not, or is gone.
    pub file: Option<PathBuf>,
    /// The nodes at the top, by name.
    pub roots: BTreeMap<String, Device>,
    /// Every node by dotted path, also below a driver, also children that a driver made.
    pub nodes: BTreeMap<String, Device>,
    /// What the file says, for people, about its nodes, by dotted path; about the whole bench under the empty one.
    pub notes: BTreeMap<String, Notes>,
    /// What the file calls the bench.
    pub bench: Option<String>,
    /// What users are to read first.
    pub motd: Option<String>,
    /// Which Python the file wants for nodes that only Python has.
    pub python: Option<PythonChoice>,
    /// Where the file wants its receipts kept.
    pub ledger: Option<LedgerChoice>,
    /// Whether it is the tree of another exporter, which no file of this machine describes.
    pub is_remote: bool,
}

/// Where the receipts of a bench are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerChoice {
    /// Nowhere.
    Off,
    /// In this file.
    At(PathBuf),
}

/// Words about a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// What it is; none when the file does not say.
    pub description: Option<String>,
    /// What its commands do, by their names.
    pub methods: BTreeMap<String, String>,
}

impl From<TreeParts> for DriverTree {
    fn from(parts: TreeParts) -> Self {
        Self(parts)
    }
}

impl DriverTree {
    /// The file it was read from, absolute and without links; none for a tree that was built otherwise.
    pub fn file(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// What the file says, for people, about the node at a dotted path; about the whole bench under the empty one.
    pub fn notes(&self, path: &str) -> Option<&Notes> {
        self.0.notes.get(path)
    }

    /// What the file calls the bench (`metadata.name`).
    pub fn bench(&self) -> Option<&str> {
        self.0.bench.as_deref()
    }

    /// What users are to read first.
    pub fn motd(&self) -> Option<&str> {
        self.0.motd.as_deref()
    }

    /// Which Python the file wants for nodes that only Python has; none when it does not say.
    pub fn python_choice(&self) -> Option<&PythonChoice> {
        self.0.python.as_ref()
    }

    /// Where the file wants its receipts kept; none when it does not say.
    pub fn ledger_choice(&self) -> Option<&LedgerChoice> {
        self.0.ledger.as_ref()
    }

    /// The nodes at the top, by name.
    pub fn devices(&self) -> &BTreeMap<String, Device> {
        &self.0.roots
    }

    /// The node at a dotted path, for example `board.power`.
    ///
    /// # Errors
    /// When there is no such node; lists those there are.
    pub fn find(&self, path: &str) -> Result<Device> {
        self.0.nodes.get(path).cloned().ok_or_else(|| {
            let names = || self.0.nodes.keys().map(String::as_str);
            let help = match suggest::nearest(path, names()) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("it has: {}", suggest::list(names())),
            };
            Error::config(format!("`{path}` names no node of `{}`", self.0.name)).help(help)
        })
    }

    /// Every node with its dotted path, also children below a driver and those it made; parents before children.
    pub fn all(&self) -> Vec<(String, Device)> {
        self.0.nodes.iter().map(|(path, device)| (path.clone(), device.clone())).collect()
    }

    /// The one flasher of the tree, or the one at `path`.
    ///
    /// # Errors
    /// When there is none, or several and no path.
    pub fn flasher(&self, path: Option<&str>) -> Result<Arc<dyn Flasher>> {
        let pick = |device: &Device| match device {
            Device::Flasher(flasher) => Some(Arc::clone(flasher)),
            _ => None,
        };
        self.pick(path, "flasher", pick)
    }

    /// The dotted path of a flasher of this tree, the shortest when it has several names.
    pub fn path_of(&self, flasher: &Arc<dyn Flasher>) -> Option<String> {
        let is_it = |driver: &Arc<dyn Driver>| std::ptr::addr_eq(Arc::as_ptr(driver), Arc::as_ptr(flasher));
        self.drivers().into_iter().find(|(_, driver)| is_it(driver)).map(|(path, _)| path)
    }

    /// The one device that `pick` takes, or the one at `path`; `what` is its kind, for messages.
    ///
    /// # Errors
    /// When nothing fits, or several do and no path was given.
    pub fn pick<T>(&self, path: Option<&str>, what: &str, pick: impl Fn(&Device) -> Option<T>) -> Result<T> {
        if let Some(path) = path {
            let device = self.find(path)?.usable();
            match &device {
                Device::Python(node) if !node.is_running() => return Err(node.refusal()),
                Device::Other(other) => return Err(other.refusal()),
                _ => {}
            }
            return pick(&device).ok_or_else(|| {
                Error::config(format!("`{path}` is of kind {}, expected {what}", device.kind()))
                    .help(self.choices(&pick, "name one with `--device`"))
            });
        }
        let mut fits: Vec<T> =
            self.distinct().iter().filter_map(|(_, device)| pick(&device.usable())).collect();
        match (fits.pop(), fits.len()) {
            (Some(only), 0) => Ok(only),
            (None, _) => Err(self.nothing_fits(what)),
            (Some(_), others) => {
                let count = others + 1;
                let message = format!("`{}` has {count} nodes of kind {what}, expected one", self.0.name);
                Err(Error::config(message).help(self.choices(&pick, "choose one with `--device`")))
            }
        }
    }

    /// Every node with a Python driver.
    pub fn python(&self) -> Vec<Arc<PythonNode>> {
        self.distinct().into_iter().filter_map(|(_, device)| python(device)).collect()
    }

    /// The nodes below a flasher that have a Python driver.
    pub fn python_below(&self, flasher: &Arc<dyn Flasher>) -> Vec<Arc<PythonNode>> {
        self.below(flasher).into_iter().filter_map(python).collect()
    }

    /// Refuses a flasher with a child that is not available, or is not what it stands for.
    ///
    /// # Errors
    /// That of the first such child; it names the child.
    pub fn require(&self, flasher: &Arc<dyn Flasher>) -> Result<()> {
        let mut python = self.python_below(flasher).into_iter();
        python.find_map(|node| node.problem()).map_or(Ok(()), Err)
    }

    /// What is below a flasher, under each of its names.
    fn below(&self, flasher: &Arc<dyn Flasher>) -> Vec<Device> {
        let is_it = |device: &Device| matches!(device, Device::Flasher(it) if std::ptr::addr_eq(Arc::as_ptr(it), Arc::as_ptr(flasher)));
        let roots = self.0.nodes.iter().filter(|(_, device)| is_it(device));
        let roots: Vec<String> = roots.map(|(path, _)| format!("{path}.")).collect();
        let is_below = |path: &String| roots.iter().any(|root| path.starts_with(root));
        let below = self.0.nodes.iter().filter(|(path, _)| is_below(path));
        below.map(|(_, device)| device.clone()).collect()
    }

    fn nothing_fits(&self, what: &str) -> Error {
        let python = self.0.nodes.values().filter_map(|device| match device {
            Device::Python(node) if !node.is_running() => Some(node.path()),
            _ => None,
        });
        let mut python: Vec<&str> = python.collect();
        python.dedup();
        let mut help = match self.0.is_remote {
            true => format!("it has: {}", suggest::list(self.0.nodes.keys().map(String::as_str))),
            false => format!("add a node of kind {what}; `flasher drivers` shows examples"),
        };
        if !python.is_empty() {
            let listed = suggest::list(python.iter().copied());
            help = format!("{help}; not available, because only Python has their drivers: {listed}");
        }
        Error::config(format!("`{}` has no node of kind {what}", self.0.name)).help(help)
    }

    fn choices<T>(&self, pick: &impl Fn(&Device) -> Option<T>, advice: &str) -> String {
        let fits = self.distinct().into_iter().filter(|(_, device)| pick(&device.usable()).is_some());
        let names: Vec<String> = fits.map(|(name, _)| name).collect();
        if names.is_empty() {
            return "the file has none".to_owned();
        }
        format!("{advice}: {}", suggest::list(names.iter().map(String::as_str)))
    }

    /// Probes the hardware of every node once.
    ///
    /// # Errors
    /// The first node whose hardware is missing.
    pub async fn probe(&self) -> Result<()> {
        for (path, driver) in self.drivers() {
            driver.probe().await.map_err(|error| error.with("node", path))?;
        }
        Ok(())
    }

    /// Probes the hardware of a flasher and of what is below it. What other boards of the same file lack is no matter.
    ///
    /// # Errors
    /// The first node whose hardware is missing.
    pub async fn probe_for(&self, flasher: &Arc<dyn Flasher>) -> Result<()> {
        let own = Arc::clone(flasher) as Arc<dyn Driver>;
        let below = self.below(flasher).into_iter().filter_map(|device| device.driver());
        let needed: Vec<Arc<dyn Driver>> = below.chain([own]).collect();
        let is_needed = |driver: &Arc<dyn Driver>| {
            needed.iter().any(|it| std::ptr::addr_eq(Arc::as_ptr(it), Arc::as_ptr(driver)))
        };
        for (path, driver) in self.drivers().into_iter().filter(|(_, driver)| is_needed(driver)) {
            driver.probe().await.map_err(|error| error.with("node", path))?;
        }
        Ok(())
    }

    /// Closes every node, all of them even when one fails.
    ///
    /// # Errors
    /// The first failure.
    pub async fn close(&self) -> Result<()> {
        let mut first = Ok(());
        for (path, driver) in self.drivers().into_iter().rev() {
            let closed = driver.close().await.map_err(|error| error.with("node", path));
            if first.is_ok() {
                first = closed;
            }
        }
        first
    }

    /// Every driver once, with the shortest path it is reached by.
    pub fn drivers(&self) -> Vec<(String, Arc<dyn Driver>)> {
        self.distinct().into_iter().filter_map(|(path, device)| Some((path, device.driver()?))).collect()
    }

    fn distinct(&self) -> Vec<(String, Device)> {
        let mut seen = Vec::new();
        let mut distinct = self.all();
        distinct.sort_by_key(|(path, _)| path.matches('.').count());
        distinct.retain(|(_, device)| {
            let Some(driver) = device.driver() else { return true };
            let address = Arc::as_ptr(&driver).cast::<()>() as usize;
            let fresh = !seen.contains(&address);
            seen.push(address);
            fresh
        });
        distinct
    }
}

fn python(device: Device) -> Option<Arc<PythonNode>> {
    match device {
        Device::Python(node) => Some(node),
        _ => None,
    }
}
