//! A JSON Schema as tables: a section for each type, a row for each key.

use serde_json::{Map, Value};

/// The type itself, then all that it refers to, by name.
pub(crate) fn tables(schema: &Value) -> String {
    let mut text = body(schema);
    let empty = Map::new();
    for (name, of) in schema["$defs"].as_object().unwrap_or(&empty) {
        text.push_str(&format!("\n## {name}\n\n{}", body(of)));
    }
    text
}

/// What a type is: its description, and its keys, values or kinds.
fn body(of: &Value) -> String {
    let about = of["description"].as_str().map_or(String::new(), |it| format!("{}\n\n", plain(it)));
    let kinds = of["oneOf"].as_array().or(of["anyOf"].as_array());
    let parts = [
        kinds.map(|kinds| alternatives(kinds)),
        of["properties"].as_object().map(|keys| rows(keys, &required(of))),
        (kinds.is_none() && of["properties"].is_null()).then(|| format!("{}.\n", capital(&kind(of)))),
    ];
    about + &parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// Values, or objects with a key that says which they are, or anything else that is one of several.
fn alternatives(kinds: &[Value]) -> String {
    if kinds.iter().all(|it| it["const"].is_string() || it["enum"].is_array()) {
        let values = kinds.iter().map(|it| format!("| {} | {} |\n", kind(it), about(it)));
        return format!("| value | meaning |\n|---|---|\n{}", values.collect::<String>());
    }
    if kinds.iter().all(|it| tag(it).is_some()) {
        return kinds.iter().map(tagged).collect::<Vec<_>>().join("\n");
    }
    let lines = kinds.iter().map(|it| match about(it) {
        about if about.is_empty() => format!("* {}\n", kind(it)),
        about => format!("* {}: {about}\n", kind(it)),
    });
    format!("One of:\n\n{}", lines.collect::<String>())
}

/// The key whose value is fixed, and that value.
fn tag(of: &Value) -> Option<(&str, &str)> {
    let keys = of["properties"].as_object()?;
    keys.iter().find_map(|(key, value)| Some((key.as_str(), value["const"].as_str()?)))
}

fn tagged(of: &Value) -> String {
    let Some((key, value)) = tag(of) else { return String::new() };
    let mut keys = of["properties"].as_object().cloned().unwrap_or_default();
    keys.remove(key);
    let table = if keys.is_empty() { String::new() } else { format!("\n{}", rows(&keys, &required(of))) };
    format!("**`{key}: {value}`** {}\n{table}", about(of))
}

fn required(of: &Value) -> Vec<&str> {
    of["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn rows(keys: &Map<String, Value>, required: &[&str]) -> String {
    let row = |(key, of): (&String, &Value)| {
        let must = if required.contains(&key.as_str()) { "yes" } else { "" };
        let default = match &of["default"] {
            Value::Null => String::new(),
            Value::Object(_) => "its own defaults".to_owned(),
            value => format!("`{value}`"),
        };
        format!("| `{key}` | {} | {must} | {default} | {} |\n", kind(of), about(of))
    };
    let rows = keys.iter().map(row).collect::<String>();
    format!("| key | value | required | default | meaning |\n|---|---|---|---|---|\n{rows}")
}

/// What a value is, in a few words.
fn kind(of: &Value) -> String {
    if let Some(name) = of["$ref"].as_str().and_then(|it| it.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(value) = of["const"].as_str() {
        return format!("`{value}`");
    }
    if let Some(values) = of["enum"].as_array() {
        return joined(values.iter().map(|it| format!("`{}`", it.as_str().unwrap_or_default())));
    }
    if let Some(kinds) = of["anyOf"].as_array().or(of["oneOf"].as_array()) {
        return joined(kinds.iter().map(kind));
    }
    match &of["type"] {
        Value::String(name) => named(name, of),
        Value::Array(names) => joined(names.iter().filter_map(Value::as_str).map(|it| named(it, of))),
        _ => "anything".to_owned(),
    }
}

/// A type of JSON by its name, in plain words.
fn named(name: &str, of: &Value) -> String {
    match name {
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "array" => format!("list of: {}", kind(&of["items"])),
        "object" if of["additionalProperties"].is_object() => {
            format!("mapping of names to: {}", kind(&of["additionalProperties"]))
        }
        "object" => match of["properties"].as_object() {
            Some(keys) => format!("mapping with {}", joined(keys.keys().map(|it| format!("`{it}`")))),
            None => "mapping".to_owned(),
        },
        other => other.to_owned(),
    }
}

/// Alternatives in a row; `null` stands for a key that is left out.
fn joined(kinds: impl Iterator<Item = String>) -> String {
    kinds.filter(|it| it != "null").collect::<Vec<_>>().join(" or ")
}

fn about(of: &Value) -> String {
    of["description"].as_str().map(plain).unwrap_or_default().replace('|', "\\|")
}

/// A description on one line, without the links that only the documentation of the code has.
fn plain(text: &str) -> String {
    let text = text.replace("[`", "`").replace("`]", "`");
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('<', "&lt;")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

#[test]
fn a_key_is_a_row_and_a_type_a_section() {
    let schema = serde_json::json!({
        "description": "A box.",
        "properties": {
            "size": { "type": ["integer", "null"], "description": "How large.", "default": 3 },
            "colour": { "$ref": "#/$defs/Colour" },
        },
        "required": ["colour"],
        "$defs": { "Colour": { "oneOf": [{ "const": "red", "description": "As blood." }] } },
    });
    let expected = "A box.\n\n\
        | key | value | required | default | meaning |\n|---|---|---|---|---|\n\
        | `colour` | [Colour](#colour) | yes |  |  |\n\
        | `size` | whole number |  | `3` | How large. |\n\
        \n## Colour\n\n| value | meaning |\n|---|---|\n| `red` | As blood. |\n";
    assert_eq!(tables(&schema), expected);
}
