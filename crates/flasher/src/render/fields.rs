//! The fields of a config, out of its JSON Schema.

use serde_json::Value;

use super::paint::Paint;

/// One field for people.
#[derive(Debug, PartialEq, Eq)]
struct Field {
    name: String,
    /// `text`, `number, default 2`, …
    kind: String,
    description: String,
}

/// One paragraph for each field of the object `schema`, fields of objects below as `outer.inner`. Ends with a newline
/// unless there is no field.
pub(crate) fn fields(schema: &Value, paint: Paint) -> String {
    let mut found = Vec::new();
    collect(schema, schema, "", &mut found);
    let text = |field: &Field| {
        let head = format!("  {}  {}\n", paint.bold(&field.name), paint.dim(&field.kind));
        let lines = field.description.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.fold(head, |text, line| format!("{text}      {line}\n"))
    };
    found.iter().map(text).collect()
}

fn collect(root: &Value, schema: &Value, prefix: &str, found: &mut Vec<Field>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, field) in properties {
        let inner = resolved(root, field);
        let name_below = format!("{prefix}{name}");
        let is_object = inner.get("properties").is_some();
        if !is_object {
            let kind = format!(
                "{}{}",
                kind(root, inner),
                presence(field, required.contains(&name.as_str()), prefix)
            );
            let description = [field, inner].iter().find_map(|it| it.get("description")?.as_str());
            let description = description.unwrap_or_default().to_owned();
            found.push(Field { name: name_below, kind, description });
        } else if prefix.matches('.').count() < 4 {
            collect(root, inner, &format!("{name_below}."), found);
        }
    }
}

/// The schema behind a reference or an optional wrapper.
fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let pointed =
        schema.get("$ref").and_then(Value::as_str).and_then(|it| root.pointer(it.strip_prefix('#')?));
    if let Some(target) = pointed {
        return target;
    }
    let options = schema.get("anyOf").and_then(Value::as_array);
    let real: Vec<&Value> = options.into_iter().flatten().filter(|option| !is_null(option)).collect();
    match real.as_slice() {
        [only] => resolved(root, only),
        _ => schema,
    }
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

fn kind(root: &Value, schema: &Value) -> String {
    for (key, combine) in [("enum", false), ("anyOf", true), ("oneOf", true)] {
        let Some(options) = schema.get(key).and_then(Value::as_array) else { continue };
        let words = options.iter().filter(|option| !is_null(option));
        let words =
            words.map(|option| if combine { kind(root, resolved(root, option)) } else { literal(option) });
        return words.collect::<Vec<_>>().join(" or ");
    }
    if let Some(only) = schema.get("const") {
        return literal(only);
    }
    match schema.get("type") {
        Some(Value::String(name)) => word(root, name, schema),
        Some(Value::Array(names)) => {
            let names = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
            names.map(|name| word(root, name, schema)).collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".to_owned(),
    }
}

fn word(root: &Value, name: &str, schema: &Value) -> String {
    match name {
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => {
            let items = schema.get("items").map(|items| kind(root, resolved(root, items)));
            format!("list of {}", items.unwrap_or_else(|| "anything".to_owned()))
        }
        "object" => "mapping".to_owned(),
        other => other.to_owned(),
    }
}

fn presence(field: &Value, required: bool, prefix: &str) -> String {
    match field.get("default") {
        _ if required && prefix.is_empty() => ", required".to_owned(),
        _ if required => format!(", required in `{}`", prefix.trim_end_matches('.')),
        None | Some(Value::Null) => String::new(),
        Some(default) => format!(", default {}", literal(default)),
    }
}

fn literal(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("`{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::JsonSchema;

    /// Config of a test.
    #[derive(serde::Deserialize, JsonSchema)]
    #[allow(dead_code, reason = "only its schema is looked at")]
    struct Config {
        /// Device path or URL.
        url: String,
        /// Bits per second.
        #[serde(default = "fast")]
        baudrate: u32,
        /// Pace.
        cps: Option<f64>,
        /// Ways.
        #[serde(default)]
        ways: Vec<Way>,
        /// Network.
        network: Option<Network>,
    }

    #[derive(serde::Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    #[allow(dead_code, reason = "only its schema is looked at")]
    enum Way {
        In,
        Out,
    }

    /// A fixed address.
    #[derive(serde::Deserialize, JsonSchema)]
    #[allow(dead_code, reason = "only its schema is looked at")]
    struct Network {
        /// The board's address.
        address: String,
    }

    fn fast() -> u32 {
        115_200
    }

    #[test]
    fn every_field_has_its_type_default_and_description() {
        let schema = schemars::schema_for!(Config).to_value();
        insta::assert_snapshot!(fields(&schema, Paint::plain()), @r#"
        baudrate  whole number, default 115200
            Bits per second.
        cps  number
            Pace.
        network.address  text, required in `network`
            The board's address.
        url  text, required
            Device path or URL.
        ways  list of `in` or `out`
            Ways.
        "#);
    }
}
