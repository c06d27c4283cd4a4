//! What a client orders to be flashed, as JSON.

use std::fmt;
use std::time::Duration;

use flasher_core::flash::{FormatChoice, Wire};
use flasher_core::source::BlockMapChoice;
use flasher_core::{CancellationToken, FlashJob};
use serde::{Deserialize, Serialize};

use crate::failure::{CallFailure, CallResult};

/// An order for `flash_job`. Unknown keys are refused: an order that is half understood must not touch a medium.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct JobOrder {
    /// An http(s) URL; or the name of a file that is sent with the order.
    pub image: String,
    /// Length of that file, bytes. It comes in the stream given with the order, its SHA-256 (32 bytes) behind it.
    #[serde(default)]
    pub length: Option<u64>,
    /// A target name of the manifest; none takes its default.
    #[serde(default)]
    pub target: Option<String>,
    /// Device-tree variant of the bundle.
    #[serde(default)]
    pub variant: Option<String>,
    /// SHA-256 that the source or the decoded image must have, 64 hex digits.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Extra headers for a URL. Secrets.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Bearer token for a URL. A secret.
    #[serde(default)]
    pub bearer: Option<String>,
    /// Accept any certificate of the URL's server.
    #[serde(default)]
    pub insecure: bool,
    /// How often a failed attempt is repeated when that can help.
    #[serde(default)]
    pub retries: Option<u32>,
    /// Bound on the whole job, seconds.
    #[serde(default)]
    pub deadline: Option<f64>,
    /// Power the board off after a proven flash; so it is when not given.
    #[serde(default)]
    pub power_off: Option<bool>,
    /// Text (a regular expression) on the console that proves the new system boots.
    #[serde(default)]
    pub expect_boot: Option<String>,
    /// Decode the whole image before power on.
    #[serde(default)]
    pub check_first: bool,
    /// What the image may be; only what can be on a medium when not given.
    #[serde(default)]
    pub format: FormatChoice,
    /// Remove the copy of an older partition table at the end of the target.
    #[serde(default)]
    pub wipe_old_table: bool,
    /// How the image travels to the board; the flasher's config says when not given.
    #[serde(default)]
    pub wire: Option<Wire>,
    /// The block map; without this, the one beside the image's URL or in its archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_map: Option<OrderedBlockMap>,
}

/// The block map (bmap) of an order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum OrderedBlockMap {
    /// None is used.
    Off,
    /// This one.
    File {
        /// The client's name of the file.
        name: String,
        /// The file, at most [`OrderedBlockMap::LONGEST`] bytes.
        text: String,
    },
}

impl OrderedBlockMap {
    /// Longest block map in an order, bytes: an order is one message, and those have 4 MiB at most.
    pub const LONGEST: usize = 2 << 20;
}

impl fmt::Debug for JobOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobOrder").field("target", &self.target).finish_non_exhaustive()
    }
}

