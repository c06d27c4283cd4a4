//! Files that are for people, and lie beside an image in its archive.

use super::{foreign, text};

/// Whether the beginning of a file shows a text or a document.
pub(crate) fn is_document(head: &[u8]) -> bool {
    text::of(head).is_some() || foreign::is_document(head)
}
