//! The text of a manifest to a tree, with what is wrong as an error of this crate.

use strict_yaml::{LARGEST_TEXT, YamlErrorKind, YamlErrors, YamlNode};

use crate::Error;

/// The longest manifest that is read, in bytes (1 MiB).
pub const MAX_MANIFEST_LENGTH: usize = LARGEST_TEXT;

/// Reads one YAML document. `origin` names it in errors; `source` is in all its positions.
pub(crate) fn load(text: &str, origin: &str, source: u32) -> Result<YamlNode, Error> {
    let root = strict_yaml::parse_one_of(text, source).map_err(|errors| unusable(errors, origin))?;
    if root.is_null() {
        return Err(Error::Empty { origin: origin.into() });
    }
    Ok(root)
}

fn unusable(errors: YamlErrors, origin: &str) -> Error {
    let origin = origin.to_owned();
    match errors.0.first().map(|error| &error.kind) {
        Some(YamlErrorKind::TooLarge { .. }) => Error::TooLarge { origin, limit: MAX_MANIFEST_LENGTH },
        Some(YamlErrorKind::NotText { offset }) => Error::NotText { origin, offset: *offset },
        _ => Error::Yaml { origin, errors },
    }
}
