//! A part of a YAML file, parsed into a type with every problem reported, not only the first.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value as Schema;
use serde_yaml::{Mapping, Value};

use crate::suggest;

/// How often a wrong value is taken out to look for the next one.
const MOST_PROBLEMS: usize = 50;

/// Something wrong at a path below the section it was found in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(crate) path: Vec<String>,
    pub(crate) at_key: bool,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Problem {
    /// A problem with a value.
    pub(crate) fn value(path: &[String], message: impl Into<String>) -> Self {
        Self { path: path.to_vec(), at_key: false, message: message.into(), help: None }
    }

    /// A problem with a key, or with something missing below it.
    pub(crate) fn key(path: &[String], message: impl Into<String>) -> Self {
        Self { at_key: true, ..Self::value(path, message) }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same problem seen from further up.
    pub(crate) fn below(mut self, prefix: &[String]) -> Self {
        self.path = prefix.iter().cloned().chain(self.path).collect();
        self
    }
}

/// A YAML value that no other module looks into.
#[derive(Clone, Debug, Default)]
pub struct Section(Value);

impl Section {
    pub(crate) fn new(value: Value) -> Self {
        Self(value)
    }

    /// A section out of JSON, for config made by a program.
    pub fn from_json(json: &serde_json::Value) -> Self {
        Self(serde_yaml::to_value(json).unwrap_or_default())
    }

    pub(crate) fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// The text of a string value.
    pub(crate) fn text(&self) -> Option<&str> {
        self.0.as_str()
    }

    /// What this is, for messages.
    pub(crate) fn describe(&self) -> String {
        describe(&self.0)
    }

    /// Keys and values of a mapping, in order; null counts as an empty one. None for anything else.
    pub(crate) fn entries(&self) -> Option<Vec<(String, Section)>> {
        match &self.0 {
            Value::Null => Some(Vec::new()),
            Value::Mapping(map) => {
                Some(map.iter().map(|(key, value)| (key_text(key), Self(value.clone()))).collect())
            }
            _ => None,
        }
    }

    /// The value under `key` of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<Section> {
        self.0.get(key).cloned().map(Self)
    }

    /// The same mapping with `key` set, unless it is there already.
    pub(crate) fn with_default(mut self, key: &str, value: &str) -> Self {
        if self.0.is_null() {
            self.0 = Value::Mapping(Mapping::new());
        }
        if let Value::Mapping(map) = &mut self.0 {
            map.entry(key.into()).or_insert_with(|| value.into());
        }
        self
    }

    /// The same mapping without `keys`.
    pub(crate) fn without(mut self, keys: &[&str]) -> Self {
        if let Value::Mapping(map) = &mut self.0 {
            keys.iter().for_each(|key| {
                map.shift_remove(*key);
            });
        }
        self
    }

    /// Parses into `T`, whose JSON Schema is `schema`.
    ///
    /// # Errors
    /// Every unknown key, missing key and value of a wrong type.
    pub fn parse<T: DeserializeOwned + JsonSchema>(&self, schema: &Schema) -> Result<T, Vec<Problem>> {
        let mut value = self.0.clone();
        if value.is_null() {
            value = Value::Mapping(Mapping::new());
        }
        let Value::Mapping(map) = &mut value else {
            return Err(vec![Problem::value(
                &[],
                format!("expected a mapping, found {}", describe(&self.0)),
            )]);
        };
        let mut problems = Vec::new();
        Shape { root: schema }.check(schema, map, &mut Vec::new(), &mut problems);
        let parsed = peel(value, &mut problems);
        match parsed {
            Some(parsed) if problems.is_empty() => Ok(parsed),
            _ => Err(problems),
        }
    }
}

