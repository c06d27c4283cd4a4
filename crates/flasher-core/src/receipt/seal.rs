//! The digest over a whole receipt, and reading a receipt that must have it.

use std::collections::HashSet;
use std::fmt;
use std::fmt::Write;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Receipt, SCHEMA};
use crate::error::{Class, Error, Result};

/// The schema of receipts without a digest over the whole.
const UNSEALED: u32 = 1;
/// The schema of receipts that tell of no comparison before the first write; they have the digest.
pub(super) const FORMER: u32 = 2;
/// The key that holds the digest, and is left out of it.
const KEY: &str = "sha256";

impl Receipt {
    /// The receipt with the digest over all the rest of it. Nothing is changed afterwards.
    pub fn sealed(mut self) -> Self {
        self.sha256 = self.digest();
        self
    }

    /// Reads a receipt as a file keeps it. One of [`SCHEMA`] or schema 2 must be exactly as it was written; one of schema 1 has no digest,
    /// so that it stays undetected.
    ///
    /// # Errors
    /// Class config for what is no receipt, class source for one that was changed.
    pub fn read(text: &str) -> Result<Self> {
        let no_receipt = |error: serde_json::Error| {
            Error::config("it is no receipt")
                .because(error)
                .help("`flasher schema receipt` prints what one looks like")
        };
        serde_json::from_str::<Unambiguous>(text).map_err(no_receipt)?;
        let value: Value = serde_json::from_str(text).map_err(no_receipt)?;
        let receipt: Self = serde_json::from_str(text).map_err(no_receipt)?;
        match receipt.schema {
            UNSEALED => Ok(receipt),
            FORMER | SCHEMA if receipt.is_intact(&value) => Ok(receipt),
            FORMER | SCHEMA => Err(Error::new(Class::Source, "the receipt was changed after it was written")
                .help("its `sha256` is not that of the rest; use the receipt as the flash kept it")),
            other => {
                Err(Error::config(format!("the receipt has schema {other}, expected {UNSEALED} to {SCHEMA}"))
                    .help("read it with the version of flasher that wrote it"))
            }
        }
    }

    /// Whether it has a digest over the whole.
    pub fn is_sealed(&self) -> bool {
        self.schema != UNSEALED
    }

    /// `written` is the file's text, which may have more than a receipt knows of, or less.
    fn is_intact(&self, written: &Value) -> bool {
        let known = serde_json::to_value(self);
        known.is_ok_and(|known| known == *written) && self.sha256 == self.digest()
    }

    /// SHA-256 of the receipt as JSON without the key `sha256`: keys in the order of their bytes, no space between.
    fn digest(&self) -> String {
        // A map whose keys are no text is the one thing serde_json refuses, and a receipt has none.
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.remove(KEY);
        }
        let mut text = String::new();
        canonical(&value, &mut text);
        let mut hex = String::new();
        for byte in Sha256::digest(text.as_bytes()) {
            let _ = write!(hex, "{byte:02x}"); // into memory
        }
        hex
    }
}

/// Appends `value` as JSON, keys in the order of their bytes, no space between.
fn canonical(value: &Value, text: &mut String) {
    let mut separator = "";
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| key.as_bytes());
            text.push('{');
            for (key, value) in fields {
                let _ = write!(text, "{separator}{}:", Value::from(key.as_str())); // into memory
                canonical(value, text);
                separator = ",";
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                text.push_str(separator);
                canonical(item, text);
                separator = ",";
            }
            text.push(']');
        }
        plain => {
            let _ = write!(text, "{plain}"); // into memory
        }
    }
}

/// JSON in which no object has a key twice: readers differ in which of the two they take.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unambiguous {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without a key twice in one object")
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> std::result::Result<Self, A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            if seen.contains(&key) {
                return Err(A::Error::custom(format_args!("the key `{key}` is there twice")));
            }
            fields.next_value::<Self>()?;
            seen.insert(key);
        }
        Ok(self)
    }
}
