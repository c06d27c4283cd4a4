//! From a YAML tree to typed values, collecting every problem instead of stopping at the first.

use indexmap::IndexMap;
use serde_yaml::{Mapping, Value};

use crate::{
    Address, Architecture, Problem, Secret, Warning,
    suggest::{closest, listed, quoted},
};

const MOST_UNKNOWN: usize = 50; // per mapping; a file with more is no misspelt manifest

/// All that was found wrong or strange so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Warning>,
}

impl Findings {
    /// Notes that what stands at `path` cannot be used.
    pub(crate) fn problem(&mut self, path: &str, message: impl Into<String>) {
        self.problems.push(Problem { path: path.into(), message: message.into() });
    }

    fn warning(&mut self, path: String, message: String) {
        self.warnings.push(Warning { path, message });
    }

    /// Notes that `path` has the wrong type. Never shows the value: it may be a password.
    fn wrong_type(&mut self, path: &str, expected: &str, found: &Value) {
        let hint = match found {
            Value::Bool(_) | Value::Number(_) if expected == "text" => ": put it in quotes",
            _ => "",
        };
        self.problem(path, format!("expected {expected}, found {}{hint}", type_name(found)));
    }
}

/// A type that can be read from a YAML tree. `None` means that a problem was noted.
pub(crate) trait Read: Sized {
    /// Reads `value`, which stands at `path`.
    fn read(value: &Value, path: &str, found: &mut Findings) -> Option<Self>;
}

/// A mapping with known keys: hands them out one by one and warns of unknown ones.
#[derive(Debug)]
pub(crate) struct Section<'v, 'f> {
    mapping: &'v Mapping,
    path: String,
    known: Vec<&'static str>,
    silent: Vec<&'static str>,
    found: &'f mut Findings,
}

impl<'v, 'f> Section<'v, 'f> {
    /// `value` as a mapping, or a problem.
    pub(crate) fn open(value: &'v Value, path: &str, found: &'f mut Findings) -> Option<Self> {
        let Value::Mapping(mapping) = value else {
            found.wrong_type(path, "a mapping", value);
            return None;
        };
        Some(Section { mapping, path: path.into(), known: Vec::new(), silent: Vec::new(), found })
    }

    /// The value of a key that must be there.
    pub(crate) fn required<T: Read>(&mut self, key: &'static str) -> Option<T> {
        self.known.push(key);
        let path = self.path_of(key);
        match self.mapping.get(key) {
            Some(value) => T::read(value, &path, self.found),
            None => {
                self.found.problem(&path, "is missing");
                None
            }
        }
    }

    /// The value of a key that may be missing or `null`.
    pub(crate) fn optional<T: Read>(&mut self, key: &'static str) -> Option<T> {
        self.known.push(key);
        let value = self.mapping.get(key).filter(|value| !value.is_null())?;
        T::read(value, &self.path_of(key), self.found)
    }

    /// The value of a key, or `default` if the key is missing.
    pub(crate) fn or<T: Read>(&mut self, key: &'static str, default: T) -> T {
        self.known.push(key);
        let path = self.path_of(key);
        self.mapping.get(key).and_then(|value| T::read(value, &path, self.found)).unwrap_or(default)
    }

    /// A key that published manifests have and no code reads: no warning.
    pub(crate) fn ignored(&mut self, key: &'static str) {
        self.silent.push(key);
    }

    /// Whether a problem was noted since the manifest began.
    pub(crate) fn has_problems(&self) -> bool {
        !self.found.problems.is_empty()
    }

    /// Notes a problem of one key.
    pub(crate) fn problem(&mut self, key: &str, message: String) {
        self.found.problem(&self.path_of(key), message);
    }

    /// Warns of every key that was not asked for.
    pub(crate) fn finish(self) {
        let asked = |key: &&str| self.known.contains(key) || self.silent.contains(key);
        let mut unknown = self.mapping.keys().filter_map(Value::as_str).filter(|key| !asked(key));
        let place = if self.path.is_empty() { "the manifest".into() } else { quoted(&self.path) };
        for key in unknown.by_ref().take(MOST_UNKNOWN) {
            let rest = match closest(key, self.known.iter().copied()) {
                Some(name) => format!(": did you mean `{name}`?"),
                None => format!(" is ignored; known keys: {}", listed(&self.known)),
            };
            self.found.warning(self.path_of(key), format!("unknown key {} in {place}{rest}", quoted(key)));
        }
        if let more @ 1.. = unknown.count() {
            self.found.warning(self.path.clone(), format!("{more} more unknown keys in {place} are ignored"));
        }
    }

    fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }
}

impl Read for String {
    fn read(value: &Value, path: &str, found: &mut Findings) -> Option<String> {
        let text = value.as_str().map(str::to_owned);
        text.or_else(|| {
            found.wrong_type(path, "text", value);
            None
        })
    }
}

impl Read for bool {
    fn read(value: &Value, path: &str, found: &mut Findings) -> Option<bool> {
        value.as_bool().or_else(|| {
            found.wrong_type(path, "`true` or `false`", value);
            None
        })
    }
}

impl Read for Architecture {
    fn read(value: &Value, path: &str, found: &mut Findings) -> Option<Architecture> {
        let text = String::read(value, path, found)?;
        text.parse().map_err(|fault: String| found.problem(path, fault)).ok()
    }
}

impl Read for Secret {
    fn read(value: &Value, path: &str, found: &mut Findings) -> Option<Secret> {
        String::read(value, path, found).map(Secret::new)
    }
}

impl Read for Address {
    fn read(value: &Value, path: &str, found: &mut Findings) -> Option<Address> {
        if let Some(number) = value.as_u64() {
            let address = Address(number);
            let advice = "Jumpstarter's own tools take it only in quotes:";
            found.warning(
                path.into(),
                format!("{} is a number, read as {address}; {advice} \"{address}\"", quoted(path)),
            );
            return Some(address);
        }
        let Some(text) = value.as_str() else {
            found.wrong_type(path, "an address such as \"0x82000000\"", value);
            return None;
        };
        let address = text.parse();
        address.map_err(|fault| found.problem(path, format!("{fault}, found {}", quoted(text)))).ok()
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: &Value, path: &str, found: &mut Findings) -> Option<Vec<T>> {
        let Value::Sequence(items) = value else {
            found.wrong_type(path, "a list", value);
            return None;
        };
        let read = |(index, item)| T::read(item, &format!("{path}[{index}]"), found);
        all(items.iter().enumerate().map(read))
    }
}

impl<T: Read> Read for IndexMap<String, T> {
    fn read(value: &Value, path: &str, found: &mut Findings) -> Option<IndexMap<String, T>> {
        let Value::Mapping(mapping) = value else {
            found.wrong_type(path, "a mapping", value);
            return None;
        };
        let entries = mapping.iter().filter_map(|(key, item)| Some((key.as_str()?, item)));
        let read = |(key, item)| Some((String::from(key), T::read(item, &join(path, key), found)?));
        all(entries.map(read)).map(|entries: Vec<_>| entries.into_iter().collect())
    }
}

/// Every item if each of them is there; all of them are read even when one is not.
fn all<T>(items: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let items: Vec<_> = items.collect();
    items.into_iter().collect()
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "`true` or `false`",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
        Value::Tagged(_) => "a tagged value",
    }
}
