//! Nodes as written to devices: depth first, each once, references shared, circles named.

use std::collections::BTreeMap;
use std::path::Path;

use super::raw::{Node, What, unknown_key};
use crate::config::{Problem, Section};
use crate::device::{Absent, ChildSpec, Device, Wiring, child_error};
use crate::error::Error;
use crate::registry::{self, DriverEntry, Ready};
use crate::suggest;

/// Config keys that every Jumpstarter driver takes; they have no meaning here.
const COMMON: &[&str] = &["log_level", "uuid", "labels"];
/// Types that only group their children.
const GROUPS: &[&str] = &["composite", "jumpstarter_driver_composite.driver.Composite"];

/// Builds every node; what cannot be built is reported and left out.
pub(super) fn devices(
    nodes: &[Node],
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Device> {
    for name in registry::collisions() {
        problems.push(Problem::key(&[], format!("two drivers or boards of this build are called `{name}`")));
    }
    let mut builder = Builder { roots: nodes, folder, problems, done: BTreeMap::new(), open: Vec::new() };
    builder.all(nodes)
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
            self.circle(node, &name);
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

    fn circle(&mut self, node: &Node, name: &str) {
        let start = self.open.iter().position(|open| open == name).unwrap_or(0);
        let circle =
            self.open[start..].iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(" -> ");
        let path = below(&node.path, "ref");
        self.problems.push(
            Problem::value(&path, format!("`ref` goes in a circle: {circle}"))
                .help("one of these nodes needs a `type` of its own"),
        );
    }

    fn reference(&mut self, node: &'n Node, target: &str) -> Option<Device> {
        let before = self.problems.len();
        let found = self.resolve(target);
        if found.is_none() && self.problems.len() == before && !self.is_reported(target) {
            self.nothing(node, target);
        }
        found
    }

    /// Follows a dotted path through nodes as written, then through what a driver made of its node.
    fn resolve(&mut self, target: &str) -> Option<Device> {
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
        let mut device = self.node(node)?;
        for part in &parts[depth..] {
            let Device::Group(children) = device else { return None };
            device = children.get(*part)?.clone();
        }
        Some(device)
    }

    /// Whether the node that `target` names, or one above it, is broken and has been reported.
    fn is_reported(&self, target: &str) -> bool {
        let is_prefix = |name: &String| target == name || target.starts_with(&format!("{name}."));
        self.done.iter().any(|(name, done)| done.is_none() && is_prefix(name))
    }

    fn nothing(&mut self, node: &Node, target: &str) {
        let mut names = Vec::new();
        list_names(self.roots, &mut names);
        let help = match suggest::nearest(target, names.iter().map(String::as_str)) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("`export` has: {}", suggest::list(names.iter().map(String::as_str))),
        };
        let path = below(&node.path, "ref");
        self.problems
            .push(Problem::value(&path, format!("`ref: {target}` names nothing in `export`")).help(help));
    }

    fn driver(&mut self, node: &'n Node, kind: &str, config: &Section) -> Option<Device> {
        let mut children = self.all(&node.children);
        if GROUPS.contains(&kind) {
            return Some(Device::Group(children));
        }
        let Some((entry, config)) = self.entry(node, kind, config) else { return None };
        let before = self.problems.len();
        self.check_children(node, entry, &children);
        let prefix = below(&node.path, "config");
        let ready = entry.prepare(&config.without(COMMON)).map_err(|problems| {
            self.problems.extend(problems.into_iter().map(|problem| problem.below(&prefix)));
        });
        let ready = ready.ok()?;
        self.make_absent(node, entry, ready.as_ref(), &mut children);
        if self.problems.len() > before || self.has_broken_child(node) {
            return None;
        }
        let wiring = Wiring::new(node.dotted(), self.folder, children);
        ready.build(wiring).map_err(|error| self.problems.push(from_error(&prefix, &error))).ok()
    }

    /// The driver a `type` names: its own name, an alias, or a board that a flasher driver serves.
    fn entry(
        &mut self,
        node: &Node,
        kind: &str,
        config: &Section,
    ) -> Option<(&'static DriverEntry, Section)> {
        if let Some(entry) = registry::driver(kind) {
            return Some((entry, config.clone()));
        }
        let served =
            registry::board(kind).and_then(|board| Some((registry::driver(board.driver)?, board.name)));
        if let Some((entry, board)) = served {
            return Some((entry, config.clone().with_default("board", board)));
        }
        let path = below(&node.path, "type");
        self.problems.push(unknown_driver(&path, kind));
        None
    }

    fn check_children(&mut self, node: &Node, entry: &DriverEntry, children: &BTreeMap<String, Device>) {
        let roles: Vec<&str> = entry.children.iter().map(|spec| spec.role).collect();
        for child in node.children.iter().filter(|child| !roles.contains(&child.last())) {
            let mut problem = unknown_key(&below(&node.path, "children"), child.last(), &roles);
            problem.message = format!("`{}` takes no child `{}`", entry.name, child.last());
            self.problems.push(problem);
        }
        for spec in entry.children {
            if let Some(problem) = child_problem(node, spec, children.get(spec.role)) {
                self.problems.push(problem);
            }
        }
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
            let config = Section::from_json(&ready.made_child(spec.role));
            match self.made(node, spec.role, driver, &config, children) {
                Ok(device) => drop(children.insert(spec.role.to_owned(), device)),
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    fn made(
        &self,
        node: &Node,
        role: &str,
        driver: &str,
        config: &Section,
        children: &BTreeMap<String, Device>,
    ) -> Result<Device, Problem> {
        let path = below(&node.path, "config");
        let absent = format!("no driver `{driver}` in this build to make the child `{role}` from");
        let entry = registry::driver(driver).ok_or_else(|| Problem::key(&path, absent))?;
        let ready = entry.prepare(config).map_err(|mut problems| {
            let reason = problems.pop().map(|problem| problem.message).unwrap_or_default();
            Problem::key(&path, format!("the child `{role}` cannot be made: {reason}"))
        })?;
        let siblings = entry
            .children
            .iter()
            .filter_map(|spec| Some((spec.role.to_owned(), children.get(spec.role)?.clone())));
        let wiring = Wiring::new(format!("{}.{role}", node.dotted()), self.folder, siblings.collect());
        ready.build(wiring).map_err(|error| from_error(&path, &error))
    }
}

fn child_problem(node: &Node, spec: &ChildSpec, found: Option<&Device>) -> Option<Problem> {
    let given = node.children.iter().find(|child| child.last() == spec.role);
    let (path, error) = match (found, given) {
        (Some(device), _) if spec.kind.accepts(device.kind()) => return None,
        (Some(device), Some(given)) => {
            (&given.path, child_error(spec.role, spec.kind, spec.purpose, Some(device.kind())))
        }
        (None, None) if spec.absent == Absent::Refused => {
            (&node.path, child_error(spec.role, spec.kind, spec.purpose, None))
        }
        _ => return None,
    };
    Some(from_error(path, &error))
}

fn from_error(path: &[String], error: &Error) -> Problem {
    let problem = Problem::key(path, error.cause());
    match error.next_step() {
        Some(help) => problem.help(help),
        None => problem,
    }
}

fn unknown_driver(path: &[String], kind: &str) -> Problem {
    let names: Vec<&str> = registry::drivers()
        .iter()
        .flat_map(|entry| [entry.name].into_iter().chain(entry.aliases.iter().copied()))
        .chain(
            registry::boards()
                .iter()
                .flat_map(|entry| [entry.name].into_iter().chain(entry.aliases.iter().copied())),
        )
        .chain(["composite"])
        .collect();
    let short: Vec<&str> = names.iter().copied().filter(|name| !name.contains('.')).collect();
    let listed = format!("this build has: {}", suggest::list(short.iter().copied()));
    let (message, help) = if registry::drivers().is_empty() {
        let help = "add `use flasher_bundles as _;` to the binary: a crate that no source line names registers nothing";
        (format!("unknown driver `{kind}`: no driver is linked into this binary"), help.to_owned())
    } else if let Some(nearest) = suggest::nearest(kind, names.iter().copied()) {
        (format!("unknown driver `{kind}`"), format!("did you mean `{nearest}`? `flasher drivers` lists all"))
    } else if kind.starts_with("jumpstarter_driver") || kind.matches('.').count() >= 2 {
        let message = format!("`{kind}` is a Jumpstarter Python driver without a counterpart in this build");
        (message, format!("serve it from a Python exporter, or use one of ours; {listed}"))
    } else {
        (format!("unknown driver `{kind}`"), listed)
    };
    Problem::value(path, message).help(help)
}

fn list_names(nodes: &[Node], names: &mut Vec<String>) {
    for node in nodes {
        names.push(node.dotted());
        list_names(&node.children, names);
    }
}

fn below(path: &[String], key: &str) -> Vec<String> {
    path.iter().cloned().chain([key.to_owned()]).collect()
}
