//! A part of a YAML file, parsed into a type with every problem reported, not only the first.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value as Schema;
use serde_path_to_error::Segment;
use serde_yaml::{Mapping, Value};

use super::shape::Shape;
use super::words::{describe, humane, key_text};
use crate::error::Error;

/// How often a wrong value is taken out to look for the next one.
const MOST_PROBLEMS: usize = 50;

/// Something wrong at a path below the section it was found in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(crate) path: Vec<String>,
    pub(crate) at_key: bool,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// The accepted key that an unknown one is probably meant to be.
    meant: Option<String>,
}

impl Problem {
    /// A problem with a value.
    pub(crate) fn value(path: &[String], message: impl Into<String>) -> Self {
        Self { path: path.to_vec(), at_key: false, message: message.into(), help: None, meant: None }
    }

    /// A problem with a key, or with something missing below it.
    pub(crate) fn key(path: &[String], message: impl Into<String>) -> Self {
        Self { at_key: true, ..Self::value(path, message) }
    }

    /// An error of a driver about the config at `path`; its context `key` says which key of it.
    pub(crate) fn of(path: &[String], error: &Error) -> Self {
        let key = error.context().iter().find(|(name, _)| *name == "key");
        let problem = match key {
            Some((_, key)) => {
                let path: Vec<String> =
                    path.iter().cloned().chain(key.split('.').map(str::to_owned)).collect();
                Self::value(&path, error.cause())
            }
            None => Self::key(path, error.cause()),
        };
        match error.next_step() {
            Some(help) => problem.help(help),
            None => problem,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Suggests the accepted word that was probably meant.
    pub(crate) fn meant(mut self, word: &str) -> Self {
        self.meant = Some(word.to_owned());
        self.help(format!("did you mean `{word}`?"))
    }

    /// Whether this is a misspelt key of the mapping at `path` that is meant to be `name`: then `name` is not missing.
    pub(crate) fn means(&self, path: &[String], name: &str) -> bool {
        self.meant.as_deref() == Some(name)
            && self.path.split_last().is_some_and(|(_, parents)| parents == path)
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
            let message = format!("expected a mapping, found {}", describe(&self.0));
            return Err(vec![
                Problem::value(&[], message).help("give lines of `key: value`, or leave it out"),
            ]);
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
    let mut taken = Vec::new();
    for _ in 0..MOST_PROBLEMS {
        let error = match serde_path_to_error::deserialize(value.clone()) {
            Ok(parsed) => return Some(parsed),
            Err(error) => error,
        };
        let path: Vec<String> = error.path().iter().map(part).collect();
        let text = error.inner().to_string();
        if text.starts_with("missing field") && !problems.is_empty() {
            return None;
        }
        let written = as_written(&path, &taken);
        problems.push(Problem::value(&written, humane(&text)));
        if path.is_empty() || !take_out(&mut value, &path) {
            return None;
        }
        taken.push(written);
    }
    None
}

fn part(segment: &Segment) -> String {
    match segment {
        Segment::Seq { index } => index.to_string(),
        other => other.to_string(),
    }
}

/// The path as it is in the file: an item of a list moves up when one before it is taken out.
fn as_written(path: &[String], taken: &[Vec<String>]) -> Vec<String> {
    let mut written = Vec::with_capacity(path.len());
    for part in path {
        let Ok(mut index) = part.parse::<usize>() else {
            written.push(part.clone());
            continue;
        };
        let mut gone: Vec<usize> = taken.iter().filter_map(|taken| last_below(taken, &written)).collect();
        gone.sort_unstable();
        gone.iter().for_each(|gone| index += usize::from(*gone <= index));
        written.push(index.to_string());
    }
    written
}

/// The index of a list item whose list is at `parents`.
fn last_below(item: &[String], parents: &[String]) -> Option<usize> {
    let (last, above) = item.split_last()?;
    (above == parents).then(|| last.parse().ok()).flatten()
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
