//! Why a comparison ends early, in words.

/// The medium cannot be read.
pub(super) fn unreadable(cause: &str) -> String {
    format!("what the medium holds cannot be read: {cause}")
}
