//! Bytes, durations, paths and text of others, for people.

use std::path::Path;

pub(crate) use flasher_core::safe::line as tame;
pub(crate) use report::units::{bytes, seconds};

/// A path as text, for JSON and messages.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
