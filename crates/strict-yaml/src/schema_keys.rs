//! Unknown and missing keys of a mapping, by the JSON Schema of the type it is meant for.

use std::collections::HashSet;

use serde_json::Value as Schema;

use crate::node::{Entries, YamlNode};
use crate::problem::{Problem, unknown_key};

/// What is wrong with the keys of a tree.
#[derive(Debug, Default)]
pub(crate) struct WrongKeys {
    pub(crate) problems: Vec<Problem>,
    /// Paths of the unknown keys.
    pub(crate) unknown: HashSet<Vec<String>>,
    /// Paths of the mappings of which a key is missing.
    pub(crate) incomplete: Vec<Vec<String>>,
}

/// Compares the keys of `entries` and of the mappings below with what `schema` has.
pub(crate) fn check(entries: &Entries, schema: &Schema) -> WrongKeys {
    let mut search = Search { root: schema, path: Vec::new(), found: WrongKeys::default() };
    search.mapping(schema, entries);
    search.found
}

struct Search<'s> {
    root: &'s Schema,
    path: Vec<String>,
    found: WrongKeys,
}

impl Search<'_> {
    fn mapping(&mut self, schema: &Schema, entries: &Entries) {
        let none = serde_json::Map::new();
        let known = schema.get("properties").and_then(Schema::as_object).unwrap_or(&none);
        if schema.get("additionalProperties") == Some(&Schema::Bool(false)) {
            self.unknown(known, entries);
        }
        let required = schema.get("required").and_then(Schema::as_array).into_iter().flatten();
        for name in required.filter_map(Schema::as_str).filter(|name| !entries.contains_key(*name)) {
            self.missing(known, name);
        }
        for (name, schema) in known {
            if let Some(entry) = entries.get(name) {
                self.value(name, schema, &entry.node);
            }
        }
    }

    fn value(&mut self, name: &str, schema: &Schema, node: &YamlNode) {
        let (Some(entries), Some(schema)) = (node.mapping(), object(self.root, schema)) else { return };
        self.path.push(name.to_owned());
        self.mapping(schema, entries);
        self.path.pop();
    }

    fn unknown(&mut self, known: &serde_json::Map<String, Schema>, entries: &Entries) {
        let accepted: Vec<&str> = known.keys().map(String::as_str).collect();
        for key in entries.keys().filter(|key| !known.contains_key(*key)) {
            let problem = unknown_key(&self.path, key, &accepted);
            self.found.unknown.insert(problem.path.clone());
            self.found.problems.push(problem);
        }
    }

    fn missing(&mut self, known: &serde_json::Map<String, Schema>, name: &str) {
        if self.found.problems.iter().any(|problem| problem.means(&self.path, name)) {
            return;
        }
        let missing = Problem::key(&self.path, format!("the key `{name}` is missing"));
        self.found.problems.push(missing.help(about(known, name)));
        self.found.incomplete.push(self.path.clone());
    }
}

/// The object schema behind references and optional wrappers.
fn object<'s>(root: &'s Schema, schema: &'s Schema) -> Option<&'s Schema> {
    if schema.get("properties").is_some() {
        return Some(schema);
    }
    if let Some(reference) = schema.get("$ref").and_then(Schema::as_str) {
        return object(root, root.pointer(reference.strip_prefix('#')?)?);
    }
    schema.get("anyOf")?.as_array()?.iter().find_map(|option| object(root, option))
}

fn about(known: &serde_json::Map<String, Schema>, name: &str) -> String {
    let text = known.get(name).and_then(|schema| schema.get("description")).and_then(Schema::as_str);
    match text.and_then(|text| text.lines().next()) {
        Some(text) => format!("add `{name}: …`: {text}"),
        None => format!("add `{name}: …`"),
    }
}
