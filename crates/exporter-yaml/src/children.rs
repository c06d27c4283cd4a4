//! The children of a driver: those it has against those it wants, and those it makes for itself.

use std::collections::BTreeMap;
use std::path::Path;

use flasher_core::device::{Absent, ChildSpec, Device, Wiring, child_error};
use flasher_core::registry::{self, DriverEntry};
use strict_yaml::{Problem, YamlNode, unknown_key};

use crate::driver_config::{prepare, problem_of};
use crate::path::below;
use crate::written::Node;

/// Every child that the driver does not know, that is of the wrong kind, or that is missing.
pub(crate) fn check(node: &Node, entry: &DriverEntry, built: &BTreeMap<String, Device>) -> Vec<Problem> {
    let roles: Vec<&str> = entry.children.iter().map(|spec| spec.role).collect();
    let path = below(&node.path, "children");
    let unknown = node.children.iter().filter(|child| !roles.contains(&child.last()));
    let mut problems: Vec<Problem> = unknown.map(|child| stranger(&path, entry, child, &roles)).collect();
    for spec in entry.children {
        let misspelt = problems.iter().any(|problem| problem.means(&path, spec.role));
        problems.extend(misfit(node, spec, built.get(spec.role), misspelt));
    }
    problems
}

/// Makes the child `role` of `node` from config that its parent gave, with those of its siblings that it takes.
pub(crate) fn make(
    node: &Node,
    role: &str,
    driver: &str,
    config: &YamlNode,
    folder: &Path,
    siblings: &BTreeMap<String, Device>,
) -> Result<Device, Problem> {
    let path = below(&node.path, "config");
    let entry = registry::driver(driver).ok_or_else(|| {
        let message = format!("no driver `{driver}` in this build to make the child `{role}` from");
        Problem::key(&path, message).help(format!("give `{role}` below `children:`"))
    })?;
    let ready = prepare(entry, config).map_err(|mut problems| {
        let reason = problems.pop().map(|problem| problem.message).unwrap_or_default();
        Problem::key(&path, format!("the child `{role}` cannot be made: {reason}"))
            .help(format!("give `{role}` below `children:`, with its own `type:` and `config:`"))
    })?;
    let wanted = entry.children.iter();
    let children =
        wanted.filter_map(|spec| Some((spec.role.to_owned(), siblings.get(spec.role)?.clone()))).collect();
    let wiring = Wiring::new(format!("{}.{role}", node.dotted()), folder, children);
    ready.build(wiring).map_err(|error| problem_of(&path, &error))
}

fn stranger(path: &[String], entry: &DriverEntry, child: &Node, roles: &[&str]) -> Problem {
    let mut problem = unknown_key(path, child.last(), roles);
    problem.message = format!("`{}` takes no child `{}`", entry.name, child.last());
    if roles.is_empty() {
        problem.help(format!("`{}` takes no children at all", entry.name))
    } else {
        problem
    }
}

fn misfit(node: &Node, spec: &ChildSpec, found: Option<&Device>, misspelt: bool) -> Option<Problem> {
    let given = node.children.iter().find(|child| child.last() == spec.role);
    let (path, found) = match (found, given) {
        (Some(device), Some(given)) if !spec.kind.accepts(device.kind()) => {
            (&given.path, Some(device.kind()))
        }
        (None, None) if spec.absent == Absent::Refused && !misspelt => (&node.path, None),
        _ => return None,
    };
    Some(problem_of(path, &child_error(spec.role, spec.kind, spec.purpose, found)))
}
