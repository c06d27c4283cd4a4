//! Exporter YAML to device tree: references, defaults, every problem of the file in one go.

mod build;
mod raw;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::{Document, Findings};
use crate::device::Device;
use crate::driver::{Driver, Flasher};
use crate::error::{Error, Result};
use crate::suggest;

/// Every node of an exporter YAML, built and wired.
#[derive(Debug)]
pub struct DeviceTree {
    name: String,
    devices: BTreeMap<String, Device>,
}

impl DeviceTree {
    /// Reads an exporter YAML and builds its tree. Touches no hardware.
    ///
    /// # Errors
    /// Every problem of the file, each with its position.
    pub fn load(path: &Path) -> Result<Self, Findings> {
        Self::build(&Document::read(path)?)
    }

    /// Builds the tree of a document.
    ///
    /// # Errors
    /// Every problem of the document, each with its position.
    pub fn build(document: &Document) -> Result<Self, Findings> {
        let mut problems = Vec::new();
        let nodes = raw::nodes(&document.root, &mut problems);
        let devices = build::devices(&nodes, document.folder(), &mut problems);
        if problems.is_empty() {
            Ok(Self { name: document.name().to_owned(), devices })
        } else {
            Err(document.place(problems))
        }
    }

    /// The nodes at the top, by name.
    pub fn devices(&self) -> &BTreeMap<String, Device> {
        &self.devices
    }

    /// The node at a dotted path, for example `board.power`.
    ///
    /// # Errors
    /// When there is no such node; lists those there are.
    pub fn find(&self, path: &str) -> Result<Device> {
        let all = self.all();
        let found = all.iter().find(|(name, _)| name == path).map(|(_, device)| device.clone());
        found.ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
            let hint = suggest::nearest(path, names.iter().copied())
                .map(|nearest| format!("did you mean `{nearest}`? "))
                .unwrap_or_default();
            Error::config(format!("`{path}` names no node of `{}`", self.name))
                .help(format!("{hint}it has: {}", suggest::list(names)))
        })
    }

    /// Every node with its dotted path, parents before children.
    pub fn all(&self) -> Vec<(String, Device)> {
        let mut all = Vec::new();
        collect("", &self.devices, &mut all);
        all
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

    /// The one device that `pick` takes, or the one at `path`; `what` is its kind, for messages.
    ///
    /// # Errors
    /// When nothing fits, or several do and no path was given.
    pub fn pick<T>(&self, path: Option<&str>, what: &str, pick: impl Fn(&Device) -> Option<T>) -> Result<T> {
        if let Some(path) = path {
            let device = self.find(path)?;
            return pick(&device).ok_or_else(|| {
                Error::config(format!("`{path}` is of kind {}, expected {what}", device.kind()))
            });
        }
        let mut seen = Vec::new();
        let mut fits = self.distinct().into_iter().filter_map(|(name, device)| {
            let fit = pick(&device)?;
            seen.push(name);
            Some(fit)
        });
        let (first, second) = (fits.next(), fits.next());
        drop(fits);
        match (first, second) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(Error::config(format!("`{}` has no {what}", self.name))
                .help("`flasher drivers` lists what a node can be, with examples")),
            (Some(_), Some(_)) => Err(Error::config(format!("`{}` has more than one {what}", self.name))
                .help(format!("name one with `--device`, for example `--device {}`", seen[0]))),
        }
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

    /// Every driver once, with the first path it is reached by.
    pub fn drivers(&self) -> Vec<(String, Arc<dyn Driver>)> {
        self.distinct().into_iter().filter_map(|(path, device)| Some((path, device.driver()?))).collect()
    }

    fn distinct(&self) -> Vec<(String, Device)> {
        let mut seen = Vec::new();
        let mut distinct = self.all();
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

fn collect(prefix: &str, devices: &BTreeMap<String, Device>, all: &mut Vec<(String, Device)>) {
    for (name, device) in devices {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        all.push((path.clone(), device.clone()));
        if let Device::Group(below) = device {
            collect(&path, below, all);
        }
    }
}

#[cfg(test)]
mod tests;
