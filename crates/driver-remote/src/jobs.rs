//! Jobs of an exporter's flasher: flashes, plans of flashes, and dumps. The order is the job.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use exporter_wire::order::{self, DumpOrder, JobOrder};
use exporter_wire::proto::StreamResponse;
use exporter_wire::value;
use flasher_core::{DumpSink, Error, Result};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use prost_types::Value;
use tokio::sync::mpsc;
use tonic::{Code, Status, Streaming};

use crate::dump_intake;
use crate::exporter::{RemoteExporter, RemoteFlasher};
use crate::files::{OutgoingFiles, StartedFlash};
use crate::link::failed;

/// Frames that wait for the network.
const QUEUE: usize = 8;

/// A dump that has been ordered.
pub struct StartedDump {
    /// The events of the dump.
    pub events: BoxStream<'static, Result<String>>,
    /// SHA-256 of what was written and kept, lower-case hex, once it was.
    pub sha256: Arc<OnceLock<String>>,
}

impl fmt::Debug for StartedDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartedDump").field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

impl RemoteExporter {
    /// Starts a flash with the files at `paths`, which are those of the order, and follows it. They are sent once the exporter has
    /// reserved the board; once all are sent, the flash goes on when this client goes away. `sent` hears how many bytes have gone.
    ///
    /// # Errors
    /// When a file cannot be read, the order is too long or refused, or the board is in use.
    pub async fn start(
        &self,
        board: &RemoteFlasher,
        order: JobOrder,
        paths: &[PathBuf],
        sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<StartedFlash> {
        self.with_files("start", board, order, paths, sent).await
    }

    /// Asks what such a flash would do. The last event has the plan; the files go along as for the flash.
    ///
    /// # Errors
    /// As [`RemoteExporter::start`].
    pub async fn plan(
        &self,
        board: &RemoteFlasher,
        order: JobOrder,
        paths: &[PathBuf],
        sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<StartedFlash> {
        self.with_files("plan", board, order, paths, sent).await
    }

    async fn with_files(
        &self,
        action: &str,
        board: &RemoteFlasher,
        mut order: JobOrder,
        paths: &[PathBuf],
        sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<StartedFlash> {
        let outgoing = OutgoingFiles::open(paths).await?;
        for (file, length) in order.files.iter_mut().zip(outgoing.lengths()) {
            file.length = length;
        }
        order.check().map_err(Error::config)?;
        let (frames, outward) = mpsc::channel(QUEUE);
        let mut args = vec![order_text(order.json())?];
        if !paths.is_empty() {
            let (handle, inward) = self.0.link.open_stream(&data_stream(board), outward).await?;
            // What the exporter sends back is only the end, which the call tells as well.
            tokio::spawn(drain(inward));
            args.push(handle);
        }
        let events = self.job(board, action, args).await?;
        Ok(outgoing.send_when_asked(events, frames, sent))
    }

    /// Starts a dump into `sink`, and follows it. It ends when this client goes away. The sink's methods are called from a thread that
    /// may wait.
    ///
    /// # Errors
    /// When the order is too long or refused, or the board is in use.
    pub async fn dump(
        &self,
        board: &RemoteFlasher,
        order: &DumpOrder,
        sink: Arc<dyn DumpSink>,
    ) -> Result<StartedDump> {
        let (frames, outward) = mpsc::channel(QUEUE);
        let order = order_text(order.json())?;
        let (handle, inward) = self.0.link.open_stream(&data_stream(board), outward).await?;
        let events = self.job(board, "dump", vec![order, handle]).await?;
        let sha256 = dump_intake::start(inward, frames, sink);
        Ok(StartedDump { events: events.boxed(), sha256 })
    }

    /// Follows the running job from its beginning, or hears again how the last one went.
    ///
    /// # Errors
    /// When none has run.
    pub async fn attach(&self, board: &RemoteFlasher) -> Result<impl Stream<Item = Result<String>> + use<>> {
        self.job(board, "attach", Vec::new()).await
    }

    /// Stops the running job in good order, and follows it to its end.
    ///
    /// # Errors
    /// When none has run.
    pub async fn cancel(&self, board: &RemoteFlasher) -> Result<impl Stream<Item = Result<String>> + use<>> {
        self.job(board, "cancel", Vec::new()).await
    }

    async fn job(
        &self,
        board: &RemoteFlasher,
        action: &str,
        more: Vec<Value>,
    ) -> Result<impl Stream<Item = Result<String>> + use<>> {
        let args = [vec![value::text(action)], more].concat();
        let events = self.0.link.results(&board.uuid, "flash_job", args).await;
        let events = events.map_err(|status| job_refused(&status))?;
        Ok(events.map(|event| {
            let event = event.map_err(|status| failed("flash_job", &status))?;
            let text = event.result.as_ref().and_then(value::as_text).map(str::to_owned);
            text.ok_or_else(|| Error::infrastructure("the exporter sent an event that is no text"))
        }))
    }
}

/// The order as an argument.
fn order_text(text: String) -> Result<Value> {
    if text.len() > order::LONGEST {
        let what = format!("the order has {} bytes, an exporter takes {}", text.len(), order::LONGEST);
        return Err(Error::config(what).help("give fewer or shorter headers and `--preflash` commands"));
    }
    Ok(value::text(text))
}

/// What is asked of the exporter for a stream with the data of a job.
fn data_stream(board: &RemoteFlasher) -> String {
    serde_json::json!({ "kind": "resource", "uuid": board.uuid, "x_jmp_content_encoding": null }).to_string()
}

async fn drain(mut inward: Streaming<StreamResponse>) {
    while let Ok(Some(_)) = inward.message().await {}
}

/// An order is well-formed, so what an exporter does not understand of it is of another release.
fn job_refused(status: &Status) -> Error {
    match status.code() {
        Code::InvalidArgument => failed("flash_job", status)
            .help("use the same release of `flasher` here and on the exporter's machine")
            .retryable(false),
        _ => failed("flash_job", status),
    }
}
