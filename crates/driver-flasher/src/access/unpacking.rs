//! What a board can unpack by itself.

use disk_image::Format;
use flasher_core::{Error, Result};

/// How an image is unpacked that a board fetches by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unpacking {
    /// It is not packed.
    Raw,
    /// gzip
    Gzip,
    /// xz
    Xz,
    /// Zstandard
    Zstd,
    /// bzip2
    Bzip2,
}

impl Unpacking {
    /// How an image of this format is unpacked.
    ///
    /// # Errors
    /// When it is of a kind that small tools do not unpack.
    pub(crate) fn of(format: Format) -> Result<Self> {
        Ok(match format {
            Format::Raw => Self::Raw,
            Format::Gzip => Self::Gzip,
            Format::Xz => Self::Xz,
            Format::Zstd => Self::Zstd,
            Format::Bzip2 => Self::Bzip2,
            other => {
                return Err(Error::config(format!("the board cannot unpack {other} by itself"))
                    .help("`--direct` takes raw, gz, xz, zst and bz2; flash without it"));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_small_tools_do_not_unpack_is_refused() {
        assert_eq!(Unpacking::of(Format::Xz).unwrap(), Unpacking::Xz);
        let refused = Unpacking::of(Format::Zip).unwrap_err();
        assert_eq!(refused.cause(), "the board cannot unpack zip by itself");
    }
}
