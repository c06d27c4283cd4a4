//! What to write in place of a Python class that a driver of ours does the work of under other keys.

use flasher_core::python::Replacement;
use flasher_core::registry::{self, Counterpart, DriverEntry};
use flasher_core::userinfo::hide_passwords;
use strict_yaml::{YamlNode, YamlValue};

use crate::driver_config::prepare;

/// The lines to write for a node of the Python class `class` with this `config`; none without a driver of ours that does the same.
pub(crate) fn replacement(class: &str, config: &YamlNode) -> Option<Replacement> {
    let (entry, Counterpart { lines, note, .. }) = registry::counterpart(class)?;
    let filled = fill(lines, config);
    // What Python takes and ours does not (a port called `a`, which means all) gives way to the example.
    let lines = if is_config_of(entry, &filled) { filled } else { fill(lines, &YamlNode::default()) };
    Some(Replacement { lines, note })
}

/// Whether the driver takes these lines.
fn is_config_of(entry: &DriverEntry, lines: &str) -> bool {
    let Ok(node) = strict_yaml::parse(lines) else { return false };
    let config = node.get("config").cloned().unwrap_or_default();
    prepare(entry, &config).is_ok()
}

fn fill(lines: &str, config: &YamlNode) -> String {
    let filled = lines.lines().filter_map(|line| fill_line(line, config));
    filled.map(|line| line + "\n").collect()
}

/// One line with its values; none when it wants one that is missing.
fn fill_line(line: &str, config: &YamlNode) -> Option<String> {
    let mut filled = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        let (wanted, after) = after.split_once('}')?;
        let (key, default) = match wanted.split_once('|') {
            Some((key, default)) => (key, Some(default.to_owned())),
            None => (wanted, None),
        };
        filled.push_str(before);
        filled.push_str(&value(config, key).or(default)?);
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

/// The value under a dotted key, as it stands between quotes or bare.
fn value(config: &YamlNode, key: &str) -> Option<String> {
    let node = key.split('.').try_fold(config, |node, key| node.get(key))?;
    match &node.value {
        YamlValue::Bool(value) => Some(value.to_string()),
        YamlValue::Number(number) => Some(number.to_string()),
        YamlValue::Text(text) => {
            let quoted = serde_json::Value::from(hide_passwords(text)).to_string();
            Some(quoted[1..quoted.len() - 1].to_owned())
        }
        YamlValue::Null | YamlValue::List(_) | YamlValue::Mapping(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_values_or_goes() {
        let config =
            strict_yaml::parse("port: '2'\nhub: A\"B\npower: { url: 'http://u:secret@h/' }\nlist: [1]\n");
        let config = config.unwrap();
        let cases = [
            ("port: {port}", Some("port: 2")),
            ("hub: \"{hub}\"", Some("hub: \"A\\\"B\"")),
            ("oid: \"{oid|1.3}.{port}\"", Some("oid: \"1.3.2\"")),
            ("on: \"{power.url}\"", Some("on: \"http://***@h/\"")),
            ("body: \"{power.data}\"", None),
            ("list: {list}", None),
            ("preset: ykush", Some("preset: ykush")),
        ];
        for (line, expected) in cases {
            assert_eq!(fill_line(line, &config).as_deref(), expected, "{line}");
        }
    }
}
