//! JSON Schema of an exporter YAML, for editors.

use flasher_core::registry;
use serde_json::{Value, json};

use crate::build::COMMON;
use crate::controller;
use crate::kinds::GROUPS;
use crate::written::{API_VERSION, KIND, TOP};

/// The import path of a Python class.
const CLASS_PATH: &str = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$";

/// JSON Schema of an exporter YAML, with the config of every driver of this build.
pub fn schema() -> Value {
    let drivers = registry::drivers().into_iter().map(|entry| (entry.name, entry.aliases));
    let boards = registry::boards().into_iter().map(|entry| (entry.name, entry.aliases));
    let names: Vec<&str> = drivers.chain(boards).flat_map(answers).chain(GROUPS.iter().copied()).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Exporter YAML",
        "type": "object",
        "required": ["export"],
        "additionalProperties": false,
        "properties": top(),
        "$defs": definitions(&names),
    })
}

/// A node, and what the keys about a lab have.
fn definitions(names: &[&str]) -> Value {
    let mut all = controller::schema()["$defs"].clone();
    all["node"] = node(names);
    all
}

fn top() -> Value {
    let mut keys: serde_json::Map<String, Value> =
        TOP.iter().map(|key| ((*key).to_owned(), json!({}))).collect();
    let lab = controller::schema();
    for key in controller::KEYS {
        keys.insert((*key).to_owned(), lab["properties"][key].clone());
    }
    keys.insert(
        "motd".to_owned(),
        json!({ "type": ["string", "null"], "description": "What users are to read first." }),
    );
    keys.insert("apiVersion".to_owned(), json!({ "const": API_VERSION }));
    keys.insert("kind".to_owned(), json!({ "const": KIND }));
    keys.insert(
        "python".to_owned(),
        json!({
            "type": ["string", "null"],
            "description": "Which Python runs nodes whose driver only Python has: the folder of a virtual environment with Jumpstarter, \
                            relative to this file; `auto`, the one whose `jmp` is in PATH (the default); `off`, none. `--python` and \
                            FLASHER_PYTHON come before it.",
        }),
    );
    keys.insert(
        "ledger".to_owned(),
        json!({
            "type": ["string", "null"],
            "description": "Where receipts are kept for `flasher history`: a file, relative to this one; `off`, nowhere. That of the user \
                            when not given. `--no-ledger` comes before it.",
        }),
    );
    keys.insert(
        "export".to_owned(),
        json!({
            "type": "object",
            "description": "The driver tree: names and nodes.",
            "additionalProperties": { "$ref": "#/$defs/node" },
        }),
    );
    Value::Object(keys)
}

fn node(names: &[&str]) -> Value {
    json!({
        "type": ["object", "null"],
        "description": "A device (`type`), another name for one (`ref`), or a group (`children`).",
        "additionalProperties": false,
        "properties": {
            "type": {
                "anyOf": [{ "enum": names }, { "type": "string", "pattern": CLASS_PATH }],
                "description": "Driver or board; `flasher drivers` explains each. Or a Python class of which this build has no driver.",
            },
            "ref": { "type": "string", "description": "Dotted path of another node, from the root." },
            "config": { "type": ["object", "null"] },
            "children": { "type": ["object", "null"], "additionalProperties": { "$ref": "#/$defs/node" } },
            "description": { "type": "string" },
            "methods_description": { "type": "object" },
        },
        "allOf": rules(),
    })
}

/// Which config goes with which `type`.
fn rules() -> Vec<Value> {
    let mut rules = Vec::new();
    for entry in registry::drivers() {
        let names: Vec<&str> = answers((entry.name, entry.aliases)).collect();
        rules.push(rule(&names, config(entry, false)));
        let boards = registry::boards().into_iter().filter(|board| board.driver == entry.name);
        let names: Vec<&str> = boards.flat_map(|board| answers((board.name, board.aliases))).collect();
        if !names.is_empty() {
            rules.push(rule(&names, config(entry, true)));
        }
    }
    rules
}

fn rule(names: &[&str], config: Value) -> Value {
    json!({
        "if": { "properties": { "type": { "enum": names } }, "required": ["type"] },
        "then": { "properties": { "config": { "anyOf": [{ "type": "null" }, config] } } },
    })
}

/// Config of a driver, with the keys that every Jumpstarter driver takes; a board's name in `type` gives `board`.
fn config(entry: &registry::DriverEntry, board_given: bool) -> Value {
    let mut schema = entry.schema();
    let Some(object) = schema.as_object_mut() else { return schema };
    object.remove("$schema");
    let properties = object.entry("properties").or_insert_with(|| json!({}));
    for key in COMMON {
        properties[*key] = json!({ "description": "For Jumpstarter; not used here." });
    }
    if let (true, Some(required)) = (board_given, object.get_mut("required").and_then(Value::as_array_mut)) {
        required.retain(|key| key != "board");
    }
    schema
}

fn answers((name, aliases): (&'static str, &'static [&'static str])) -> impl Iterator<Item = &'static str> {
    std::iter::once(name).chain(aliases.iter().copied())
}

#[cfg(test)]
mod tests;
