//! Exporter YAML to device tree: references, defaults, every problem of the file in one go.

mod build;
mod children;
mod kinds;
mod notes;
mod raw;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use build::COMMON;
pub(crate) use kinds::GROUPS;
pub use notes::Notes;
pub(crate) use raw::{API_VERSION, KIND, TOP};

use crate::config::{Document, Findings};
use crate::device::Device;
use crate::driver::{Driver, Flasher};
use crate::error::{Error, Result};
use crate::suggest;

/// Every node of an exporter YAML, built and wired.
#[derive(Debug)]
pub struct DeviceTree {
    name: String,
    /// Where it was read, without links; none when it was not, or is gone.
    file: Option<PathBuf>,
    built: build::Built,
    said: notes::Said,
}

impl DeviceTree {
    /// Reads an exporter YAML and builds its tree. Touches no hardware.
    ///
    /// # Errors
    /// Every problem of the file, each with its position.
    pub fn load(path: &Path) -> Result<Self, Findings> {
        let tree = Self::build(&Document::read(path)?)?;
        Ok(Self { file: path.canonicalize().ok(), ..tree })
    }

    /// Builds the tree of a document.
    ///
    /// # Errors
    /// Every problem of the document, each with its position.
    pub fn build(document: &Document) -> Result<Self, Findings> {
        let mut problems = Vec::new();
        let nodes = raw::nodes(&document.root, &mut problems);
        let built = build::devices(&nodes, document.folder(), &mut problems);
        let said = notes::all(&document.root, &nodes, &mut problems);
        if problems.is_empty() {
            Ok(Self { name: document.name().to_owned(), file: None, built, said })
        } else {
            Err(document.place(problems))
        }
    }

    /// The file it was read from, absolute and without links; none for a tree that was built otherwise.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What the file says, for people, about the node at a dotted path; about the whole bench under the empty one.
    pub fn notes(&self, path: &str) -> Option<&Notes> {
        self.said.nodes.get(path)
    }

    /// What the file calls the bench (`metadata.name`).
    pub fn bench(&self) -> Option<&str> {
        self.said.name.as_deref()
    }

    /// What users are to read first.
    pub fn motd(&self) -> Option<&str> {
        self.said.motd.as_deref()
    }

    /// The nodes at the top, by name.
    pub fn devices(&self) -> &BTreeMap<String, Device> {
        &self.built.roots
    }

    /// The node at a dotted path, for example `board.power`.
    ///
    /// # Errors
    /// When there is no such node; lists those there are.
    pub fn find(&self, path: &str) -> Result<Device> {
        self.built.nodes.get(path).cloned().ok_or_else(|| {
            let names = || self.built.nodes.keys().map(String::as_str);
            let help = match suggest::nearest(path, names()) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("it has: {}", suggest::list(names())),
            };
            Error::config(format!("`{path}` names no node of `{}`", self.name)).help(help)
        })
    }

    /// Every node with its dotted path, also children below a driver and those it made; parents before children.
    pub fn all(&self) -> Vec<(String, Device)> {
        self.built.nodes.iter().map(|(path, device)| (path.clone(), device.clone())).collect()
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
            let device = self.find(path)?;
            return pick(&device).ok_or_else(|| {
                Error::config(format!("`{path}` is of kind {}, expected {what}", device.kind()))
                    .help(self.choices(&pick, "name one with `--device`"))
            });
        }
        let mut fits: Vec<T> = self.distinct().iter().filter_map(|(_, device)| pick(device)).collect();
        match (fits.pop(), fits.len()) {
            (Some(only), 0) => Ok(only),
            (None, _) => Err(Error::config(format!("`{}` has no node of kind {what}", self.name))
                .help(format!("add a node of kind {what}; `flasher drivers` shows examples"))),
            (Some(_), others) => {
                let count = others + 1;
                let message = format!("`{}` has {count} nodes of kind {what}, expected one", self.name);
                Err(Error::config(message).help(self.choices(&pick, "choose one with `--device`")))
            }
        }
    }

    fn choices<T>(&self, pick: &impl Fn(&Device) -> Option<T>, advice: &str) -> String {
        let fits = self.distinct().into_iter().filter(|(_, device)| pick(device).is_some());
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

#[cfg(test)]
mod tests;
