//! The calls and streams of a connection to an exporter.

use std::fmt;
use std::time::Duration;

use exporter_wire::passphrase::{HEADER, Passphrase};
use exporter_wire::proto::exporter_service_client::ExporterServiceClient;
use exporter_wire::proto::router_service_client::RouterServiceClient;
use exporter_wire::proto::{
    DriverCallRequest, DriverInstanceReport, StreamRequest, StreamResponse, StreamingDriverCallRequest,
    StreamingDriverCallResponse,
};
use exporter_wire::value;
use flasher_core::{Class, Error, Result};
use prost_types::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::access::RemoteAccess;
use crate::channel::{channel, through};

/// Largest message that is taken, bytes: a receipt has up to 250 bytes for each 16 MiB of the medium.
const LARGEST_RECEIPT: usize = 64 << 20;
/// Bound on the answer to a call; longer than any exporter of ours waits for a device.
const ANSWER: Duration = Duration::from_secs(120);
/// Bound on the beginning of a stream, and on the report of the nodes.
const BEGIN: Duration = Duration::from_secs(30);

type Calls<T> = std::result::Result<T, Status>;

/// A connection to an exporter, for calls and streams by the UUID of a node; clones share it. It connects again by itself
/// when the network was away; an exporter that was started anew has other UUIDs.
#[derive(Clone)]
pub struct Link {
    exporter: ExporterServiceClient<InterceptedService<Channel, PassphraseInterceptor>>,
    router: RouterServiceClient<InterceptedService<Channel, PassphraseInterceptor>>,
    /// `HOST:PORT`.
    pub(crate) address: String,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Puts the passphrase into every request.
#[derive(Clone)]
struct PassphraseInterceptor(Option<MetadataValue<Ascii>>);

impl Interceptor for PassphraseInterceptor {
    fn call(&mut self, mut request: Request<()>) -> Calls<Request<()>> {
        if let Some(secret) = &self.0 {
            request.metadata_mut().insert(HEADER, secret.clone());
        }
        Ok(request)
    }
}

impl PassphraseInterceptor {
    fn new(passphrase: Option<&Passphrase>) -> Result<Self> {
        let secret = passphrase.map(|secret| secret.reveal().parse::<MetadataValue<Ascii>>()).transpose();
        let mut secret = secret.map_err(|_| Error::config("the passphrase is no text for a header"))?;
        secret.iter_mut().for_each(|secret| secret.set_sensitive(true));
        Ok(Self(secret))
    }
}

impl Link {
    /// Connects, and asks for the nodes of the driver tree.
    ///
    /// # Errors
    /// When there is no answer, or the exporter refuses the connection.
    pub(crate) async fn connect(access: &RemoteAccess) -> Result<(Self, Vec<DriverInstanceReport>)> {
        let secret = PassphraseInterceptor::new(access.passphrase().await?.as_ref())?;
        let address = access.address.clone();
        let channel = match &access.tunnel {
            Some(tunnel) => through(tunnel).await?,
            None => channel(&address, access.ca_file.as_deref()).await?,
        };
        let mut exporter = ExporterServiceClient::with_interceptor(channel.clone(), secret.clone())
            .max_decoding_message_size(LARGEST_RECEIPT);
        let router = RouterServiceClient::with_interceptor(channel, secret);
        let report = timeout(BEGIN, exporter.get_report(())).await.unwrap_or_else(|_| Err(late(BEGIN)));
        let report = report.map_err(|status| refused(&address, &status))?;
        Ok((Self { exporter, router, address }, report.into_inner().reports))
    }

    /// The handle of a stream for the data of a call, and what comes from it.
    pub(crate) async fn open_stream(
        &self,
        meta: &str,
        outward: mpsc::Receiver<StreamRequest>,
    ) -> Result<(Value, Streaming<StreamResponse>)> {
        let response = self.stream(meta, outward).await.map_err(|status| failed("open a stream", &status))?;
        let handle =
            response.metadata().get("resource").and_then(|text| text.to_str().ok()).map(str::to_owned);
        let inward = response.into_inner();
        let handle: Option<serde_json::Value> = handle.and_then(|text| serde_json::from_str(&text).ok());
        let uuid = handle.as_ref().and_then(|handle| handle["uuid"].as_str());
        let uuid = uuid.ok_or_else(|| Error::infrastructure("the exporter gave no handle for a stream"))?;
        let handle = value::record([("kind", value::text("client_stream")), ("uuid", value::text(uuid))]);
        Ok((handle, inward))
    }

    /// A stream for what `meta` says (docs/wire.md, Streams). Its beginning has a deadline, the stream has none.
    ///
    /// # Errors
    /// The status of the exporter, or `DEADLINE_EXCEEDED`.
    pub async fn stream(
        &self,
        meta: &str,
        mut outward: mpsc::Receiver<StreamRequest>,
    ) -> Calls<Response<Streaming<StreamResponse>>> {
        let mut request =
            Request::new(futures_util::stream::poll_fn(move |context| outward.poll_recv(context)));
        let meta = meta.parse().map_err(|_| Status::internal("a stream cannot be asked for"))?;
        request.metadata_mut().insert("request", meta);
        let mut router = self.router.clone();
        timeout(BEGIN, router.stream(request)).await.unwrap_or_else(|_| Err(late(BEGIN)))
    }

    /// The result of a call of the node's `method`, within a deadline.
    ///
    /// # Errors
    /// The status of the exporter, or `DEADLINE_EXCEEDED`.
    pub async fn call(&self, uuid: &str, method: &str, args: Vec<Value>) -> Calls<Value> {
        let request = DriverCallRequest { uuid: uuid.to_owned(), method: method.to_owned(), args };
        let mut exporter = self.exporter.clone();
        let response =
            timeout(ANSWER, exporter.driver_call(request)).await.unwrap_or_else(|_| Err(late(ANSWER)))?;
        Ok(response.into_inner().result.unwrap_or_else(value::null))
    }

    /// The results of a streaming call of the node's `method`. How long one lasts is not known here.
    ///
    /// # Errors
    /// The status of the exporter.
    pub async fn results(
        &self,
        uuid: &str,
        method: &str,
        args: Vec<Value>,
    ) -> Calls<Streaming<StreamingDriverCallResponse>> {
        let request = StreamingDriverCallRequest { uuid: uuid.to_owned(), method: method.to_owned(), args };
        let mut exporter = self.exporter.clone();
        exporter.streaming_driver_call(request).await.map(Response::into_inner)
    }
}

fn late(bound: Duration) -> Status {
    Status::deadline_exceeded(format!("no answer within {} s", bound.as_secs()))
}

fn refused(address: &str, status: &Status) -> Error {
    let error = Error::infrastructure(format!("the exporter at {address} refuses: {}", status.message()));
    match status.code() {
        Code::Unauthenticated => error
            .help("give its passphrase with `--remote-passphrase-file`, or as `passphrase_file` in an exporter YAML")
            .retryable(false),
        _ => error,
    }
}

/// What an exporter's refusal of `what` is here.
pub(crate) fn failed(what: &str, status: &Status) -> Error {
    let class = match status.code() {
        Code::InvalidArgument => Class::Config,
        _ => Class::Infrastructure,
    };
    Error::new(class, format!("the exporter refused `{what}`: {}", status.message()))
        .help("`flasher doctor` on the exporter's machine looks at what it has")
}
