//! Calls to the controller: one channel that connects anew by itself, and the identity that every call carries.

use std::time::Duration;

use exporter_wire::proto::client::client_service_client::ClientServiceClient;
use exporter_wire::proto::controller_service_client::ControllerServiceClient;
use exporter_wire::tls::{Trust, connector_of, secured};
use exporter_yaml::ControllerAccess;
use flasher_core::{Error, Result};
use tokio_rustls::TlsConnector;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};

/// Bound on connecting, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// Bytes on their way in, of one stream and of one connection: clients send images.
const STREAM_WINDOW: u32 = 4 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;

/// The controller, as calls go to it.
pub(crate) type ControllerClient = ControllerServiceClient<InterceptedService<Channel, Identity>>;

/// The same, for what clients ask.
pub(crate) type LeaseClient = ClientServiceClient<InterceptedService<Channel, Identity>>;

/// What this is in the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkKind {
    Exporter,
    Client,
}

impl LinkKind {
    /// As the controller calls it.
    fn wire_name(self) -> &'static str {
        match self {
            Self::Exporter => "Exporter",
            Self::Client => "Client",
        }
    }
}

/// The way to the controller and its routers.
#[derive(Clone)]
pub(crate) struct Link {
    channel: Channel,
    identity: Identity,
    tls: TlsConnector,
    keepalive: (Duration, Duration),
    /// The controller's address, for messages.
    pub(crate) endpoint: String,
    pub(crate) kind: LinkKind,
    /// Who this is there.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Link {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When the settings cannot be used: no certificate in `tls.ca`, no address, a token that is none.
    pub(crate) fn new(settings: &ControllerAccess, kind: LinkKind) -> Result<Self> {
        let trust = match (&settings.authority, settings.insecure) {
            (_, true) => Trust::Anyone,
            (Some(pem), false) => Trust::Authority(pem.clone(), "tls.ca".to_owned()),
            (None, false) => Trust::System,
        };
        let tls = connector_of(&trust)?;
        let endpoint = endpoint(&settings.endpoint).map_err(|error| {
            Error::config(format!("`{}` is no address of a controller", settings.endpoint))
                .help("give `endpoint: HOST:PORT`")
                .because(error)
        })?;
        let (interval, timeout) = settings.keepalive;
        let endpoint = endpoint.http2_keep_alive_interval(interval).keep_alive_timeout(timeout);
        let channel = lazy(&endpoint.keep_alive_while_idle(true), tls.clone());
        let (identity, keepalive) = (Identity::new(settings, kind)?, settings.keepalive);
        let (namespace, name) = (settings.namespace.clone(), settings.name.clone());
        let endpoint = settings.endpoint.clone();
        Ok(Self { channel, identity, tls, keepalive, endpoint, kind, namespace, name })
    }

    /// What calls the controller.
    pub(crate) fn client(&self) -> ControllerClient {
        ControllerServiceClient::with_interceptor(self.channel.clone(), self.identity.clone())
    }

    /// A client of the controller for what clients of the lab ask.
    pub(crate) fn leases(&self) -> LeaseClient {
        ClientServiceClient::with_interceptor(self.channel.clone(), self.identity.clone())
    }

    /// Connects to a router. Pings go only while a stream is open: others are not allowed everywhere.
    ///
    /// # Errors
    /// What keeps it from connecting.
    pub(crate) async fn router(&self, address: &str) -> Result<Channel, tonic::transport::Error> {
        let (interval, timeout) = self.keepalive;
        let endpoint = endpoint(address)?.http2_keep_alive_interval(interval).keep_alive_timeout(timeout);
        endpoint.connect_with_connector(connector(self.tls.clone())).await
    }
}

fn endpoint(address: &str) -> Result<Endpoint, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    let origin: Option<Uri> = format!("https://{address}").parse().ok();
    let endpoint = match origin {
        Some(origin) => endpoint.origin(origin),
        None => endpoint,
    };
    Ok(endpoint
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW))
}

fn lazy(endpoint: &Endpoint, tls: TlsConnector) -> Channel {
    endpoint.connect_with_connector_lazy(connector(tls))
}

/// What makes the connections of a channel.
fn connector(
    tls: TlsConnector,
) -> impl tower::Service<
    Uri,
    Response = impl hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    Error = std::io::Error,
    Future = impl Send + 'static,
> + Send
+ Clone
+ 'static {
    tower::service_fn(move |uri: Uri| {
        let tls = tls.clone();
        async move { secured(&tls, &uri).await }
    })
}

/// What every call carries: who asks, and its proof.
#[derive(Clone)]
pub(crate) struct Identity([(&'static str, AsciiMetadataValue); 4]);

impl Identity {
    fn new(settings: &ControllerAccess, kind: LinkKind) -> Result<Self> {
        let value = |key: &str, text: &str| {
            AsciiMetadataValue::try_from(text).map_err(|_| {
                Error::config(format!("`{key}` has characters that cannot be sent"))
                    .help("letters, digits and `-._` can; was the file cut or changed?")
            })
        };
        let mut token = value("token", &format!("Bearer {}", settings.token.reveal()))?;
        token.set_sensitive(true);
        Ok(Self([
            ("authorization", token),
            ("jumpstarter-kind", AsciiMetadataValue::from_static(kind.wire_name())),
            ("jumpstarter-namespace", value("metadata.namespace", &settings.namespace)?),
            ("jumpstarter-name", value("metadata.name", &settings.name)?),
        ]))
    }
}

impl Interceptor for Identity {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for (key, value) in &self.0 {
            request.metadata_mut().insert(*key, value.clone());
        }
        Ok(request)
    }
}
