//! Unknown and missing keys of a mapping, by the JSON Schema of the type it is meant for.

use serde_json::Value as Schema;
use serde_yaml::{Mapping, Value};

use super::section::Problem;
use super::words::key_text;
use crate::suggest;

/// Looks for unknown and missing keys by a JSON Schema, and takes the unknown ones out.
pub(super) struct Shape<'s> {
    pub(super) root: &'s Schema,
}

impl Shape<'_> {
    pub(super) fn check(
        &self,
        schema: &Schema,
        map: &mut Mapping,
        path: &mut Vec<String>,
        problems: &mut Vec<Problem>,
    ) {
        let none = serde_json::Map::new();
        let known = schema.get("properties").and_then(Schema::as_object).unwrap_or(&none);
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        if schema.get("additionalProperties") == Some(&Schema::Bool(false)) {
            refuse_unknown(&names, map, path, problems);
        }
        let required = schema.get("required").and_then(Schema::as_array).into_iter().flatten();
        for name in required.filter_map(Schema::as_str).filter(|name| !map.contains_key(*name)) {
            if !problems.iter().any(|problem| problem.means(path, name)) {
                let missing = Problem::key(path, format!("the key `{name}` is missing"));
                problems.push(missing.help(about(known, name)));
            }
        }
        for (name, inner) in known {
            let Some(Value::Mapping(below)) = map.get_mut(name.as_str()) else { continue };
            let Some(inner) = self.object(inner) else { continue };
            path.push(name.clone());
            self.check(inner, below, path, problems);
            path.pop();
        }
    }

    /// The object schema behind references and optional wrappers.
    fn object<'a>(&'a self, schema: &'a Schema) -> Option<&'a Schema> {
        if schema.get("properties").is_some() {
            return Some(schema);
        }
        if let Some(reference) = schema.get("$ref").and_then(Schema::as_str) {
            return self.object(self.root.pointer(reference.strip_prefix('#')?)?);
        }
        schema.get("anyOf")?.as_array()?.iter().find_map(|option| self.object(option))
    }
}

fn refuse_unknown(names: &[&str], map: &mut Mapping, path: &[String], problems: &mut Vec<Problem>) {
    map.retain(|key, _| {
        let (text, known) = (key_text(key), key.as_str().is_some_and(|key| names.contains(&key)));
        if !known {
            problems.push(unknown_key(path, &text, names));
        }
        known
    });
}

/// The problem of an unknown key, with the nearest known one.
pub(crate) fn unknown_key(path: &[String], key: &str, accepted: &[&str]) -> Problem {
    let path: Vec<String> = path.iter().cloned().chain([key.to_owned()]).collect();
    let problem = Problem::key(&path, format!("unknown key `{key}`"));
    match suggest::nearest(key, accepted.iter().copied()) {
        Some(nearest) => problem.meant(nearest),
        None if accepted.is_empty() => problem.help("no keys are accepted here: remove it"),
        None => problem.help(format!("accepted here: {}", suggest::list(accepted.iter().copied()))),
    }
}

fn about(known: &serde_json::Map<String, Schema>, name: &str) -> String {
    let text = known.get(name).and_then(|schema| schema.get("description")).and_then(Schema::as_str);
    match text.and_then(|text| text.lines().next()) {
        Some(text) => format!("add `{name}: …`: {text}"),
        None => format!("add `{name}: …`"),
    }
}
