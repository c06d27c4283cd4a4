//! A place in the board's memory, as boot loaders write it.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// A physical memory address of the board, in bytes. Shown as `0x82000000`.
///
/// Text is read as U-Boot reads it: hexadecimal, with or without `0x` (U-Boot documentation,
/// "Hush shell": numbers are hexadecimal by default).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub u64);

/// The text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a hexadecimal address of at most 64 bits such as `0x82000000`")]
pub struct AddressError;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(AddressError); // `from_str_radix` alone would take a sign
        }
        u64::from_str_radix(digits, 16).map(Address).map_err(|_| AddressError)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Address {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Memory address of the board: quoted hexadecimal such as \"0x82000000\", or a number.",
            "anyOf": [
                { "type": "string", "pattern": "^(0[xX])?[0-9a-fA-F]{1,16}$" },
                { "type": "integer", "minimum": 0 },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_u_boot_reads_them() {
        let cases = [
            ("0x82000000", Some(0x8200_0000)),
            ("0X8200_0000", None),
            ("82000000", Some(0x8200_0000)),
            ("0xFFFFFFFFFFFFFFFF", Some(u64::MAX)),
            ("0x10000000000000000", None),
            ("0", Some(0)),
            ("", None),
            ("0x", None),
            ("+82000000", None),
            ("-1", None),
            (" 0x1", None),
            ("${loadaddr}", None),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse().ok(), expected.map(Address), "{text:?}");
        }
    }

    #[test]
    fn an_address_shows_as_it_is_written() {
        assert_eq!(Address(0x8200_0000).to_string(), "0x82000000");
        assert_eq!(Address(0).to_string(), "0x0");
    }
}
