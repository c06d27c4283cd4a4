//! Why a type did not take a value, in the words of a user.

use std::fmt;

use flasher_base::suggest;
use serde::de::{self, Expected, Unexpected};

use crate::problem::unknown_key_help;
use crate::words;

/// Why a type did not take a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeMismatch {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// The key that is to blame, below the value.
    pub(crate) key: Option<String>,
}

impl TypeMismatch {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, key: None }
    }
}

impl fmt::Display for TypeMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TypeMismatch {}

impl de::Error for TypeMismatch {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, found {}", words::unexpected(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, found {length}"))
    }

    fn unknown_variant(found: &str, accepted: &'static [&'static str]) -> Self {
        let meant = suggest::nearest(found, accepted.iter().copied());
        Self {
            help: meant.map(|meant| format!("did you mean `{meant}`?")),
            ..Self::new(format!("expected {}, found {}", words::one_of(accepted), words::text(found)))
        }
    }

    fn unknown_field(key: &str, accepted: &'static [&'static str]) -> Self {
        let meant = suggest::nearest(key, accepted.iter().copied());
        Self {
            help: Some(unknown_key_help(meant, accepted)),
            key: Some(key.to_owned()),
            ..Self::new(format!("unknown key `{key}`"))
        }
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(format!("the key `{key}` is missing"))
    }

    fn duplicate_field(key: &'static str) -> Self {
        Self { key: Some(key.to_owned()), ..Self::new(format!("the key `{key}` is given twice")) }
    }
}
