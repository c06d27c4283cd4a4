//! The other end: our own command line as a client of an exporter.

mod channel;
mod files;
mod line;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flasher_core::{Class, Error, PowerDriver, Result, SerialDriver};
use futures_util::{Stream, StreamExt};
use prost_types::Value;
use tokio::sync::mpsc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

use self::files::OutgoingFiles;
pub use self::files::StartedFlash;
use self::line::{RemotePower, RemoteSerial};
use crate::order::{self, JobOrder};
use crate::passphrase::{HEADER, Passphrase};
use crate::proto::exporter_service_client::ExporterServiceClient;
use crate::proto::router_service_client::RouterServiceClient;
use crate::proto::{
    DriverCallRequest, DriverInstanceReport, StreamRequest, StreamResponse, StreamingDriverCallRequest,
};
use crate::value;

const FLASHER: &str = "jumpstarter_driver_flashers.client.BaseFlasherClient";
const SERIAL: &str = "jumpstarter_driver_pyserial.client.PySerialClient";
const POWER: &str = "jumpstarter_driver_power.client.PowerClient";

/// A connection to an exporter.
#[derive(Clone)]
pub struct Remote {
    exporter: ExporterServiceClient<InterceptedService<Channel, PassphraseInterceptor>>,
    router: RouterServiceClient<InterceptedService<Channel, PassphraseInterceptor>>,
    reports: Vec<DriverInstanceReport>,
    address: String,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("nodes", &self.reports.len()).finish_non_exhaustive()
    }
}

/// Puts the passphrase into every request.
#[derive(Clone)]
struct PassphraseInterceptor(Option<MetadataValue<Ascii>>);

impl Interceptor for PassphraseInterceptor {
    fn call(&mut self, mut request: Request<()>) -> std::result::Result<Request<()>, Status> {
        if let Some(secret) = &self.0 {
            request.metadata_mut().insert(HEADER, secret.clone());
        }
        Ok(request)
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
        let channel = channel::channel(address, ca).await?;
        let secret = passphrase.map(|secret| secret.reveal().parse::<MetadataValue<Ascii>>()).transpose();
        let secret = PassphraseInterceptor(
            secret.map_err(|_| Error::config("the passphrase is no text for a header"))?,
        );
        let mut exporter = ExporterServiceClient::with_interceptor(channel.clone(), secret.clone());
        let router = RouterServiceClient::with_interceptor(channel, secret);
        let report = exporter.get_report(()).await.map_err(|status| refused(address, &status))?;
        Ok(Self { exporter, router, reports: report.into_inner().reports, address: address.to_owned() })
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
            remote: self.clone(),
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
        Ok(Arc::new(RemotePower { remote: self.clone(), uuid }))
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

    /// A stream for the data of a call, and its handle.
    async fn open_stream(&mut self, meta: &str, outward: mpsc::Receiver<StreamRequest>) -> Result<Value> {
        let response = self.stream(meta, outward).await.map_err(|status| failed("open a stream", &status))?;
        let handle =
            response.metadata().get("resource").and_then(|text| text.to_str().ok()).map(str::to_owned);
        // What the exporter sends back is only the end, which the call tells as well.
        let mut inward = response.into_inner();
        tokio::spawn(async move { while let Ok(Some(_)) = inward.message().await {} });
        let handle: Option<serde_json::Value> = handle.and_then(|text| serde_json::from_str(&text).ok());
        let uuid = handle.as_ref().and_then(|handle| handle["uuid"].as_str());
        let uuid = uuid.ok_or_else(|| Error::infrastructure("the exporter gave no handle for a stream"))?;
        Ok(value::record([("kind", value::text("client_stream")), ("uuid", value::text(uuid))]))
    }

    async fn stream(
        &mut self,
        meta: &str,
        mut outward: mpsc::Receiver<StreamRequest>,
    ) -> std::result::Result<Response<Streaming<StreamResponse>>, Status> {
        let mut request =
            Request::new(futures_util::stream::poll_fn(move |context| outward.poll_recv(context)));
        let meta = meta.parse().map_err(|_| Status::internal("a stream cannot be asked for"))?;
        request.metadata_mut().insert("request", meta);
        self.router.stream(request).await
    }

    async fn call(&mut self, uuid: &str, method: &str, args: Vec<Value>) -> Result<Value> {
        let request = DriverCallRequest { uuid: uuid.to_owned(), method: method.to_owned(), args };
        let response = self.exporter.driver_call(request).await.map_err(|status| failed(method, &status))?;
        Ok(response.into_inner().result.unwrap_or_else(value::null))
    }

    /// Starts a flash with the files at `paths`, which are those of the order, and follows it. They are sent once the exporter has
    /// reserved the board; from then on the flash goes on when this client goes away. `sent` hears how many bytes have gone.
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
        let text = order.json();
        if text.len() > order::LONGEST {
            let what = format!("the order has {} bytes, an exporter takes {}", text.len(), order::LONGEST);
            return Err(Error::config(what).help("give fewer or shorter headers and `--preflash` commands"));
        }
        let (frames, outward) = mpsc::channel(8);
        let mut args = vec![value::text(text)];
        if !paths.is_empty() {
            let meta = serde_json::json!({ "kind": "resource", "uuid": board.flasher, "x_jmp_content_encoding": null });
            args.push(self.open_stream(&meta.to_string(), outward).await?);
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
        let request =
            StreamingDriverCallRequest { uuid: board.flasher.clone(), method: "flash_job".to_owned(), args };
        let answer = self.exporter.streaming_driver_call(request).await;
        let events = answer.map_err(|status| job_refused(&status))?.into_inner();
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

fn refused(address: &str, status: &Status) -> Error {
    let error = Error::infrastructure(format!("the exporter at {address} refuses: {}", status.message()));
    match status.code() {
        tonic::Code::Unauthenticated => {
            error.help("give its passphrase with `--remote-passphrase-file`").retryable(false)
        }
        _ => error,
    }
}

/// An order is well-formed, so what an exporter does not understand of it is of another release.
fn job_refused(status: &Status) -> Error {
    match status.code() {
        tonic::Code::InvalidArgument => failed("flash_job", status)
            .help("use the same release of `flasher` here and on the exporter's machine")
            .retryable(false),
        _ => failed("flash_job", status),
    }
}

fn failed(what: &str, status: &Status) -> Error {
    let class = match status.code() {
        tonic::Code::InvalidArgument => Class::Config,
        _ => Class::Infrastructure,
    };
    Error::new(class, format!("the exporter refused `{what}`: {}", status.message()))
}