/// Deserialises; a value of a wrong type is noted, taken out, and the rest looked at again.
fn peel<T: DeserializeOwned>(mut value: Value, problems: &mut Vec<Problem>) -> Option<T> {
    for _ in 0..MOST_PROBLEMS {
        let error = match serde_path_to_error::deserialize(value.clone()) {
            Ok(parsed) => return Some(parsed),
            Err(error) => error,
        };
        let path: Vec<String> = error.path().iter().map(ToString::to_string).collect();
        let text = error.inner().to_string();
        if text.starts_with("missing field") && !problems.is_empty() {
            return None;
        }
        problems.push(Problem::value(&path, humane(&text)));
        if path.is_empty() || !take_out(&mut value, &path) {
            return None;
        }
    }
    None
}

fn take_out(value: &mut Value, path: &[String]) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    let mut here = value;
    for part in parents {
        let next = match here {
            Value::Sequence(items) => part.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
            other => other.get_mut(part.as_str()),
        };
        let Some(next) = next else { return false };
        here = next;
    }
    match here {
        Value::Mapping(map) => map.shift_remove(last.as_str()).is_some(),
        Value::Sequence(items) => last
            .parse::<usize>()
            .ok()
            .filter(|index| *index < items.len())
            .map(|index| items.remove(index))
            .is_some(),
        _ => false,
    }
}

/// Looks for unknown and missing keys by a JSON Schema, and takes the unknown ones out.
struct Shape<'s> {
    root: &'s Schema,
}

impl Shape<'_> {
    fn check(&self, schema: &Schema, map: &mut Mapping, path: &mut Vec<String>, problems: &mut Vec<Problem>) {
        let Some(known) = schema.get("properties").and_then(Schema::as_object) else { return };
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        if schema.get("additionalProperties") == Some(&Schema::Bool(false)) {
            refuse_unknown(&names, map, path, problems);
        }
        let required = schema.get("required").and_then(Schema::as_array).into_iter().flatten();
        for name in required.filter_map(Schema::as_str).filter(|name| !map.contains_key(*name)) {
            problems
                .push(Problem::key(path, format!("the key `{name}` is missing")).help(about(known, name)));
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
    let unknown: Vec<String> =
        map.keys().map(key_text).filter(|key| !names.contains(&key.as_str())).collect();
    for key in unknown {
        map.shift_remove(key.as_str());
        problems.push(unknown_key(path, &key, names));
    }
}

/// The problem of a key that nobody knows, with the nearest known one.
pub(crate) fn unknown_key(path: &[String], key: &str, accepted: &[&str]) -> Problem {
    let path: Vec<String> = path.iter().cloned().chain([key.to_owned()]).collect();
    let help = match suggest::nearest(key, accepted.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None if accepted.is_empty() => "nothing is accepted here".to_owned(),
        None => format!("accepted here: {}", suggest::list(accepted.iter().copied())),
    };
    Problem::key(&path, format!("unknown key `{key}`")).help(help)
}

fn about(known: &serde_json::Map<String, Schema>, name: &str) -> String {
    let text = known.get(name).and_then(|schema| schema.get("description")).and_then(Schema::as_str);
    format!("{name}: {}", text.unwrap_or("required").lines().next().unwrap_or_default())
}

fn key_text(key: &Value) -> String {
    key.as_str().map_or_else(|| describe(key), str::to_owned)
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(value) => format!("the number `{value}`"),
        Value::String(value) => format!("the text `{}`", value.chars().take(60).collect::<String>()),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "a mapping".to_owned(),
        Value::Tagged(tagged) => format!("something tagged `{}`", tagged.tag),
    }
}

/// serde's words for people: `invalid type: string "fast", expected u32` becomes
/// `expected a whole number, found text "fast"`.
fn humane(text: &str) -> String {
    let Some((found, expected)) = ["invalid type: ", "invalid value: "]
        .iter()
        .find_map(|start| text.strip_prefix(start)?.split_once(", expected "))
    else {
        return text.to_owned();
    };
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" => "a whole number in range",
        "f32" | "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a string" => "text",
        other => other,
    };
    let found = found.replace("string", "text").replace("integer", "number").replace("unit value", "nothing");
    format!("expected {expected}, found {found}")
}
