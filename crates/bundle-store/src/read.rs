//! From a YAML tree to typed values, collecting every problem instead of stopping at the first.

use flasher_base::suggest::nearest;
use indexmap::IndexMap;
use strict_yaml::{Entries, Position, YamlNode, YamlValue};

use crate::{
    Address, Architecture, Problem, Secret, Warning,
    error::FilePlace,
    words::{listed, quoted},
};

const MOST_UNKNOWN: usize = 50; // per mapping; a file with more is no misspelt manifest

/// All that was found wrong or strange so far.
#[derive(Debug)]
pub(crate) struct Findings {
    /// Names of the files, by the `source` of positions.
    files: Vec<String>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Warning>,
}

impl Findings {
    /// Nothing found yet in `files`, which are named in the order of their `source`.
    pub(crate) fn none_in(files: Vec<String>) -> Findings {
        Findings { files, problems: Vec::new(), warnings: Vec::new() }
    }

    /// Notes that what stands at `path` and `position` cannot be used.
    pub(crate) fn problem(&mut self, position: Position, path: &str, message: impl Into<String>) {
        let file = self.files.get(position.source as usize).cloned().unwrap_or_default();
        let place = Some(FilePlace { file, line: position.line, column: position.column });
        self.problems.push(Problem { place, path: path.into(), message: message.into() });
    }

    fn warning(&mut self, path: String, message: String) {
        self.warnings.push(Warning { path, message });
    }

    /// Notes that `path` has the wrong type. Never shows the value: it may be a password.
    fn wrong_type(&mut self, path: &str, expected: &str, found: &YamlNode) {
        let hint = match found.value {
            YamlValue::Bool(_) | YamlValue::Number(_) if expected == "text" => ": put it in quotes",
            _ => "",
        };
        let message = format!("expected {expected}, found {}{hint}", type_name(&found.value));
        self.problem(found.position, path, message);
    }
}

/// A type that can be read from a YAML tree. `None` means that a problem was noted.
pub(crate) trait Read: Sized {
    /// Reads `node`, which stands at `path`.
    fn read(node: &YamlNode, path: &str, found: &mut Findings) -> Option<Self>;
}

/// A mapping with known keys: hands them out one by one and warns of unknown ones.
#[derive(Debug)]
pub(crate) struct Section<'v, 'f> {
    position: Position,
    mapping: &'v Entries,
    path: String,
    known: Vec<&'static str>,
    silent: Vec<&'static str>,
    found: &'f mut Findings,
}

impl<'v, 'f> Section<'v, 'f> {
    /// `node` as a mapping, or a problem.
    pub(crate) fn open(node: &'v YamlNode, path: &str, found: &'f mut Findings) -> Option<Self> {
        let Some(mapping) = node.mapping() else {
            found.wrong_type(path, "a mapping", node);
            return None;
        };
        let (position, path) = (node.position, path.into());
        Some(Section { position, mapping, path, known: Vec::new(), silent: Vec::new(), found })
    }

    /// The value of a key that must be there.
    pub(crate) fn required<T: Read>(&mut self, key: &'static str) -> Option<T> {
        self.known.push(key);
        let path = self.path_of(key);
        match self.value(key) {
            Some(node) => T::read(node, &path, self.found),
            None => {
                self.found.problem(self.position, &path, "is missing");
                None
            }
        }
    }

    /// The value of a key that may be missing or `null`.
    pub(crate) fn optional<T: Read>(&mut self, key: &'static str) -> Option<T> {
        self.known.push(key);
        let node = self.value(key).filter(|node| !node.is_null())?;
        T::read(node, &self.path_of(key), self.found)
    }

    /// The value of a key, or `default` if the key is missing.
    pub(crate) fn or<T: Read>(&mut self, key: &'static str, default: T) -> T {
        self.known.push(key);
        let path = self.path_of(key);
        self.value(key).and_then(|node| T::read(node, &path, self.found)).unwrap_or(default)
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
        let position = self.value(key).map_or(self.position, |node| node.position);
        self.found.problem(position, &self.path_of(key), message);
    }

