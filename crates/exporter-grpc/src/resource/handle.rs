//! What a client gives in place of data.

use prost_types::Value;
use uuid::Uuid;

use super::Presigned;
use crate::failure::{CallFailure, CallResult};
use crate::value;

/// What a client gives as a handle.
#[derive(Clone, Debug)]
pub(crate) enum Handle {
    /// A stream that is open already.
    Stream(Uuid),
    /// A request to make.
    Presigned(Box<Presigned>),
}

impl Handle {
    /// Reads a handle off the wire.
    pub(crate) fn parse(value: &Value) -> CallResult<Self> {
        let fields = &value::as_record(value).ok_or_else(|| wrong("a record with `kind`"))?.fields;
        let text = |key: &str| fields.get(key).and_then(value::as_text);
        match text("kind") {
            Some("client_stream") => {
                let uuid = text("uuid").and_then(|uuid| Uuid::try_parse(uuid).ok());
                uuid.map(Self::Stream).ok_or_else(|| wrong("`uuid`, a UUID"))
            }
            Some("presigned_request") => {
                let headers = fields.get("headers").and_then(value::as_record);
                let headers = headers.into_iter().flat_map(|record| &record.fields);
                let headers =
                    headers.map(|(name, value)| Some((name.clone(), value::as_text(value)?.to_owned())));
                let headers = headers.collect::<Option<Vec<_>>>().ok_or_else(|| wrong("`headers`, texts"))?;
                let url = text("url").ok_or_else(|| wrong("`url`, text"))?;
                Ok(Self::Presigned(Box::new(Presigned::new(text("method"), url, &headers)?)))
            }
            _ => Err(wrong("`kind`, which is `client_stream` or `presigned_request`")),
        }
    }
}

fn wrong(expected: &str) -> CallFailure {
    CallFailure::argument(format!("the resource handle is malformed; expected {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_read_and_mistakes_named() {
        let stream =
            |uuid: &str| value::record([("kind", value::text("client_stream")), ("uuid", value::text(uuid))]);
        assert!(matches!(
            Handle::parse(&stream("b1e06f8f-481d-4c0e-949e-4f094115d4af")),
            Ok(Handle::Stream(_))
        ));
        let cases = [
            (stream("x"), "`uuid`, a UUID"),
            (value::text("x"), "a record with `kind`"),
            (value::record([]), "`kind`, which is `client_stream` or `presigned_request`"),
            (value::record([("kind", value::text("presigned_request"))]), "`url`, text"),
            (
                value::record([
                    ("kind", value::text("presigned_request")),
                    ("headers", value::record([("a", value::count(1))])),
                ]),
                "`headers`, texts",
            ),
        ];
        for (value, expected) in cases {
            let text = Handle::parse(&value).unwrap_err().text;
            assert_eq!(text, format!("the resource handle is malformed; expected {expected}"));
        }
    }
}
