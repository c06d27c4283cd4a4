//! The device that is written or read, and what is known of it.

use std::collections::BTreeMap;

use flasher_core::{Class, Error, Result, RootCause};

/// Bytes at the end of a medium that hold the header of a partition table's copy, for sectors of 512 and of 4096 bytes. Without
/// it the copy is none.
pub(crate) const TABLE_COPY: u64 = 4096;

/// The device that is written or read.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Its path, as messages name it.
    pub(crate) device: String,
    /// Its size, bytes.
    pub(crate) size: u64,
    /// Whether it is read and written around the page cache.
    pub(crate) direct: bool,
    /// Whether its end has the copy of an older partition table.
    pub(crate) old_table: bool,
}

/// What is known of a device.
pub(crate) struct Identity {
    /// Its size, bytes.
    pub(crate) size: u64,
    /// Whatever tells one medium from another: model, serial, as far as it can be asked for.
    pub(crate) facts: BTreeMap<String, String>,
    /// Whether it is read and written around the page cache.
    pub(crate) direct: bool,
}

/// An image that is longer than its medium is refused with both numbers.
pub(crate) fn must_fit(length: u64, size: u64, device: &str) -> Result<()> {
    if length <= size {
        return Ok(());
    }
    Err(Error::new(
        Class::Source,
        format!("the image is larger than the target: {length} bytes, `{device}` has {size}"),
    )
    .help("take a larger medium, another `--target`, or a smaller image")
    .caused_by(RootCause::MediumTooSmall))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_larger_than_the_medium() {
        assert!(must_fit(10, 10, "/dev/x").is_ok());
        let error = must_fit(11, 10, "/dev/x").unwrap_err();
        assert_eq!(error.to_string(), "the image is larger than the target: 11 bytes, `/dev/x` has 10");
        assert_eq!(error.class(), Class::Source);
    }
}
