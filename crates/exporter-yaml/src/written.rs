//! The nodes as written: `type`, `ref` or neither, matched by hand so that every mistake has its own sentence.

use flasher_core::tree::Notes;
use strict_yaml::{Problem, YamlNode, unknown_key};

use crate::notes;
use crate::path::below;

/// What an exporter YAML may say at its top. `python` and `ledger` are ours alone; what is not used here is for Jumpstarter's controller.
pub(crate) const TOP: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "endpoint",
    "tls",
    "token",
    "grpcOptions",
    "grpcConfig",
    "description",
    "motd",
    "python",
    "ledger",
    "export",
    "hooks",
    "failureDetection",
    "exitOnLeaseEnd",
];
pub(crate) const API_VERSION: &str = "jumpstarter.dev/v1alpha1";
pub(crate) const KIND: &str = "ExporterConfig";
const NODE: &[&str] = &["type", "ref", "config", "children", "description", "methods_description"];

/// One node as written.
#[derive(Debug)]
pub(crate) struct Node {
    /// Names from the root, without `export` and `children`.
    pub(crate) name: Vec<String>,
    /// Keys from the root of the file.
    pub(crate) path: Vec<String>,
    pub(crate) what: What,
    pub(crate) children: Vec<Node>,
    pub(crate) notes: Notes,
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum What {
    Driver {
        kind: String,
        config: YamlNode,
    },
    Reference(String),
    Group,
    /// Already reported.
    Broken,
}

impl Node {
    pub(crate) fn dotted(&self) -> String {
        self.name.join(".")
    }

    pub(crate) fn last(&self) -> &str {
        self.name.last().map_or("", String::as_str)
    }
}

/// The nodes below `export`.
pub(crate) fn nodes(root: &YamlNode, problems: &mut Vec<Problem>) -> Vec<Node> {
    let Some(entries) = root.entries() else {
        problems.push(Problem::value(
            &[],
            format!("expected a mapping with `export`, found {}", root.describe()),
        ));
        return Vec::new();
    };
    check_top(&entries, problems);
    let path = vec!["export".to_owned()];
    let nodes = match root.get("export") {
        None if entries.is_empty() => {
            problems.push(
                Problem::key(&[], "the file is empty")
                    .help("an exporter YAML needs `export:` with nodes below"),
            );
            return Vec::new();
        }
        None => return missing_export(problems),
        Some(export) => children(export, &[], &path, problems),
    };
    if nodes.is_empty() && problems.is_empty() {
        problems.push(
            Problem::key(&path, "`export` has no nodes").help("`flasher drivers` shows what a node can be"),
        );
    }
    nodes
}

fn missing_export(problems: &mut Vec<Problem>) -> Vec<Node> {
    if !problems.iter().any(|problem| problem.means(&[], "export")) {
        problems.push(
            Problem::key(&[], "the key `export` is missing").help("the nodes of the driver tree go below it"),
        );
    }
    Vec::new()
}

fn check_top(entries: &[(&str, &YamlNode)], problems: &mut Vec<Problem>) {
    for (key, value) in entries {
        let path = [(*key).to_owned()];
        let expected = match *key {
            "apiVersion" => API_VERSION,
            "kind" => KIND,
            known if TOP.contains(&known) => continue,
            unknown => {
                problems.push(unknown_key(&[], unknown, TOP));
                continue;
            }
        };
        if value.text() != Some(expected) {
            let message = format!("expected `{expected}`, found {}", value.describe());
            problems.push(Problem::value(&path, message));
        }
    }
}

fn children(section: &YamlNode, name: &[String], path: &[String], problems: &mut Vec<Problem>) -> Vec<Node> {
    let Some(entries) = section.entries() else {
        let message = format!("expected a mapping of nodes, found {}", section.describe());
        problems.push(Problem::value(path, message));
        return Vec::new();
    };
    let mut nodes = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let path = below(path, key);
        if key.is_empty() || key.contains('.') {
            let message = format!("a node cannot be called `{key}`: dots are for paths in `ref`");
            problems.push(Problem::key(&path, message).help("use letters, digits, `-` and `_`"));
        } else {
            nodes.push(node(value, below(name, key), path, problems));
        }
    }
    nodes
}

fn node(section: &YamlNode, name: Vec<String>, path: Vec<String>, problems: &mut Vec<Problem>) -> Node {
    let Some(entries) = section.entries() else {
        let message =
            format!("expected a node with `type`, `ref` or `children`, found {}", section.describe());
        problems.push(
            Problem::value(&path, message)
                .help("for example `{ type: serial, config: { url: /dev/ttyUSB0 } }`"),
        );
        return Node { name, path, what: What::Broken, children: Vec::new(), notes: Notes::default() };
    };
    let before = problems.len();
    for (unknown, _) in entries.iter().filter(|(key, _)| !NODE.contains(key)) {
        problems.push(unknown_key(&path, unknown, NODE));
    }
    let children = section
        .get("children")
        .map_or(Vec::new(), |nodes| children(nodes, &name, &below(&path, "children"), problems));
    let what = what(section, &path, problems);
    let unsure = problems.len() > before && matches!(what, What::Group);
    let notes = notes::read(section, &path, problems);
    Node { name, path, what: if unsure { What::Broken } else { what }, children, notes }
}

fn what(section: &YamlNode, path: &[String], problems: &mut Vec<Problem>) -> What {
    let mut text = |name: &str| {
        let value = section.get(name)?;
        let found = value.text().map(str::to_owned);
        if found.is_none() {
            let message = format!("expected text, found {}", value.describe());
            problems.push(Problem::value(&below(path, name), message));
        }
        Some(found)
    };
    let (kind, reference) = (text("type"), text("ref"));
    let config = section.get("config").cloned().unwrap_or_default();
    match (kind, reference) {
        (Some(_), Some(_)) => {
            problems.push(
                Problem::key(path, "a node has `type` or `ref`, not both")
                    .help("`type` makes a device of its own, `ref` names one made elsewhere"),
            );
            What::Broken
        }
        (Some(Some(kind)), None) => What::Driver { kind, config },
        (None, Some(Some(target))) => reference_alone(section, target, path, problems),
        (None, None) if config.is_null() => What::Group,
        (None, None) => {
            if !problems.iter().any(|problem| problem.means(path, "type") || problem.means(path, "ref")) {
                let message = "this node has `config` but no `type`";
                problems
                    .push(Problem::key(path, message).help("add `type: …`; `flasher drivers` lists them"));
            }
            What::Broken
        }
        _ => What::Broken,
    }
}

fn reference_alone(section: &YamlNode, target: String, path: &[String], problems: &mut Vec<Problem>) -> What {
    for key in ["config", "children"] {
        if section.get(key).is_some_and(|value| !value.is_null()) {
            let problem = Problem::key(&below(path, key), format!("a node with `ref` takes no `{key}`"));
            problems.push(problem.help(format!("set it at `{target}`, the node that `ref` names")));
        }
    }
    What::Reference(target)
}
