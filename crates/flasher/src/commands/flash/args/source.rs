//! Options that say how an image is read.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use flasher_core::flash::FormatChoice;
use flasher_core::source::{BlockMapChoice, CacheChoice, SourceChoices};

use crate::args::values::size;

/// Most bytes of disk for decoded images, when not given.
const CACHE_SIZE: &str = "20GiB";

/// What the unpacked image may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// What can be on a medium; other formats, documents and unknown content are refused
    Auto,
    /// Anything: what the packing holds is written, whatever it looks like
    Raw,
}

impl From<FormatArg> for FormatChoice {
    fn from(choice: FormatArg) -> Self {
        match choice {
            FormatArg::Auto => Self::Auto,
            FormatArg::Raw => Self::Raw,
        }
    }
}

/// How an image is read.
#[derive(ClapArgs)]
pub(crate) struct SourceArgs {
    /// What the unpacked image may be
    #[arg(long, value_enum, value_name = "WHAT", default_value = "auto", help_heading = "Image")]
    pub(crate) format: FormatArg,
    /// Block map (bmap) of the image: what it leaves out is not written; without this, the one beside the image, or in its
    /// archive
    #[arg(long, value_name = "FILE|URL", help_heading = "Image")]
    pub(crate) bmap: Option<String>,
    /// Use no block map, also when there is one beside the image
    #[arg(long, conflicts_with = "bmap", help_heading = "Image")]
    pub(crate) no_bmap: bool,
    /// Keys (`gpg --export` writes such a file) one of which must have signed the block map in use
    #[arg(long, value_name = "FILE", conflicts_with = "no_bmap", help_heading = "Proof")]
    pub(crate) bmap_keyring: Option<PathBuf>,
    /// File of SHA-256 checksums that lists the image; without this and `--sha256`, the one beside the image (`.sha256`,
    /// `SHA256SUMS`)
    #[arg(long, value_name = "FILE|URL", conflicts_with = "sha256", help_heading = "Proof")]
    pub(crate) checksum_url: Option<String>,
    /// Use no file of checksums, also when there is one beside the image
    #[arg(long, conflicts_with_all = ["checksum_url", "sha256"], help_heading = "Proof")]
    pub(crate) no_checksum: bool,
    /// Length that the source or the decoded image must have, in bytes or with a unit; proves that standard input or a
    /// transfer of no known length was not cut short
    #[arg(long, value_name = "SIZE", value_parser = length, help_heading = "Proof")]
    pub(crate) length: Option<u64>,
    /// Folder in which decoded images are kept for the next board [default: flasher/images in the user's cache folder]
    #[arg(long, value_name = "DIR", env = "FLASHER_CACHE_DIR", help_heading = "Image")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Most disk space for decoded images; those not used for longest go first
    #[arg(long, value_name = "SIZE", default_value = CACHE_SIZE, value_parser = size, help_heading = "Image")]
    pub(crate) cache_size: u64,
    /// Keep no decoded image and use none that is kept
    #[arg(long, help_heading = "Image")]
    pub(crate) no_cache: bool,
}

impl SourceArgs {
    /// What a job says of it.
    pub(crate) fn choices(&self) -> SourceChoices {
        let block_map = match &self.bmap {
            _ if self.no_bmap => BlockMapChoice::Off,
            Some(place) => BlockMapChoice::At(place.clone()),
            None => BlockMapChoice::Beside,
        };
        let folder = if self.no_cache { None } else { self.cache_dir.clone().or_else(users_cache) };
        let cache = folder.map(|folder| CacheChoice { folder, limit: self.cache_size });
        let map_keyring = self.bmap_keyring.clone();
        let (length, checksums) = (self.length, self.checksum_url.clone());
        let checksums_beside = !self.no_checksum;
        SourceChoices { block_map, map_keyring, length, checksums, checksums_beside, cache }
    }
}

/// Where decoded images of this user are kept (XDG Base Directory Specification 0.8); none without a home.
pub(crate) fn users_cache() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(caches.join("flasher/images"))
}

/// A number of bytes, with or without a unit.
fn length(text: &str) -> Result<u64, String> {
    text.parse()
        .or_else(|_| size(text))
        .map_err(|_| "expected a number of bytes, or a size with its unit such as `512MiB`".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Args, Command};

    fn choices(text: &str) -> Option<SourceChoices> {
        match Args::try_parse_from(text.split(' ')).ok()?.command {
            Command::Flash(args) | Command::Plan(args) => Some(args.source.choices()),
            _ => None,
        }
    }

    #[test]
    fn a_block_map_is_looked_for_named_or_left_out() {
        let map = |text| choices(text).map(|choices| choices.block_map);
        assert_eq!(map("flasher flash os.img"), Some(BlockMapChoice::Beside));
        assert_eq!(
            map("flasher plan os.img --bmap http://h/x"),
            Some(BlockMapChoice::At("http://h/x".into()))
        );
        assert_eq!(map("flasher flash os.img --no-bmap"), Some(BlockMapChoice::Off));
        assert_eq!(map("flasher flash os.img --no-bmap --bmap x"), None);
        let digest = "a".repeat(64);
        assert_eq!(map(&format!("flasher flash os.img --checksum-url x --sha256 {digest}")), None);
    }

    #[test]
    fn decoded_images_are_kept_where_and_as_many_as_told() {
        let cache = |text| choices(text).and_then(|choices| choices.cache);
        let told = Some(CacheChoice { folder: "/c".into(), limit: 500_000_000 });
        assert_eq!(cache("flasher flash os.img --cache-dir /c --cache-size 500MB"), told);
        assert_eq!(cache("flasher flash os.img --no-cache"), None);
    }

    #[test]
    fn a_length_is_a_number_of_bytes() {
        for (text, bytes) in [("4096", Some(4096)), ("2MiB", Some(2 << 20)), ("", None), ("x", None)] {
            assert_eq!(length(text).ok(), bytes, "{text}");
        }
    }
}
