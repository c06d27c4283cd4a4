//! Nodes whose `type` is a class that only Python has.

use std::sync::Arc;

use flasher_core::Device;
use flasher_core::python::PythonNode;
use strict_yaml::{Problem, YamlNode};

use crate::counterpart;
use crate::path::below;
use crate::written::Node;

/// The device of `node`. Its config belongs to Python; only that it is a mapping is checked, as Python would.
pub(crate) fn node(
    node: &Node,
    class: &str,
    config: &YamlNode,
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
    Some(Device::Python(Arc::new(PythonNode::new(node.dotted(), class, replacement))))
}
