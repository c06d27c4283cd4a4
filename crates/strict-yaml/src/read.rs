//! A tree read into a type, with every problem reported.

use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde_json::Value as Schema;

use crate::deserialize::{TypedReading, YamlReader};
use crate::node::{Entries, YamlNode, YamlValue};
use crate::problem::Problem;
use crate::schema_keys::{self, WrongKeys};

/// How many wrong values are looked for.
const MOST_WRONG_VALUES: usize = 50;

/// Reads `node` into a type whose JSON Schema is `schema`. Nothing counts as an empty mapping.
///
/// # Errors
/// Every unknown key, every missing key and every value that the type refuses; paths begin at `node`.
pub fn read<T: DeserializeOwned>(node: &YamlNode, schema: &Schema) -> Result<T, Vec<Problem>> {
    read_with(node, schema, |reader| T::deserialize(reader))
}

/// As [`read()`], for a type that only `parse` knows.
///
/// serde stops at the first value that a type refuses. So that all are reported, that value is left out and the others are
/// read again; what a type lacks because of it is not reported.
///
/// # Errors
/// As [`read()`].
pub fn read_with<T, E: Display>(
    node: &YamlNode,
    schema: &Schema,
    parse: impl Fn(YamlReader<'_>) -> Result<T, E>,
) -> Result<T, Vec<Problem>> {
    let empty = YamlNode { position: node.position, value: YamlValue::Mapping(Entries::new()) };
    let node = if node.is_null() { &empty } else { node };
    let Some(entries) = node.mapping() else {
        let message = format!("expected a mapping, found {}", node.describe());
        return Err(vec![Problem::value(&[], message).help("give lines of `key: value`, or leave it out")]);
    };
    let WrongKeys { mut problems, unknown: mut left_out, incomplete } = schema_keys::check(entries, schema);
    for _ in 0..MOST_WRONG_VALUES {
        let reading = TypedReading::new(node, &left_out);
        let refused = match parse(reading.reader()) {
            Ok(read) if problems.is_empty() => return Ok(read),
            Ok(_) => break,
            Err(error) => error.to_string(),
        };
        let problem = reading.into_refused().unwrap_or_else(|| Problem::value(&[], refused));
        let path = problem.path.clone();
        let follows = incomplete.contains(&path) || left_out.iter().any(|it| is_directly_below(it, &path));
        if !follows {
            problems.push(problem);
        }
        if path.is_empty() {
            break;
        }
        left_out.insert(path);
    }
    Err(problems)
}

fn is_directly_below(path: &[String], parents: &[String]) -> bool {
    path.split_last().is_some_and(|(_, above)| above == parents)
}

#[cfg(test)]
mod tests;
