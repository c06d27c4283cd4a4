//! What a plain scalar is: text, number, `true`, `false` or nothing.

use serde_yaml::Value;

use crate::node::YamlValue;

/// Longest plain scalar that may be a number, bytes.
const LONGEST_NUMBER: usize = 64;

/// The value of a scalar without quotes. `serde_yaml` says which ones are numbers and truth values.
pub(crate) fn plain(text: &str) -> YamlValue {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return YamlValue::Null;
    }
    match number_or_bool(text) {
        Some(Value::Bool(value)) => YamlValue::Bool(value),
        Some(Value::Number(number)) => YamlValue::Number(number),
        _ => YamlValue::Text(text.to_owned()),
    }
}

fn number_or_bool(text: &str) -> Option<Value> {
    let may_begin = |byte: &u8| byte.is_ascii_digit() || b"+-.tTfF".contains(byte);
    let is_candidate = text.len() <= LONGEST_NUMBER && text.as_bytes().first().is_some_and(may_begin);
    is_candidate.then(|| serde_yaml::from_str(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a value of a mapping, plain scalars are what `serde_yaml` makes of them there.
    #[test]
    fn plain_scalars_are_what_serde_yaml_says() {
        let texts = [
            "",
            "~",
            "null",
            "Null",
            "NULL",
            "nULL",
            "true",
            "True",
            "TRUE",
            "tRUE",
            "false",
            "yes",
            "on",
            "0",
            "7",
            "-7",
            "+7",
            "007",
            "0x1F",
            "0o17",
            "0b101",
            "0x",
            "1_000",
            "1.5",
            "-1.5e3",
            ".5",
            "5.",
            "1e3",
            ".inf",
            "-.inf",
            ".nan",
            "1.2.3",
            "18446744073709551615",
            "-9223372036854775808",
            "12:30",
            "2024-01-01",
            "...",
            "---x",
            "true story",
            "1 2",
            "x",
            "<<",
            "=",
        ];
        for text in texts {
            let expected: Value = serde_yaml::from_str::<Value>(&format!("a: {text}")).unwrap()["a"].clone();
            let expected = match expected {
                Value::Null => YamlValue::Null,
                Value::Bool(value) => YamlValue::Bool(value),
                Value::Number(number) => YamlValue::Number(number),
                Value::String(text) => YamlValue::Text(text),
                other => panic!("{other:?}"),
            };
            assert_eq!(format!("{:?}", plain(text)), format!("{expected:?}"), "{text:?}");
        }
        let too_large = "18446744073709551616";
        assert_eq!(
            plain(too_large),
            YamlValue::Text(too_large.to_owned()),
            "serde_yaml has no number for it"
        );
    }
}
