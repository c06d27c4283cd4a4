//! What a whole file says for people: its notes, its name (`metadata.name`) and `motd`.

use std::collections::BTreeMap;

use flasher_core::tree::Notes;
use strict_yaml::{Problem, YamlNode};

use crate::notes::{description, text};
use crate::written::{Node, What};

/// Everything a file says for people.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Every node with a `type`, by dotted path, and the whole file under the empty one. A `ref` has what the node says
    /// that it names, and a bare group nothing, as with Jumpstarter.
    pub(crate) notes: BTreeMap<String, Notes>,
    /// `metadata.name`.
    pub(crate) bench: Option<String>,
    pub(crate) motd: Option<String>,
}

pub(crate) fn all(root: &YamlNode, nodes: &[Node], problems: &mut Vec<Problem>) -> Said {
    let description = description(root, &[], problems);
    let motd = root.get("motd").filter(|value| !value.is_null());
    let motd = motd.and_then(|value| text(value, &["motd".to_owned()], problems));
    let bench = root.get("metadata").and_then(|metadata| metadata.get("name"));
    let mut notes = BTreeMap::from([(String::new(), Notes { description, ..Notes::default() })]);
    nodes.iter().for_each(|node| insert(node, &mut notes));
    notes.retain(|_, it| *it != Notes::default());
    Said { notes, bench: bench.and_then(|name| name.text().map(str::to_owned)), motd }
}

fn insert(node: &Node, all: &mut BTreeMap<String, Notes>) {
    if matches!(node.what, What::Driver { .. }) {
        all.insert(node.dotted(), node.notes.clone());
    }
    node.children.iter().for_each(|child| insert(child, all));
}
