//! Failures of images that are opened here and not by a flasher.

use flasher_core::{Blamed, Error};

/// A failure of an image, or of what is beside it.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn image_error(error: disk_image::Error) -> Error {
    Error::blamed(error.blame(), error.to_string())
}
