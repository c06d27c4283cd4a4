//! Nodes as written to devices: depth first, each once, references shared, circles named.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use flasher_base::suggest;
use flasher_core::device::{Absent, Device, Wiring};
use flasher_core::registry::{self, DriverEntry, Ready};
use strict_yaml::{Problem, YamlNode};

use crate::children;
use crate::driver_config::{prepare, problem_of};
use crate::kinds::{self, GROUPS, NamedType};
use crate::path::below;
use crate::python;
use crate::written::{Node, What};

/// Config keys that every Jumpstarter driver takes; they have no meaning here.
pub(crate) const COMMON: &[&str] = &["log_level", "uuid", "labels"];

/// What the nodes of a file become.
#[derive(Debug, Default)]
pub(crate) struct Built {
    /// The nodes at the top, by name.
    pub(crate) roots: BTreeMap<String, Device>,
    /// Every node by dotted path, also below a driver, also children that a driver made.
    pub(crate) nodes: BTreeMap<String, Device>,
}

/// Builds every node; what cannot be built is reported and left out.
pub(crate) fn devices(nodes: &[Node], folder: &Path, problems: &mut Vec<Problem>) -> Built {
    for name in registry::collisions() {
        let message = format!("two drivers or boards of this build are called `{name}`");
        problems.push(Problem::key(&[], message).help("this is a bug of the build: rename one of them"));
    }
    let mut builder = Builder { roots: nodes, folder, problems, done: BTreeMap::new(), open: Vec::new() };
    let roots = builder.all(nodes);
    Built { roots, nodes: every_node(&builder.done) }
}

fn every_node(done: &BTreeMap<String, Option<Device>>) -> BTreeMap<String, Device> {
    let mut all = BTreeMap::new();
    for (path, device) in done {
        device.iter().for_each(|device| insert(path.clone(), device, &mut all));
    }
    all
}

fn insert(path: String, device: &Device, all: &mut BTreeMap<String, Device>) {
    if let Device::Group(children) = device {
        children.iter().for_each(|(name, child)| insert(format!("{path}.{name}"), child, all));
    }
    all.entry(path).or_insert_with(|| device.clone());
}

struct Builder<'n> {
    roots: &'n [Node],
    folder: &'n Path,
    problems: &'n mut Vec<Problem>,
    /// Finished nodes by dotted name; none when broken, which has been reported.
    done: BTreeMap<String, Option<Device>>,
    open: Vec<String>,
}

impl<'n> Builder<'n> {
    fn all(&mut self, nodes: &'n [Node]) -> BTreeMap<String, Device> {
        let mut devices = BTreeMap::new();
        for node in nodes {
            if let Some(device) = self.node(node) {
                devices.insert(node.last().to_owned(), device);
            }
        }
        devices
    }

    fn node(&mut self, node: &'n Node) -> Option<Device> {
        let name = node.dotted();
        if let Some(done) = self.done.get(&name) {
            return done.clone();
        }
        if self.open.contains(&name) {
            return None;
        }
        self.open.push(name.clone());
        let device = match &node.what {
            What::Driver { kind, config } => self.driver(node, kind, config),
            What::Reference(target) => self.reference(node, target),
            What::Group => Some(Device::Group(self.all(&node.children))),
            What::Broken => {
                self.all(&node.children);
                None
            }
        };
        self.open.pop();
        self.done.entry(name).or_insert(device).clone()
    }

    fn reference(&mut self, node: &'n Node, target: &str) -> Option<Device> {
        let before = self.problems.len();
        let found = self.resolve(target, node);
        if found.is_none() && self.problems.len() == before && !self.is_reported(target) {
            self.nothing(node, target);
        }
        found
    }

    /// Follows a dotted path through nodes as written, then through what a driver made of its node.
    fn resolve(&mut self, target: &str, from: &Node) -> Option<Device> {
        let parts: Vec<&str> = target.split('.').collect();
        let roots = self.roots;
        let mut node = roots.iter().find(|node| node.last() == parts[0])?;
        let mut depth = 1;
        while let Some(next) =
            parts.get(depth).and_then(|part| node.children.iter().find(|node| node.last() == *part))
        {
            node = next;
            depth += 1;
        }
        if let Some(start) = self.open.iter().position(|open| *open == node.dotted()) {
            self.circle(from, start);
            return None;
        }
        let device = self.node(node)?;
        self.inside(node, device, &parts[depth..])
    }

