//! Errors of the libraries, turned into core's: who is to blame, whether a retry helps and what to do next is what each says itself.

use flasher_core::{Blamed, Error};

/// A failure of the dialogue with the board. Console lines travel in a field of their own.
pub(crate) fn console(error: &board_console::Error) -> Error {
    Error::blamed(error.blame(), error.summary())
}

/// A failure of the image.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn image(error: disk_image::Error) -> Error {
    Error::blamed(error.blame(), error.to_string())
}

/// A failure of the bundle.
pub(crate) fn bundle(error: &bundle_store::Error) -> Error {
    Error::blamed(error.blame(), error.to_string())
}

/// A failure between registry, cache and lock file.
pub(crate) fn registry(error: &bundle_store::OciError) -> Error {
    Error::blamed(error.blame(), error.to_string())
}
