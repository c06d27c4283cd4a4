//! Nodes whose `type` is a class that only Python has, and which Python the file wants for them.

use std::path::Path;
use std::sync::Arc;

use flasher_core::Device;
use flasher_core::python::{Obstacle, PythonChoice, PythonNode};
use flasher_core::tree::Notes;
use serde_json::{Map, Value, json};
use strict_yaml::{Problem, YamlNode, YamlValue};

use crate::counterpart;
use crate::path::below;
use crate::written::{Node, What};

/// The file's key `python`: a virtual environment, `auto` or `off`. A relative folder is one beside the file, which is in `folder`.
pub(crate) fn choice(root: &YamlNode, folder: &Path, problems: &mut Vec<Problem>) -> Option<PythonChoice> {
    let value = root.get("python").filter(|value| !value.is_null())?;
    let Some(text) = value.text().filter(|text| !text.is_empty()) else {
        let message = format!("expected a folder, `auto` or `off`, found {}", value.describe());
        problems.push(
            Problem::value(&["python".to_owned()], message)
                .help("give the folder of a virtual environment with Jumpstarter"),
        );
        return None;
    };
    match text.parse() {
        Ok(PythonChoice::Venv(venv)) => Some(PythonChoice::Venv(folder.join(venv))),
        Ok(choice) => Some(choice),
    }
}

/// The device of `node`. Its config belongs to Python; only that it is a mapping is checked, as Python would. `obstacle` keeps
/// Python from running it.
pub(crate) fn node(
    node: &Node,
    class: &str,
    config: &YamlNode,
    obstacle: Option<Obstacle>,
    problems: &mut Vec<Problem>,
) -> Option<Device> {
    if config.entries().is_none() {
        let message = format!("expected a mapping, found {}", config.describe());
        problems.push(
            Problem::value(&below(&node.path, "config"), message)
                .help("give lines of `key: value`, or leave it out"),
        );
        return None;
    }
    let replacement = counterpart::replacement(class, config);
    let python =
        PythonNode::new(node.dotted(), class, replacement).as_written(written(node)).kept_by(obstacle);
    Some(Device::Python(Arc::new(python)))
}

/// The first `ref` below `node` that leads to a device of this build, which Python cannot reach.
pub(crate) fn obstacle(node: &Node, resolved: &impl Fn(&Node) -> Option<Device>) -> Option<Obstacle> {
    node.children.iter().find_map(|child| match &child.what {
        What::Reference(target) => {
            let is_of_python = resolved(child).is_none_or(|device| is_of_python(&device));
            (!is_of_python).then(|| Obstacle { from: child.dotted(), to: target.clone() })
        }
        _ => obstacle(child, resolved),
    })
}

/// Whether all of it is Python's.
fn is_of_python(device: &Device) -> bool {
    match device {
        Device::Python(node) => node.obstacle().is_none(),
        Device::Group(children) => children.values().all(is_of_python),
        _ => false,
    }
}

/// The node as Jumpstarter reads it, with those below it; none when one of them is broken.
fn written(node: &Node) -> Option<Value> {
    let children = node.children.iter().map(|child| Some((child.last().to_owned(), written(child)?)));
    let children: Map<String, Value> = children.collect::<Option<_>>()?;
    Some(match &node.what {
        What::Driver { kind, config } => {
            let config = if config.is_null() { json!({}) } else { to_json(config) };
            let Notes { description, methods } = &node.notes;
            json!({
                "type": kind,
                "config": config,
                "children": children,
                "description": description,
                "methods_description": methods,
            })
        }
        What::Reference(target) => json!({ "ref": target }),
        What::Group => json!({ "children": children }),
        What::Broken => return None,
    })
}

fn to_json(node: &YamlNode) -> Value {
    match &node.value {
        YamlValue::Null => Value::Null,
        YamlValue::Bool(value) => Value::from(*value),
        YamlValue::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(whole)) => Value::from(whole),
            (None, None) => Value::from(number.as_f64()),
        },
        YamlValue::Text(text) => Value::from(text.as_str()),
        YamlValue::List(items) => items.iter().map(to_json).collect(),
        YamlValue::Mapping(entries) => {
            entries.iter().map(|(key, entry)| (key.clone(), to_json(&entry.node))).collect()
        }
    }
}
