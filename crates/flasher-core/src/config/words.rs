//! YAML values and serde's sentences in the words of a user.

use serde_yaml::Value;

/// How much of a user's text is quoted, characters.
const QUOTED: usize = 60;

/// A key as text; keys that are no text are shown as written.
pub(super) fn key_text(key: &Value) -> String {
    match key {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Null => "null".to_owned(),
        other => describe(other),
    }
}

/// What a value is: `the text `fast``, `a list`.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(value) => format!("the number `{value}`"),
        Value::String(value) => format!("the text `{}`", quoted(value)),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "a mapping".to_owned(),
        Value::Tagged(tagged) => format!("something tagged `{}`", tagged.tag),
    }
}

/// The beginning of a text, on one line.
fn quoted(text: &str) -> String {
    let visible = |char: char| if char.is_control() { ' ' } else { char };
    let mut quoted: String = text.chars().take(QUOTED).map(visible).collect();
    if text.chars().nth(QUOTED).is_some() {
        quoted.push('…');
    }
    quoted
}

/// serde's words for people: `invalid type: string "fast", expected u32` becomes
/// `expected a whole number of at least 0, found the text `fast``.
pub(super) fn humane(text: &str) -> String {
    let split = ["invalid type: ", "invalid value: "]
        .iter()
        .find_map(|start| text.strip_prefix(start)?.rsplit_once(", expected "));
    match split {
        Some((found, expected)) => format!("expected {}, found {}", wanted(expected), got(found)),
        None => text.to_owned(),
    }
}

fn wanted(expected: &str) -> String {
    let largest = match expected {
        "u8" => u64::from(u8::MAX),
        "u16" => u64::from(u16::MAX),
        "u32" => u64::from(u32::MAX),
        "u64" | "usize" => return "a whole number of at least 0".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => return "a whole number".to_owned(),
        "f32" | "f64" => return "a number".to_owned(),
        "a boolean" => return "`true` or `false`".to_owned(),
        "a string" => return "text".to_owned(),
        "a sequence" => return "a list".to_owned(),
        "a map" => return "a mapping".to_owned(),
        other if other.starts_with("struct ") => return "a mapping".to_owned(),
        other => return other.to_owned(),
    };
    format!("a whole number from 0 to {largest}")
}

fn got(found: &str) -> String {
    if let Some(text) = found.strip_prefix("string \"").and_then(|text| text.strip_suffix('"')) {
        return format!("the text `{}`", quoted(text));
    }
    for (serde, ours) in [("integer ", "the number "), ("floating point ", "the number "), ("boolean ", "")] {
        if let Some(value) = found.strip_prefix(serde) {
            return format!("{ours}{value}");
        }
    }
    match found {
        "sequence" => "a list".to_owned(),
        "map" => "a mapping".to_owned(),
        "unit value" | "null" => "nothing".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serdes_sentences_become_ours() {
        let cases = [
            (
                r#"invalid type: string "fast", expected u32"#,
                "expected a whole number from 0 to 4294967295, found the text `fast`",
            ),
            (
                "invalid value: integer `-1`, expected u8",
                "expected a whole number from 0 to 255, found the number `-1`",
            ),
            (
                r#"invalid type: string "a string, expected much", expected f64"#,
                "expected a number, found the text `a string, expected much`",
            ),
            ("invalid type: boolean `true`, expected a string", "expected text, found `true`"),
            ("invalid type: sequence, expected a boolean", "expected `true` or `false`, found a list"),
            ("invalid type: unit value, expected a sequence", "expected a list, found nothing"),
            ("invalid type: map, expected i32", "expected a whole number, found a mapping"),
            ("unknown variant `up`, expected `on` or `off`", "unknown variant `up`, expected `on` or `off`"),
        ];
        for (serde, ours) in cases {
            assert_eq!(humane(serde), ours);
        }
    }

    #[test]
    fn a_quoted_text_is_short_and_on_one_line() {
        let long = format!("two\nlines {}", "x".repeat(100));
        assert_eq!(describe(&Value::String(long)), format!("the text `two lines {}…`", "x".repeat(50)));
    }
}
