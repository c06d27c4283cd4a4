//! What a client orders to be flashed, planned or dumped, as JSON: the whole job, and the files of the client that it names.
//!
//! Files named in an order are sent with it. An order names no file of the exporter.

mod dump;
mod job;
mod parse;

use std::fmt;

use flasher_core::flash::{Compare, FormatChoice, Verify, Via, Wire};
use serde::{Deserialize, Serialize};

use crate::value;

pub use dump::{DUMP_VERSION, DumpOrder, DumpSurroundings};
pub use job::{ReceivedFile, Surroundings};

/// Version of the orders that this build writes and takes. Another version is refused: an order that is half understood must
/// not touch a medium.
pub const VERSION: u32 = 2;
/// Longest order, bytes of its JSON.
pub const LONGEST: usize = value::LONGEST_TEXT;
/// Most files of one order: the images, and for each a block map, signatures and checksums.
pub const MOST_FILES: usize = 128;
/// Longest file of an order that is no image, bytes: what is read of a block map, the longest of them.
pub const LONGEST_COMPANION: u64 = 32 << 20;

/// An order for a flash, or for the plan of one. Keys that are left out have their default; unknown keys are refused.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct JobOrder {
    /// [`VERSION`].
    pub version: u32,
    /// Files that are sent, in this order, each with its SHA-256 (32 bytes) behind it, in the stream given with the order.
    #[serde(default)]
    pub files: Vec<OrderedFile>,
    /// The image.
    pub image: OrderedSource,
    /// Label of the partition that the image is for; none means the whole device.
    #[serde(default)]
    pub partition: Option<String>,
    /// Further images for further partitions, written in this order.
    #[serde(default)]
    pub also: Vec<OrderedPartition>,
    /// A target name of the manifest; none takes its default.
    #[serde(default)]
    pub target: Option<String>,
    /// Device-tree variant of the bundle.
    #[serde(default)]
    pub variant: Option<String>,
    /// Commands run on the board before its target is looked at.
    #[serde(default)]
    pub preflash: Vec<String>,
    /// Extra headers for URLs. Secrets.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Bearer token for URLs. A secret.
    #[serde(default)]
    pub bearer: Option<String>,
    /// The file with the CA of the URLs' servers: its index in [`JobOrder::files`].
    #[serde(default)]
    pub cacert: Option<usize>,
    /// Accept any certificate of the URLs' servers.
    #[serde(default)]
    pub insecure: bool,
    /// SHA-256 that the source or the decoded image must have, 64 hex digits.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Length in bytes that the source or the decoded image must have.
    #[serde(default)]
    pub length: Option<u64>,
    /// SHA-256 checksums that list the images.
    #[serde(default)]
    pub checksums: Option<OrderedSource>,
    /// Use checksums beside an image when neither they nor a digest are given.
    #[serde(default)]
    pub checksums_beside: bool,
    /// The block map.
    #[serde(default)]
    pub block_map: OrderedBlockMap,
    /// The file with the keys one of which must have signed the block map in use: its index in [`JobOrder::files`].
    #[serde(default)]
    pub map_keyring: Option<usize>,
    /// What the image may be; only what can be on a medium when not given.
    #[serde(default)]
    pub format: FormatChoice,
    /// Remove the copy of an older partition table at the end of the target.
    #[serde(default)]
    pub wipe_old_table: bool,
    /// Labels of partitions whose content stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    /// How often a failed attempt is repeated when that can help.
    #[serde(default)]
    pub retries: Option<u32>,
    /// Time limit for the whole job, seconds.
    #[serde(default)]
    pub deadline: Option<f64>,
    /// Power the board off after a proven flash; so it is when not given.
    #[serde(default)]
    pub power_off: Option<bool>,
    /// Text (a regular expression) on the console that proves the new system boots.
    #[serde(default)]
    pub expect_boot: Option<String>,
    /// How much of the medium is read back; all of it when not given.
    #[serde(default)]
    pub verify: Option<Verify>,
    /// Decode the whole image before power on.
    #[serde(default)]
    pub check_first: bool,
    /// Whether the image is compared with what the medium holds already; the flasher's config says when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<Compare>,
    /// How the image travels to the board; the flasher's config says when not given.
    #[serde(default)]
    pub wire: Option<Wire>,
    /// The way to the medium; the flasher's config says when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// The board fetches the image's URL by itself.
    #[serde(default)]
    pub direct: bool,
    /// Send the transcript of the console before the receipt; this is what the client calls its file.
    #[serde(default)]
    pub transcript: Option<String>,
}

/// Where something is that an order needs.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderedSource {
    /// An http(s) URL that the exporter fetches.
    Url(String),
    /// A file that is sent: its index in [`JobOrder::files`].
    File(usize),
}

/// A file that is sent with an order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OrderedFile {
    /// Its name, without folders.
    pub name: String,
    /// Its length, bytes.
    pub length: u64,
    /// The earlier file in whose folder it is, as a block map is beside its image; none has a folder of its own.
    #[serde(default)]
    pub beside: Option<usize>,
}

/// An image for one partition.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OrderedPartition {
    /// The partition's label.
    pub label: String,
    /// The image.
    pub image: OrderedSource,
}

/// Which block map is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderedBlockMap {
    /// The one beside the image, if there is one.
    #[default]
    Beside,
    /// None.
    Off,
    /// This one.
    At(OrderedSource),
}

impl fmt::Debug for OrderedSource {
    /// Without a URL's text, which may have secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(_) => f.write_str("Url(…)"),
            Self::File(index) => f.debug_tuple("File").field(index).finish(),
        }
    }
}

impl fmt::Debug for JobOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobOrder").field("target", &self.target).finish_non_exhaustive()
    }
}

impl JobOrder {
    /// An order for `image` with every choice at its default.
    pub fn new(image: OrderedSource) -> Self {
        Self {
            version: VERSION,
            files: Vec::new(),
            image,
            partition: None,
            also: Vec::new(),
            target: None,
            variant: None,
            preflash: Vec::new(),
            headers: Vec::new(),
            bearer: None,
            cacert: None,
            insecure: false,
            sha256: None,
            length: None,
            checksums: None,
            checksums_beside: false,
            block_map: OrderedBlockMap::Beside,
            map_keyring: None,
            format: FormatChoice::Auto,
            wipe_old_table: false,
            keep: Vec::new(),
            retries: None,
            deadline: None,
            power_off: None,
            expect_boot: None,
            verify: None,
            check_first: false,
            compare: None,
            wire: None,
            via: None,
            direct: false,
            transcript: None,
        }
    }

    /// The images, the first one first.
    pub fn images(&self) -> impl Iterator<Item = &OrderedSource> {
        std::iter::once(&self.image).chain(self.also.iter().map(|also| &also.image))
    }

    /// The order as a client sends it.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl OrderedSource {
    /// The source at `text` when it is a URL that exporters fetch.
    pub fn url(text: &str) -> Option<Self> {
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        let is_fetched = ["http", "https"].iter().any(|it| scheme.eq_ignore_ascii_case(it));
        is_fetched.then(|| Self::Url(text.to_owned()))
    }

    /// The index of the file that is sent; none for a URL.
    pub fn file(&self) -> Option<usize> {
        match self {
            Self::Url(_) => None,
            Self::File(index) => Some(*index),
        }
    }
}

#[cfg(test)]
mod tests;
