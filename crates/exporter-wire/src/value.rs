//! Values of the wire (`google.protobuf.Value`): made, and taken apart with bounds.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};

/// Largest whole number a double holds exactly.
const WHOLE: f64 = 9_007_199_254_740_992.0;
/// Longest text of an argument, bytes.
pub const LONGEST_TEXT: usize = 64 * 1024;

/// What Python calls `None`; always said, never left out.
pub fn null() -> Value {
    of(Kind::NullValue(0))
}

/// A truth value.
pub fn flag(yes: bool) -> Value {
    of(Kind::BoolValue(yes))
}

/// A number; what JSON has no number for becomes null, as in Python's encoding.
pub fn number(number: f64) -> Value {
    if number.is_finite() { of(Kind::NumberValue(number)) } else { null() }
}

/// A count of bytes or the like. Beyond 2^53 the wire has no exact number.
pub fn count(count: u64) -> Value {
    #[allow(clippy::cast_precision_loss, reason = "all numbers of the wire are doubles")]
    number(count as f64)
}

/// A text.
pub fn text(text: impl Into<String>) -> Value {
    of(Kind::StringValue(text.into()))
}

/// A text, or null when there is none.
pub fn text_or_null(text: Option<impl Into<String>>) -> Value {
    text.map_or_else(null, self::text)
}

/// A list.
pub fn list(values: impl IntoIterator<Item = Value>) -> Value {
    of(Kind::ListValue(ListValue { values: values.into_iter().collect() }))
}

/// A record of named values.
pub fn record<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    of(Kind::StructValue(Struct { fields }))
}

fn of(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

/// What the value is, in a word, for messages.
pub fn describe(value: &Value) -> &'static str {
    match value.kind {
        None | Some(Kind::NullValue(_)) => "null",
        Some(Kind::NumberValue(_)) => "a number",
        Some(Kind::StringValue(_)) => "text",
        Some(Kind::BoolValue(_)) => "a truth value",
        Some(Kind::StructValue(_)) => "a record",
        Some(Kind::ListValue(_)) => "a list",
    }
}

/// Whether it is null, or nothing was said.
pub fn is_null(value: &Value) -> bool {
    matches!(value.kind, None | Some(Kind::NullValue(_)))
}

/// The text, when it is one.
pub fn as_text(value: &Value) -> Option<&str> {
    match &value.kind {
        Some(Kind::StringValue(text)) => Some(text),
        _ => None,
    }
}

/// The truth value, when it is one.
pub fn as_flag(value: &Value) -> Option<bool> {
    match value.kind {
        Some(Kind::BoolValue(yes)) => Some(yes),
        _ => None,
    }
}

/// A whole number that a double holds exactly: 2.0, but not 2.5, NaN or 1e300.
pub fn as_whole(value: &Value) -> Option<i64> {
    match value.kind {
        Some(Kind::NumberValue(number)) if number.fract() == 0.0 && number.abs() <= WHOLE =>
        {
            #[allow(clippy::cast_possible_truncation, reason = "whole and in range, as just checked")]
            Some(number as i64)
        }
        _ => None,
    }
}

/// The record, when it is one.
pub fn as_record(value: &Value) -> Option<&Struct> {
    match &value.kind {
        Some(Kind::StructValue(record)) => Some(record),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_told_from_everything_else() {
        let raw = |number| of(Kind::NumberValue(number));
        let cases = [
            (raw(2.0), Some(2)),
            (raw(-0.0), Some(0)),
            (raw(WHOLE), Some(1 << 53)),
            (raw(2.5), None),
            (raw(1e300), None),
            (raw(f64::NAN), None),
            (raw(f64::NEG_INFINITY), None),
            (text("2"), None),
            (Value { kind: None }, None),
        ];
        for (value, expected) in cases {
            assert_eq!(as_whole(&value), expected, "{value:?}");
        }
    }

    #[test]
    fn what_has_no_number_is_null_on_the_wire() {
        assert_eq!(number(f64::NAN), null());
        assert_eq!(count(512), number(512.0));
    }
}
