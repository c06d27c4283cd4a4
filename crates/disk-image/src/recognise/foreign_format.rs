//! A format that is not decoded here, and the refusal of an image that has it.

use crate::Error;

/// Another format than those that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForeignFormat {
    /// What it is, with its article.
    pub(crate) found: &'static str,
    /// What to do about it.
    pub(crate) help: &'static str,
}

impl ForeignFormat {
    pub(super) const fn new(found: &'static str, help: &'static str) -> ForeignFormat {
        ForeignFormat { found, help }
    }

    /// The refusal of the image `label`.
    pub(crate) fn error(self, label: &str) -> Error {
        Error::Unsupported { label: label.into(), found: self.found, help: self.help }
    }
}
