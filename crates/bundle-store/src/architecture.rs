//! The architecture of a board, in the words that registries use for it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::words::{choices, quoted};

/// Architectures that Linux runs on, as Go and so OCI (image-spec, "Image Index") name them.
const KNOWN: [&str; 9] =
    ["386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x"];
/// Names that others have for them.
const OTHER: [(&str, &str); 6] = [
    ("aarch64", "arm64"),
    ("x86_64", "amd64"),
    ("i386", "386"),
    ("i686", "386"),
    ("armv7", "arm/v7"),
    ("armhf", "arm/v7"),
];

/// The architecture of a board: `arm64`, or with a variant `arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Architecture {
    name: String,
    variant: Option<String>,
}

impl Architecture {
    /// Whether what was built for `name`, of this `variant` if it is given, is for such a board.
    pub fn takes(&self, name: &str, variant: Option<&str>) -> bool {
        let is_variant = match (&self.variant, variant) {
            (Some(own), Some(other)) => own == other,
            _ => true,
        };
        self.name == name && is_variant
    }
}

impl FromStr for Architecture {
    type Err = String;

    fn from_str(text: &str) -> Result<Architecture, String> {
        let (name, variant) = text.split_once('/').map_or((text, None), |(name, it)| (name, Some(it)));
        let is_variant =
            |it: &str| it.len() <= 8 && !it.is_empty() && it.bytes().all(|b| b.is_ascii_alphanumeric());
        if let Some((_, ours)) = OTHER.iter().find(|(other, _)| *other == text) {
            return Err(format!(
                "expected an architecture as registries name it: `{ours}` for {}",
                quoted(text)
            ));
        }
        match KNOWN.contains(&name) && variant.is_none_or(is_variant) {
            true => Ok(Architecture { name: name.to_owned(), variant: variant.map(str::to_owned) }),
            false => {
                let known = KNOWN.map(str::to_owned);
                Err(format!("unknown architecture {}; {}", quoted(text), choices(name, &known)))
            }
        }
    }
}

impl TryFrom<String> for Architecture {
    type Error = String;

    fn try_from(text: String) -> Result<Architecture, String> {
        text.parse()
    }
}

impl From<Architecture> for String {
    fn from(architecture: Architecture) -> String {
        architecture.to_string()
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_is_named_as_registries_name_it() {
        for (text, problem) in [
            ("arm64", None),
            ("arm/v7", None),
            ("riscv64", None),
            ("aarch64", Some("expected an architecture as registries name it: `arm64` for `aarch64`")),
            ("armhf", Some("expected an architecture as registries name it: `arm/v7` for `armhf`")),
            ("amd46", Some("unknown architecture `amd46`; did you mean `amd64`? ")),
            ("arm/", Some("unknown architecture `arm/`; ")),
            ("", Some("unknown architecture ``; ")),
        ] {
            match (text.parse::<Architecture>(), problem) {
                (Ok(read), None) => assert_eq!(read.to_string(), text),
                (Err(found), Some(problem)) => assert!(found.starts_with(problem), "{found}"),
                (read, _) => panic!("{text}: {read:?}"),
            }
        }
    }

    #[test]
    fn a_variant_matters_when_both_have_one() {
        let board = |text: &str| text.parse::<Architecture>().unwrap();
        for (of, name, variant, takes) in [
            ("arm64", "arm64", Some("v8"), true),
            ("arm64", "amd64", None, false),
            ("arm", "arm", Some("v6"), true),
            ("arm/v7", "arm", Some("v6"), false),
            ("arm/v7", "arm", Some("v7"), true),
            ("arm/v7", "arm", None, true),
        ] {
            assert_eq!(board(of).takes(name, variant), takes, "{of} {name} {variant:?}");
        }
    }
}
