//! What the file says of itself and its nodes for people: `description`, `methods_description`, `motd`, its name.

use std::collections::BTreeMap;

use super::build::below;
use super::raw::{Node, What};
use crate::config::{Problem, Section};

/// Words about a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// What it is; none when the file does not say.
    pub description: Option<String>,
    /// What its commands do, by their names.
    pub methods: BTreeMap<String, String>,
}

/// Reads what the mapping of a node, at `path` in the file, says about it.
pub(super) fn read(section: &Section, path: &[String], problems: &mut Vec<Problem>) -> Notes {
    Notes { description: description(section, path, problems), methods: methods(section, path, problems) }
}

fn description(section: &Section, path: &[String], problems: &mut Vec<Problem>) -> Option<String> {
    let value = section.get("description").filter(|value| !value.is_null())?;
    text(&value, &below(path, "description"), problems).filter(|text| !text.is_empty())
}

fn methods(section: &Section, path: &[String], problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
    let Some(value) = section.get("methods_description").filter(|value| !value.is_null()) else {
        return BTreeMap::new();
    };
    let path = below(path, "methods_description");
    let Some(entries) = value.entries() else {
        let message = format!("expected a mapping of commands to texts, found {}", value.describe());
        problems.push(Problem::value(&path, message));
        return BTreeMap::new();
    };
    let entry = |(name, value): (String, Section)| {
        Some((name.clone(), text(&value, &below(&path, &name), problems)?))
    };
    entries.into_iter().filter_map(entry).collect()
}

fn text(value: &Section, path: &[String], problems: &mut Vec<Problem>) -> Option<String> {
    let text = value.text().map(str::to_owned);
    if text.is_none() {
        problems.push(Problem::value(path, format!("expected text, found {}", value.describe())));
    }
    text
}

/// Everything a file says for people.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Every node with a `type`, by dotted path, and the whole file under the empty one. A `ref` has what the node says
    /// that it names, and a bare group nothing, as with Jumpstarter.
    pub(super) nodes: BTreeMap<String, Notes>,
    /// `metadata.name`.
    pub(super) name: Option<String>,
    pub(super) motd: Option<String>,
}

pub(super) fn all(root: &Section, nodes: &[Node], problems: &mut Vec<Problem>) -> Said {
    let description = description(root, &[], problems);
    let motd = root.get("motd").filter(|value| !value.is_null());
    let motd = motd.and_then(|value| text(&value, &["motd".to_owned()], problems));
    let name = root.get("metadata").and_then(|metadata| metadata.get("name"));
    let mut all = BTreeMap::from([(String::new(), Notes { description, ..Notes::default() })]);
    nodes.iter().for_each(|node| insert(node, &mut all));
    all.retain(|_, notes| *notes != Notes::default());
    Said { nodes: all, name: name.and_then(|name| name.text().map(str::to_owned)), motd }
}

fn insert(node: &Node, all: &mut BTreeMap<String, Notes>) {
    if matches!(node.what, What::Driver { .. }) {
        all.insert(node.dotted(), node.notes.clone());
    }
    node.children.iter().for_each(|child| insert(child, all));
}
