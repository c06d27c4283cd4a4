//! JSON Schemas out of the types, for editors and for programs that read our output.

use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::event::Event;
use crate::flash::Receipt;
use crate::registry;

/// Schema of one line of `--json` output.
pub fn events() -> Value {
    of::<Event>()
}

/// Schema of a receipt.
pub fn receipt() -> Value {
    of::<Receipt>()
}

/// Schema of an exporter YAML, with the config of every driver of this build.
pub fn exporter() -> Value {
    let drivers = registry::drivers();
    let boards = registry::boards();
    let names =
        drivers.iter().flat_map(|entry| [entry.name].into_iter().chain(entry.aliases.iter().copied()));
    let boards =
        boards.iter().flat_map(|entry| [entry.name].into_iter().chain(entry.aliases.iter().copied()));
    let names: Vec<&str> = names.chain(boards).chain(["composite"]).collect();
    let configs: Vec<Value> = drivers.iter().map(|entry| config_rule(entry)).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Exporter YAML",
        "type": "object",
        "required": ["export"],
        "properties": {
            "apiVersion": { "const": "jumpstarter.dev/v1alpha1" },
            "kind": { "const": "ExporterConfig" },
            "metadata": { "type": "object" },
            "export": { "type": "object", "description": "The device tree: names and nodes.",
                        "additionalProperties": { "$ref": "#/$defs/node" } },
        },
        "$defs": { "node": {
            "type": ["object", "null"],
            "description": "A device (`type`), another name for one (`ref`), or a group (`children`).",
            "additionalProperties": false,
            "properties": {
                "type": { "enum": names, "description": "Driver or board; `flasher drivers` explains each." },
                "ref": { "type": "string", "description": "Dotted path of another node, from the root." },
                "config": { "type": ["object", "null"] },
                "children": { "type": ["object", "null"], "additionalProperties": { "$ref": "#/$defs/node" } },
                "description": { "type": "string" },
                "methods_description": { "type": "object" },
            },
            "allOf": configs,
        } },
    })
}

fn config_rule(entry: &registry::DriverEntry) -> Value {
    let names: Vec<&str> = [entry.name].into_iter().chain(entry.aliases.iter().copied()).collect();
    json!({
        "if": { "properties": { "type": { "enum": names } }, "required": ["type"] },
        "then": { "properties": { "config": { "anyOf": [{ "type": "null" }, entry.schema()] } } },
    })
}

fn of<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}
