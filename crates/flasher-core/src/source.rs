//! What a job says of its image besides where it is: block map, checksums, cache, format.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an image is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceChoices {
    /// Which block map says what need not be written.
    pub block_map: BlockMapChoice,
    /// Keyring of the keys one of which must have signed the block map in use.
    pub map_keyring: Option<PathBuf>,
    /// Length in bytes that the source or the decoded image must have.
    pub length: Option<u64>,
    /// Path or URL of a file of SHA-256 checksums that lists the image.
    pub checksums: Option<String>,
    /// Whether a file of checksums beside the image is used when neither it nor a digest is given.
    pub checksums_beside: bool,
    /// Where decoded images are kept.
    pub cache: Option<CacheChoice>,
}

/// Which block map (bmap-tools) is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BlockMapChoice {
    /// The one beside an image file or URL, or beside the image in its archive, if there is one.
    #[default]
    Beside,
    /// None.
    Off,
    /// The one at this path or URL.
    At(String),
}

/// Where decoded images are kept, and how many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheChoice {
    /// Folder of the copies.
    pub folder: PathBuf,
    /// Most bytes of disk they may take.
    pub limit: u64,
}

/// What the unpacked image may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FormatChoice {
    /// What can be on a medium: other formats and documents are refused, and for a whole device everything that is unknown.
    #[default]
    Auto,
    /// Anything: what the packing holds is written, whatever it looks like.
    Raw,
}
