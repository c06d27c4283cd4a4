//! The nodes that Python is to run, as they are written in the file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flasher_core::Device;
use flasher_core::python::PythonNode;
use flasher_core::tree::DriverTree;
use serde_json::{Map, Value, json};

/// The Python drivers of `tree` that `needed` are of or that these refer to, as the runner wants them: groups, and nodes as they are
/// written.
pub(super) fn for_runner(tree: &DriverTree, needed: &[Arc<PythonNode>]) -> Map<String, Value> {
    let whole = whole(tree);
    let mut top = Map::new();
    for path in with_references(&whole, needed) {
        if let Some(written) = whole.get(&path).and_then(|node| node.written()) {
            insert(&mut top, &path, written);
        }
    }
    top
}

/// The nodes that Python can make, by dotted path; none that is a part of another one's.
fn whole(tree: &DriverTree) -> BTreeMap<String, Arc<PythonNode>> {
    let mut whole = BTreeMap::new();
    for (path, device) in tree.all() {
        let Device::Python(node) = device else { continue };
        let can_be_made = node.written().is_some() && node.obstacle().is_none();
        if node.path() == path && can_be_made && !is_part(tree, &path) {
            whole.insert(path, node);
        }
    }
    whole
}

/// Whether a Python driver stands above `path`: then the node is a part of that one's.
fn is_part(tree: &DriverTree, path: &str) -> bool {
    let above = path.match_indices('.').map(|(at, _)| &path[..at]);
    above.into_iter().any(|above| matches!(tree.find(above), Ok(Device::Python(_))))
}

/// The paths of the nodes that `needed` are of, and of those that they refer to.
fn with_references(
    whole: &BTreeMap<String, Arc<PythonNode>>,
    needed: &[Arc<PythonNode>],
) -> BTreeSet<String> {
    let mut taken = BTreeSet::new();
    let mut open: Vec<String> = needed.iter().map(|node| node.path().to_owned()).collect();
    while let Some(path) = open.pop() {
        // A `ref` may name a part of a node, or a group of nodes.
        for (at, node) in whole.iter().filter(|(at, _)| is_at(&path, at) || is_at(at, &path)) {
            if taken.insert(at.clone()) {
                node.written().into_iter().for_each(|written| references(written, &mut open));
            }
        }
    }
    taken
}

/// Whether `path` is `top` or below it.
pub(crate) fn is_at(path: &str, top: &str) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn references(written: &Value, found: &mut Vec<String>) {
    found.extend(written["ref"].as_str().map(str::to_owned));
    let children = written["children"].as_object().into_iter().flat_map(Map::values);
    children.for_each(|child| references(child, found));
}

fn insert(top: &mut Map<String, Value>, path: &str, written: &Value) {
    let mut level = Some(top);
    let mut parts = path.split('.').peekable();
    while let (Some(here), Some(part)) = (level.take(), parts.next()) {
        if parts.peek().is_none() {
            here.insert(part.to_owned(), json!({ "node": written }));
        } else {
            let group = here.entry(part).or_insert_with(|| json!({ "group": {} }));
            level = group.get_mut("group").and_then(Value::as_object_mut);
        }
    }
}

#[cfg(test)]
mod tests {
    use flasher_core::tree::TreeParts;

    use super::*;

    /// A tree of Python nodes, by path, as they are written.
    fn tree(nodes: &[(&str, Value)]) -> DriverTree {
        let node = |path: &str, written: &Value| {
            Device::Python(Arc::new(PythonNode::new(path, "lab.Any", None).as_written(Some(written.clone()))))
        };
        let nodes = nodes.iter().map(|(path, written)| ((*path).to_owned(), node(path, written))).collect();
        DriverTree::from(TreeParts { nodes, ..TreeParts::default() })
    }

    #[test]
    fn what_is_needed_and_what_it_refers_to() {
        let plain = || json!({ "type": "lab.Any", "config": {}, "children": {} });
        let referring =
            |to: &str| json!({ "type": "lab.Any", "config": {}, "children": { "a": { "ref": to } } });
        let tree = tree(&[
            ("alone", plain()),
            ("bay.relay", plain()),
            ("bay.meter", plain()),
            ("hub", referring("bay.relay")),
            ("hub.a", plain()),
            ("outer", referring("hub.a")),
            ("rack", referring("bay")),
        ]);
        let check = |needed: &str, expected: Value| {
            let Ok(Device::Python(node)) = tree.find(needed) else { panic!("{needed}") };
            let found = Value::Object(for_runner(&tree, &[node]));
            assert_eq!(found, expected, "{needed}");
        };
        let node = |written: Value| json!({ "node": written });
        let relay = json!({ "group": { "relay": node(plain()) } });
        check("alone", json!({ "alone": node(plain()) }));
        check("bay.relay", json!({ "bay": relay }));
        // A part of a node is made with it.
        let hub = json!({ "bay": relay, "hub": node(referring("bay.relay")) });
        check("hub", hub.clone());
        check("hub.a", hub.clone());
        let outer = json!({ "bay": relay, "hub": hub["hub"], "outer": node(referring("hub.a")) });
        check("outer", outer);
        let bay = json!({ "group": { "relay": node(plain()), "meter": node(plain()) } });
        check("rack", json!({ "bay": bay, "rack": node(referring("bay")) }));
    }
}
