//! What a client orders to be dumped, as JSON: the whole job, but for where the bytes go, which the client knows alone.

use std::path::PathBuf;
use std::sync::Arc;

use flasher_core::flash::{Site, Verify, Via};
use flasher_core::{CancellationToken, DumpJob, DumpSink};
use serde::{Deserialize, Serialize};

use super::parse::{OrderKind, read_version, time_limit};

/// Version of the dump orders that this build writes and takes.
pub const DUMP_VERSION: u32 = 1;

/// What messages call such an order.
const DUMP: OrderKind = OrderKind { what: "dump", version: DUMP_VERSION };

/// An order for a dump. Keys that are left out have their default; unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DumpOrder {
    /// [`DUMP_VERSION`].
    pub version: u32,
    /// What the client calls the file that it writes, without folders.
    pub out: String,
    /// A target name of the manifest; none takes its default.
    #[serde(default)]
    pub target: Option<String>,
    /// The way to the medium; the flasher's config says when not given.
    #[serde(default)]
    pub via: Option<Via>,
    /// Label of the partition that is read; none means the whole device.
    #[serde(default)]
    pub partition: Option<String>,
    /// Device-tree variant of the bundle.
    #[serde(default)]
    pub variant: Option<String>,
    /// Commands run on the board before its target is looked at.
    #[serde(default)]
    pub preflash: Vec<String>,
    /// How much is read a second time; all of it when not given.
    #[serde(default)]
    pub verify: Option<Verify>,
    /// How often a failed attempt is repeated when that can help.
    #[serde(default)]
    pub retries: Option<u32>,
    /// Time limit for the whole job, seconds.
    #[serde(default)]
    pub deadline: Option<f64>,
    /// Power the board off after a proven dump; so it is when not given.
    #[serde(default)]
    pub power_off: Option<bool>,
    /// Send the transcript of the console before the receipt; this is what the client calls its file.
    #[serde(default)]
    pub transcript: Option<String>,
}

/// What the exporter adds to the order of a dump.
pub struct DumpSurroundings {
    /// Takes the bytes.
    pub sink: Arc<dyn DumpSink>,
    /// Who runs it, and on which bench.
    pub site: Site,
    /// Where the transcript is kept meanwhile, when the order wants one.
    pub transcript: Option<PathBuf>,
    /// Stops the job in good order.
    pub stop: CancellationToken,
}

impl std::fmt::Debug for DumpSurroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DumpSurroundings").field("site", &self.site).finish_non_exhaustive()
    }
}

impl DumpOrder {
    /// The order for `job` with the device-tree `variant`, into what the client calls `out`.
    pub fn of(job: &DumpJob, variant: Option<String>, out: String) -> Self {
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self {
            version: DUMP_VERSION,
            out,
            target: job.target.clone(),
            via: job.via,
            partition: job.partition.clone(),
            variant,
            preflash: job.preflash.clone(),
            verify: Some(job.verify),
            retries: Some(job.retries),
            deadline: job.deadline.map(|limit| limit.as_secs_f64()),
            power_off: Some(job.power_off),
            transcript: job.transcript.as_ref().map(name),
        }
    }

    /// Reads an order.
    ///
    /// # Errors
    /// When it is of another version, has an unknown key, or cannot be meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        let order: Self = read_version(text, DUMP)?;
        time_limit(order.deadline)?;
        Ok(order)
    }

    /// The order as a client sends it.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The dump as it is named to others on this machine.
    pub fn label(&self) -> String {
        format!("dump {}", self.out.rsplit('/').next().unwrap_or_default())
    }

    /// The job.
    ///
    /// # Errors
    /// When the time limit of an order that was not parsed cannot be meant.
    pub fn job(self, here: DumpSurroundings) -> Result<DumpJob, String> {
        let DumpSurroundings { sink, site, transcript, stop } = here;
        let defaults = DumpJob::new(sink);
        Ok(DumpJob {
            target: self.target,
            via: self.via,
            partition: self.partition,
            verify: self.verify.unwrap_or(defaults.verify),
            preflash: self.preflash,
            retries: self.retries.unwrap_or(defaults.retries),
            deadline: time_limit(self.deadline)?,
            power_off: self.power_off.unwrap_or(defaults.power_off),
            transcript,
            site,
            stop,
            ..defaults
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Nowhere;

    impl DumpSink for Nowhere {
        fn label(&self) -> String {
            "os.img".to_owned()
        }

        fn begin(&self, _length: u64) -> flasher_core::Result<()> {
            Ok(())
        }

        fn take(&self, _bytes: &[u8]) -> flasher_core::Result<()> {
            Ok(())
        }

        fn keep(&self) -> flasher_core::Result<()> {
            Ok(())
        }
    }

    fn here() -> DumpSurroundings {
        DumpSurroundings {
            sink: Arc::new(Nowhere),
            site: Site::default(),
            transcript: Some("/srv/t".into()),
            stop: CancellationToken::new(),
        }
    }

    #[test]
    fn an_order_of_a_dump_is_the_whole_job() {
        let job = DumpJob {
            target: Some("emmc".into()),
            via: Some(Via::Linux),
            partition: Some("root".into()),
            verify: Verify::Off,
            preflash: vec!["true".into()],
            retries: 0,
            deadline: Some(Duration::from_millis(1500)),
            power_off: false,
            transcript: Some("logs/t".into()),
            ..DumpJob::new(Arc::new(Nowhere))
        };
        let order = DumpOrder::of(&job, Some("v2".into()), "os.img".into());
        assert_eq!((order.transcript.as_deref(), order.label().as_str()), (Some("t"), "dump os.img"));
        let read = DumpOrder::parse(&order.json()).unwrap();
        assert_eq!(read, order);
        let ordered = read.job(here()).unwrap();
        assert_eq!((ordered.target, ordered.via, ordered.partition), (job.target, job.via, job.partition));
        assert_eq!((ordered.verify, ordered.preflash, ordered.retries), (job.verify, job.preflash, 0));
        assert_eq!((ordered.deadline, ordered.power_off), (job.deadline, false));
        assert_eq!(ordered.transcript, Some("/srv/t".into()));
    }

    #[test]
    fn orders_of_dumps_that_cannot_be_meant() {
        let check = |text: &str, expected: &str| assert_eq!(DumpOrder::parse(text).unwrap_err(), expected);
        check("{", "the order of the dump is malformed at column 1");
        check("{}", "the order of the dump is malformed at column 2");
        check(
            r#"{"version": 2, "new": 1}"#,
            "the order of the dump is of version 2, and this exporter takes version 1",
        );
        check(
            r#"{"version": 1, "out": "a", "path": "/etc"}"#,
            "this exporter takes orders of version 1 and does not understand `path` of this one",
        );
        check(r#"{"version": 1, "out": "a", "deadline": -1}"#, "`deadline` is a positive number of seconds");
        let plain = DumpOrder::parse(r#"{"version": 1, "out": "a"}"#).unwrap().job(here()).unwrap();
        assert_eq!((plain.retries, plain.power_off, plain.verify), (3, true, Verify::Full));
    }
}
