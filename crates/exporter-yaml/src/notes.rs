//! What a file says of a node for people: `description` and `methods_description`.

use std::collections::BTreeMap;

use flasher_core::tree::Notes;
use strict_yaml::{Problem, YamlNode};

use crate::path::below;

/// Reads what the mapping of a node, at `path` in the file, says about it.
pub(crate) fn read(section: &YamlNode, path: &[String], problems: &mut Vec<Problem>) -> Notes {
    Notes { description: description(section, path, problems), methods: methods(section, path, problems) }
}

/// `description` of the mapping at `path`; none when it is empty.
pub(crate) fn description(
    section: &YamlNode,
    path: &[String],
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let value = section.get("description").filter(|value| !value.is_null())?;
    text(value, &below(path, "description"), problems).filter(|text| !text.is_empty())
}

fn methods(section: &YamlNode, path: &[String], problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
    let Some(value) = section.get("methods_description").filter(|value| !value.is_null()) else {
        return BTreeMap::new();
    };
    let path = below(path, "methods_description");
    let Some(entries) = value.entries() else {
        let message = format!("expected a mapping of commands to texts, found {}", value.describe());
        problems.push(Problem::value(&path, message));
        return BTreeMap::new();
    };
    let entry = |(name, value): (&str, &YamlNode)| {
        Some((name.to_owned(), text(value, &below(&path, name), problems)?))
    };
    entries.into_iter().filter_map(entry).collect()
}

/// The text of a text.
pub(crate) fn text(value: &YamlNode, path: &[String], problems: &mut Vec<Problem>) -> Option<String> {
    let text = value.text().map(str::to_owned);
    if text.is_none() {
        problems.push(Problem::value(path, format!("expected text, found {}", value.describe())));
    }
    text
}