    /// What the driver of `node` made below it.
    fn inside(&self, node: &Node, mut device: Device, parts: &[&str]) -> Option<Device> {
        let made = parts.first().and_then(|role| self.done.get(&format!("{}.{role}", node.dotted())));
        if let (None, Device::Python(python), [_, ..]) = (made, &device, parts) {
            return Some(Device::Python(Arc::new(python.part(&parts.join(".")))));
        }
        let (start, parts) = match (made, parts) {
            (Some(Some(made)), [_, rest @ ..]) => (made.clone(), rest),
            _ => (device, parts),
        };
        device = start;
        for part in parts {
            let Device::Group(children) = device else { return None };
            device = children.get(*part)?.clone();
        }
        Some(device)
    }

    /// Reports that the `ref` of `node` leads back to an open node.
    fn circle(&mut self, node: &Node, start: usize) {
        let first = self.open.get(start).map(String::as_str);
        let circle: Vec<&str> = self.open[start..].iter().map(String::as_str).chain(first).collect();
        let message = format!("`ref` goes in a circle: {}", circle.join(" -> "));
        self.problems.push(
            Problem::value(&below(&node.path, "ref"), message)
                .help("point one of them at a node with a `type` of its own outside the circle"),
        );
    }

    /// Whether the node that `target` names, or one above it, is broken and has been reported.
    fn is_reported(&self, target: &str) -> bool {
        let is_prefix = |name: &String| {
            target.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.done.iter().any(|(name, done)| done.is_none() && is_prefix(name))
    }

    fn nothing(&mut self, node: &Node, target: &str) {
        let mut names = Vec::new();
        list_names(self.roots, &mut names);
        names.extend(every_node(&self.done).into_keys());
        names.sort();
        names.dedup();
        names.retain(|name| *name != node.dotted());
        let help = match suggest::nearest(target, names.iter().map(String::as_str)) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None if names.is_empty() => "`export` has no other node".to_owned(),
            None => format!("`export` has: {}", suggest::list(names.iter().map(String::as_str))),
        };
        let message = format!("`ref: {target}` names nothing in `export`");
        self.problems.push(Problem::value(&below(&node.path, "ref"), message).help(help));
    }

    fn driver(&mut self, node: &'n Node, kind: &str, config: &YamlNode) -> Option<Device> {
        if GROUPS.contains(&kind) {
            return Some(Device::Group(self.all(&node.children)));
        }
        let found = kinds::find(kind, config, &below(&node.path, "type"));
        match found.map_err(|problem| self.problems.push(problem)) {
            Ok(NamedType::Driver(entry, config)) => self.ours(node, entry, &config),
            Ok(NamedType::Python) => {
                self.all(&node.children);
                let obstacle =
                    python::obstacle(node, &|child| self.done.get(&child.dotted()).cloned().flatten());
                python::node(node, kind, config, obstacle, self.problems)
            }
            Err(()) => {
                self.all(&node.children);
                None
            }
        }
    }

    fn ours(&mut self, node: &'n Node, entry: &'static DriverEntry, config: &YamlNode) -> Option<Device> {
        let mut children = self.all(&node.children);
        let before = self.problems.len();
        self.problems.extend(children::check(node, entry, &children));
        let prefix = below(&node.path, "config");
        let ready = prepare(entry, &config.clone().without(COMMON)).map_err(|problems| {
            self.problems.extend(problems.into_iter().map(|problem| problem.below(&prefix)));
        });
        let ready = ready.ok()?;
        self.make_absent(node, entry, ready.as_ref(), &mut children);
        if self.problems.len() > before || self.has_broken_child(node) {
            return None;
        }
        let wiring = Wiring::new(node.dotted(), self.folder, children);
        ready.build(wiring).map_err(|error| self.problems.push(problem_of(&prefix, &error))).ok()
    }

    fn has_broken_child(&self, node: &Node) -> bool {
        node.children.iter().any(|child| matches!(self.done.get(&child.dotted()), None | Some(None)))
    }

    fn make_absent(
        &mut self,
        node: &Node,
        entry: &DriverEntry,
        ready: &dyn Ready,
        children: &mut BTreeMap<String, Device>,
    ) {
        for spec in entry.children {
            let Absent::Made(driver) = spec.absent else { continue };
            if node.children.iter().any(|child| child.last() == spec.role) {
                continue;
            }
            let config = YamlNode::from_json(&ready.made_child(spec.role));
            let path = format!("{}.{}", node.dotted(), spec.role);
            match children::make(node, spec.role, driver, &config, self.folder, children) {
                Ok(device) => {
                    self.done.insert(path, Some(device.clone()));
                    children.insert(spec.role.to_owned(), device);
                }
                Err(problem) => self.problems.push(problem),
            }
        }
    }
}

fn list_names(nodes: &[Node], names: &mut Vec<String>) {
    for node in nodes {
        names.push(node.dotted());
        list_names(&node.children, names);
    }
}