    /// Warns of every key that was not asked for.
    pub(crate) fn finish(self) {
        let asked = |key: &&str| self.known.contains(key) || self.silent.contains(key);
        let mut unknown = self.mapping.keys().map(String::as_str).filter(|key| !asked(key));
        let place = if self.path.is_empty() { "the manifest".into() } else { quoted(&self.path) };
        for key in unknown.by_ref().take(MOST_UNKNOWN) {
            let rest = match nearest(key, self.known.iter().copied()) {
                Some(name) => format!(": did you mean `{name}`?"),
                None => format!(" is ignored; known keys: {}", listed(&self.known)),
            };
            self.found.warning(self.path_of(key), format!("unknown key {} in {place}{rest}", quoted(key)));
        }
        if let more @ 1.. = unknown.count() {
            self.found.warning(self.path.clone(), format!("{more} more unknown keys in {place} are ignored"));
        }
    }

    fn value(&self, key: &str) -> Option<&'v YamlNode> {
        self.mapping.get(key).map(|entry| &entry.node)
    }

    fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }
}

impl Read for String {
    fn read(node: &YamlNode, path: &str, found: &mut Findings) -> Option<String> {
        let text = node.text().map(str::to_owned);
        text.or_else(|| {
            found.wrong_type(path, "text", node);
            None
        })
    }
}

impl Read for bool {
    fn read(node: &YamlNode, path: &str, found: &mut Findings) -> Option<bool> {
        if let YamlValue::Bool(value) = node.value {
            return Some(value);
        }
        found.wrong_type(path, "`true` or `false`", node);
        None
    }
}

impl Read for Architecture {
    fn read(node: &YamlNode, path: &str, found: &mut Findings) -> Option<Architecture> {
        let text = String::read(node, path, found)?;
        text.parse().map_err(|fault: String| found.problem(node.position, path, fault)).ok()
    }
}

impl Read for Secret {
    fn read(node: &YamlNode, path: &str, found: &mut Findings) -> Option<Secret> {
        String::read(node, path, found).map(Secret::new)
    }
}

impl Read for Address {
    fn read(node: &YamlNode, path: &str, found: &mut Findings) -> Option<Address> {
        if let YamlValue::Number(number) = &node.value
            && let Some(number) = number.as_u64()
        {
            let address = Address(number);
            let advice = "Jumpstarter's own tools take it only in quotes:";
            found.warning(
                path.into(),
                format!("{} is a number, read as {address}; {advice} \"{address}\"", quoted(path)),
            );
            return Some(address);
        }
        let Some(text) = node.text() else {
            found.wrong_type(path, "an address such as \"0x82000000\"", node);
            return None;
        };
        let address = text.parse();
        let wrong = |fault| found.problem(node.position, path, format!("{fault}, found {}", quoted(text)));
        address.map_err(wrong).ok()
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: &YamlNode, path: &str, found: &mut Findings) -> Option<Vec<T>> {
        let YamlValue::List(items) = &node.value else {
            found.wrong_type(path, "a list", node);
            return None;
        };
        let read = |(index, item)| T::read(item, &format!("{path}[{index}]"), found);
        all(items.iter().enumerate().map(read))
    }
}

impl<T: Read> Read for IndexMap<String, T> {
    fn read(node: &YamlNode, path: &str, found: &mut Findings) -> Option<IndexMap<String, T>> {
        let Some(mapping) = node.mapping() else {
            found.wrong_type(path, "a mapping", node);
            return None;
        };
        let read = |(key, entry): (&String, &strict_yaml::YamlEntry)| {
            Some((key.clone(), T::read(&entry.node, &join(path, key), found)?))
        };
        all(mapping.iter().map(read)).map(|entries: Vec<_>| entries.into_iter().collect())
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

fn type_name(value: &YamlValue) -> &'static str {
    match value {
        YamlValue::Null => "nothing",
        YamlValue::Bool(_) => "`true` or `false`",
        YamlValue::Number(_) => "a number",
        YamlValue::Text(_) => "text",
        YamlValue::List(_) => "a list",
        YamlValue::Mapping(_) => "a mapping",
    }
}
