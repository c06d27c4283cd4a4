//! Failures of images that are opened here and not by a flasher.

use flasher_core::{Class, Error};

/// A failure of an image, or of what is beside it.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn image_error(error: disk_image::Error) -> Error {
    let class = match error.fault() {
        disk_image::Fault::Network => Class::Infrastructure,
        disk_image::Fault::Usage => Class::Config,
        _ => Class::Source,
    };
    Error::new(class, error.to_string())
}
