//! The other end: our own command line as a client of an exporter.

mod channel;
mod files;
mod line;
mod link;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flasher_core::{Error, PowerDriver, Result, SerialDriver};
use futures_util::{Stream, StreamExt};
use prost_types::Value;
use tokio::sync::mpsc;
use tonic::{Code, Status};

use self::files::OutgoingFiles;
pub use self::files::StartedFlash;
use self::line::{RemotePower, RemoteSerial};
use self::link::{Link, failed};
use crate::order::{self, JobOrder};
use crate::passphrase::Passphrase;
use crate::proto::DriverInstanceReport;
use crate::value;

const FLASHER: &str = "jumpstarter_driver_flashers.client.BaseFlasherClient";
const SERIAL: &str = "jumpstarter_driver_pyserial.client.PySerialClient";
const POWER: &str = "jumpstarter_driver_power.client.PowerClient";

/// A connection to an exporter.
#[derive(Clone)]
pub struct Remote {
    link: Link,
    reports: Vec<DriverInstanceReport>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("nodes", &self.reports.len()).finish_non_exhaustive()
    }
}

/// A flasher on the exporter.
#[derive(Clone, Debug)]
pub struct RemoteFlasher {
    flasher: String,
}

impl Remote {
    /// Connects to `HOST:PORT` and asks for the device tree. With `ca`, over TLS with a certificate that the CA signed.
    ///
    /// # Errors
    /// When there is no answer, or the exporter refuses the connection.
    pub async fn connect(address: &str, passphrase: Option<&Passphrase>, ca: Option<&Path>) -> Result<Self> {
        let (link, reports) = Link::connect(address, passphrase, ca).await?;
        Ok(Self { link, reports })
    }

    /// The one flasher of the exporter, or the one at the dotted `path`.
    ///
    /// # Errors
    /// When there is none, or several and no path.
    pub fn board(&self, path: Option<&str>) -> Result<RemoteFlasher> {
        self.choose(FLASHER, "flasher", path).map(|report| RemoteFlasher { flasher: report.uuid.clone() })
    }

    /// The one serial line of the exporter, or the one at the dotted `path`. It is opened like one of this machine.
    ///
    /// # Errors
    /// When there is none, or several and no path.
    pub fn serial(&self, path: Option<&str>) -> Result<Arc<dyn SerialDriver>> {
        let report = self.choose(SERIAL, "serial line", path)?;
        Ok(Arc::new(RemoteSerial {
            link: self.link.clone(),
            uuid: report.uuid.clone(),
            path: self.path(report),
        }))
    }

    /// The one power switch of the exporter, or the one at the dotted `path`.
    ///
    /// # Errors
    /// When there is none, or several and no path.
    pub fn power(&self, path: Option<&str>) -> Result<Arc<dyn PowerDriver>> {
        let uuid = self.choose(POWER, "power switch", path)?.uuid.clone();
        Ok(Arc::new(RemotePower { link: self.link.clone(), uuid }))
    }

    /// The one node with this Python client, which is a `what` to people, or the one of them at `path`.
    fn choose(&self, client: &str, what: &str, path: Option<&str>) -> Result<&DriverInstanceReport> {
        let has_client = |report: &&DriverInstanceReport| label(report, "client") == client;
        let all: Vec<_> =
            self.reports.iter().filter(has_client).map(|report| (self.path(report), report)).collect();
        let fits: Vec<_> = all.iter().filter(|(own, _)| path.is_none_or(|path| own == path)).collect();
        let names = || all.iter().map(|(path, _)| format!("`{path}`")).collect::<Vec<_>>().join(", ");
        let distinct = fits.iter().all(|(_, report)| report.uuid == fits[0].1.uuid);
        match fits.first() {
            Some((_, report)) if distinct => Ok(report),
            Some(_) => Err(Error::config(format!("the exporter has several {what}s, expected one"))
                .help(format!("choose one with `--device`: {}", names()))),
            None if all.is_empty() => Err(Error::config(format!("the exporter has no {what}"))),
            None => {
                let path = path.unwrap_or_default();
                Err(Error::config(format!("the exporter has no {what} at `{path}`"))
                    .help(format!("it has: {}", names())))
            }
        }
    }

    fn path(&self, report: &DriverInstanceReport) -> String {
        let parent = report.parent_uuid.as_ref();
        let parent = parent.and_then(|uuid| self.reports.iter().find(|it| it.uuid == *uuid));
        match parent.map(|parent| self.path(parent)) {
            Some(above) if !above.is_empty() => format!("{above}.{}", label(report, "name")),
            _ => label(report, "name").to_owned(),
        }
    }

    /// Starts a flash with the files at `paths`, which are those of the order, and follows it. They are sent once the exporter has
    /// reserved the board; once all are sent, the flash goes on when this client goes away. `sent` hears how many bytes have gone.
    ///
    /// # Errors
    /// When a file cannot be read, the order is too long or refused, or the board is in use.
    pub async fn start(
        &mut self,
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
        let text = order.json();
        if text.len() > order::LONGEST {
            let what = format!("the order has {} bytes, an exporter takes {}", text.len(), order::LONGEST);
            return Err(Error::config(what).help("give fewer or shorter headers and `--preflash` commands"));
        }
        let (frames, outward) = mpsc::channel(8);
        let mut args = vec![value::text(text)];
        if !paths.is_empty() {
            let meta = serde_json::json!({ "kind": "resource", "uuid": board.flasher, "x_jmp_content_encoding": null });
            args.push(self.link.open_stream(&meta.to_string(), outward).await?);
        }
        let events = self.job(board, "start", args).await?;
        Ok(outgoing.send_when_asked(events, frames, sent))
    }

    /// Follows the running flash from its beginning, or hears again how the last one went.
    ///
    /// # Errors
    /// When none has run.
    pub async fn attach(
        &mut self,
        board: &RemoteFlasher,
    ) -> Result<impl Stream<Item = Result<String>> + use<>> {
        self.job(board, "attach", Vec::new()).await
    }

    /// Stops the running flash in good order, and follows it to its end.
    ///
    /// # Errors
    /// When none has run.
    pub async fn cancel(
        &mut self,
        board: &RemoteFlasher,
    ) -> Result<impl Stream<Item = Result<String>> + use<>> {
        self.job(board, "cancel", Vec::new()).await
    }

    async fn job(
        &mut self,
        board: &RemoteFlasher,
        action: &str,
        more: Vec<Value>,
    ) -> Result<impl Stream<Item = Result<String>> + use<>> {
        let args = [vec![value::text(action)], more].concat();
        let events = self.link.results(&board.flasher, "flash_job", args).await;
        let events = events.map_err(|status| job_refused(&status))?;
        Ok(events.map(|event| {
            let event = event.map_err(|status| failed("flash_job", &status))?;
            let text = event.result.as_ref().and_then(value::as_text).map(str::to_owned);
            text.ok_or_else(|| Error::infrastructure("the exporter sent an event that is no text"))
        }))
    }
}

fn label<'a>(report: &'a DriverInstanceReport, name: &str) -> &'a str {
    report.labels.get(&format!("jumpstarter.dev/{name}")).map_or("", String::as_str)
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