impl JobOrder {
    /// An order for `image` with every choice at its default.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            length: None,
            target: None,
            variant: None,
            sha256: None,
            headers: Vec::new(),
            bearer: None,
            insecure: false,
            retries: None,
            deadline: None,
            power_off: None,
            expect_boot: None,
            check_first: false,
            format: FormatChoice::Auto,
            wipe_old_table: false,
            wire: None,
            block_map: None,
        }
    }

    /// The order as a client sends it.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads an order.
    pub(crate) fn parse(text: &str) -> CallResult<Self> {
        // The parser's message may quote the text, which may hold secrets: only its position is reported.
        let wrong = |error: serde_json::Error| match error.is_data() {
            true if text.len() < 64 => {
                CallFailure::argument(format!("the order of the flash is malformed: {error}"))
            }
            _ => CallFailure::argument(format!(
                "the order of the flash is malformed at column {}",
                error.column()
            )),
        };
        serde_json::from_str(text).map_err(wrong)
    }

    /// Length of the image that is sent with the order; none when the exporter fetches it by itself.
    pub(crate) fn sent(&self) -> CallResult<Option<u64>> {
        match (self.is_url(), self.length) {
            (true, None) => Ok(None),
            (false, Some(length)) => Ok(Some(length)),
            (true, Some(_)) => Err(CallFailure::argument("an order has a URL or a `length`, not both")),
            (false, None) => {
                Err(CallFailure::argument("an order without a URL has the `length` of what is sent"))
            }
        }
    }

    fn is_url(&self) -> bool {
        ["http://", "https://"].iter().any(|scheme| self.image.starts_with(scheme))
    }

    /// The job, for an image at `image`.
    pub(crate) fn job(&self, image: String, stop: CancellationToken) -> CallResult<FlashJob> {
        let seconds = self.deadline.map(Duration::try_from_secs_f64).transpose();
        let deadline =
            seconds.map_err(|_| CallFailure::argument("`deadline` is a positive number of seconds"))?;
        let digest = |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if self.sha256.as_ref().is_some_and(|text| !digest(text)) {
            return Err(CallFailure::argument("`sha256` has 64 hex digits"));
        }
        if let Some(OrderedBlockMap::File { text, .. }) = &self.block_map
            && text.len() > OrderedBlockMap::LONGEST
        {
            return Err(CallFailure::argument("the block map of the order is too long"));
        }
        let mut defaults = FlashJob::new(image);
        if self.block_map == Some(OrderedBlockMap::Off) {
            defaults.source.block_map = BlockMapChoice::Off;
        }
        Ok(FlashJob {
            target: self.target.clone(),
            headers: self.headers.clone(),
            bearer: self.bearer.clone(),
            insecure: self.insecure,
            sha256: self.sha256.as_ref().map(|text| text.to_lowercase()),
            retries: self.retries.unwrap_or(defaults.retries),
            deadline,
            power_off: self.power_off.unwrap_or(defaults.power_off),
            expect_boot: self.expect_boot.clone(),
            check_first: self.check_first,
            format: self.format,
            wipe_old_table: self.wipe_old_table,
            wire: self.wire,
            stop,
            ..defaults
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_comes_back_as_it_was_sent() {
        let order = JobOrder {
            target: Some("emmc".into()),
            retries: Some(0),
            format: FormatChoice::Raw,
            wipe_old_table: true,
            block_map: Some(OrderedBlockMap::Off),
            ..JobOrder::new("image.xz")
        };
        let job = JobOrder::parse(&order.json())
            .unwrap()
            .job("/srv/image.xz".into(), CancellationToken::new())
            .unwrap();
        assert_eq!(
            (job.image.as_str(), job.target.as_deref(), job.retries),
            ("/srv/image.xz", Some("emmc"), 0)
        );
        assert!(job.power_off && job.wipe_old_table);
        assert_eq!(job.source.block_map, BlockMapChoice::Off);
        assert_eq!(job.format, FormatChoice::Raw);
    }

    #[test]
    fn a_block_map_of_an_order() {
        let file = |text: String| OrderedBlockMap::File { name: "os.bmap".into(), text };
        for (block_map, expected) in [
            (None, Ok(BlockMapChoice::Beside)),
            (Some(OrderedBlockMap::Off), Ok(BlockMapChoice::Off)),
            // Where it lies is known once it is there.
            (Some(file("<bmap/>".into())), Ok(BlockMapChoice::Beside)),
            (Some(file("x".repeat((2 << 20) + 1))), Err("the block map of the order is too long".to_owned())),
        ] {
            let order = JobOrder { block_map: block_map.clone(), ..JobOrder::new("a") };
            let read = JobOrder::parse(&order.json()).unwrap();
            assert_eq!(read.block_map, block_map);
            let job = read.job("a".into(), CancellationToken::new());
            assert_eq!(job.map(|job| job.source.block_map).map_err(|failure| failure.text), expected);
        }
        // Exporters of former versions know no such key.
        assert!(!JobOrder::new("a").json().contains("block_map"));
    }

    #[test]
    fn half_an_order_is_none() {
        let cases = [
            ("", "the order of the flash is malformed at column 0"),
            ("{", "the order of the flash is malformed at column 1"),
            ("{}", "the order of the flash is malformed: missing field `image` at line 1 column 2"),
        ];
        for (text, expected) in cases {
            assert_eq!(JobOrder::parse(text).unwrap_err().text, expected);
        }
        let unknown = r#"{"image": "a", "tarqet": "usd", "bearer": "s3cret s3cret s3cret s3cret s3cret"}"#;
        let text = JobOrder::parse(unknown).unwrap_err().text;
        assert_eq!(text, "the order of the flash is malformed at column 23");
        for (image, length, expected) in [
            ("http://h/a", None, Ok(None)),
            ("a", Some(7), Ok(Some(7))),
            ("a", None, Err("an order without a URL has the `length` of what is sent")),
            ("http://h/a", Some(7), Err("an order has a URL or a `length`, not both")),
        ] {
            let order = JobOrder { length, ..JobOrder::new(image) };
            assert_eq!(order.sent().map_err(|failure| failure.text), expected.map_err(str::to_owned));
        }
        for (key, wrong, expected) in [
            ("deadline", "-1", "`deadline` is a positive number of seconds"),
            ("deadline", "1e300", "`deadline` is a positive number of seconds"),
            ("sha256", "\"abc\"", "`sha256` has 64 hex digits"),
        ] {
            let order = JobOrder::parse(&format!(r#"{{"image": "a", "{key}": {wrong}}}"#)).unwrap();
            assert_eq!(order.job("a".into(), CancellationToken::new()).unwrap_err().text, expected);
        }
    }
}
