//! The calls and streams of a connection to an exporter.

use std::path::Path;

use flasher_core::{Class, Error, Result};
use prost_types::Value;
use tokio::sync::mpsc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};

use super::channel::channel;
use crate::passphrase::{HEADER, Passphrase};
use crate::proto::exporter_service_client::ExporterServiceClient;
use crate::proto::router_service_client::RouterServiceClient;
use crate::proto::{
    DriverCallRequest, DriverInstanceReport, StreamRequest, StreamResponse, StreamingDriverCallRequest,
    StreamingDriverCallResponse,
};
use crate::value;

/// Largest message that is taken, bytes: a receipt has up to 250 bytes for each 16 MiB of the medium.
const LARGEST_RECEIPT: usize = 64 << 20;

/// A connection to an exporter; clones share it.
#[derive(Clone)]
pub(super) struct Link {
    exporter: ExporterServiceClient<InterceptedService<Channel, PassphraseInterceptor>>,
    router: RouterServiceClient<InterceptedService<Channel, PassphraseInterceptor>>,
    /// `HOST:PORT`.
    pub(super) address: String,
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

impl Link {
    /// Connects, and asks for the nodes of the driver tree.
    ///
    /// # Errors
    /// When there is no answer, or the exporter refuses the connection.
    pub(super) async fn connect(
        address: &str,
        passphrase: Option<&Passphrase>,
        ca: Option<&Path>,
    ) -> Result<(Self, Vec<DriverInstanceReport>)> {
        let channel = channel(address, ca).await?;
        let secret = passphrase.map(|secret| secret.reveal().parse::<MetadataValue<Ascii>>()).transpose();
        let secret = PassphraseInterceptor(
            secret.map_err(|_| Error::config("the passphrase is no text for a header"))?,
        );
        let mut exporter = ExporterServiceClient::with_interceptor(channel.clone(), secret.clone())
            .max_decoding_message_size(LARGEST_RECEIPT);
        let router = RouterServiceClient::with_interceptor(channel, secret);
        let report = exporter.get_report(()).await.map_err(|status| refused(address, &status))?;
        Ok((Self { exporter, router, address: address.to_owned() }, report.into_inner().reports))
    }

    /// A stream for the data of a call, and its handle.
    pub(super) async fn open_stream(
        &mut self,
        meta: &str,
        outward: mpsc::Receiver<StreamRequest>,
    ) -> Result<Value> {
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

    /// A stream for what `meta` says (docs/wire.md, Streams).
    pub(super) async fn stream(
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

    /// The result of a call.
    pub(super) async fn call(&mut self, uuid: &str, method: &str, args: Vec<Value>) -> Result<Value> {
        let request = DriverCallRequest { uuid: uuid.to_owned(), method: method.to_owned(), args };
        let response = self.exporter.driver_call(request).await.map_err(|status| failed(method, &status))?;
        Ok(response.into_inner().result.unwrap_or_else(value::null))
    }

    /// The results of a streaming call.
    pub(super) async fn results(
        &mut self,
        uuid: &str,
        method: &str,
        args: Vec<Value>,
    ) -> std::result::Result<Streaming<StreamingDriverCallResponse>, Status> {
        let request = StreamingDriverCallRequest { uuid: uuid.to_owned(), method: method.to_owned(), args };
        self.exporter.streaming_driver_call(request).await.map(Response::into_inner)
    }
}

fn refused(address: &str, status: &Status) -> Error {
    let error = Error::infrastructure(format!("the exporter at {address} refuses: {}", status.message()));
    match status.code() {
        Code::Unauthenticated => {
            error.help("give its passphrase with `--remote-passphrase-file`").retryable(false)
        }
        _ => error,
    }
}

/// What an exporter's refusal of `what` is here.
pub(super) fn failed(what: &str, status: &Status) -> Error {
    let class = match status.code() {
        Code::InvalidArgument => Class::Config,
        _ => Class::Infrastructure,
    };
    Error::new(class, format!("the exporter refused `{what}`: {}", status.message()))
}
