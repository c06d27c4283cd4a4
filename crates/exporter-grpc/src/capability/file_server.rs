//! TFTP and HTTP servers. The client that started one owns it until it is stopped or its connection ends.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flasher_core::{FileServer, TransferLog, TransferState, async_trait};
use nix::net::if_::InterfaceFlags;
use prost_types::Value;
use tonic::Code;

use super::{Args, Call, Capability, Method, unanswered};
use crate::claims::{Claim, Key};
use crate::failure::{CallFailure, CallResult};
use crate::value;

/// Bound on starting and stopping.
const ANSWER: Duration = Duration::from_secs(30);

pub(super) const HTTP: &[Method] = &[
    Method::call("start", &[], "nothing, once the port is bound"),
    Method::call("stop", &[], "nothing, once the port is free"),
    Method::call("get_url", &[], "`http://HOST:PORT`, without a slash at the end"),
    Method::call("get_host", &[], "this machine's address"),
    Method::call("get_port", &[], "the bound port; 0 while stopped"),
];
pub(super) const TFTP: &[Method] = &[
    Method::call("start", &[], "nothing, once the port is bound"),
    Method::call("stop", &[], "nothing, once the port is free"),
    Method::call("get_host", &[], "this machine's address"),
    Method::call("get_port", &[], "the bound port; 0 while stopped"),
];

/// A file server for clients.
#[derive(Debug)]
pub(crate) struct FileServerNode {
    server: Arc<dyn FileServer>,
    key: Key,
    http: bool,
    owner: Mutex<Option<(u64, Claim)>>,
}

impl FileServerNode {
    pub(crate) fn new(server: Arc<dyn FileServer>, key: Key, http: bool) -> Self {
        Self { server, key, http, owner: Mutex::default() }
    }

    async fn start(&self, call: &Call) -> CallResult<()> {
        let connection = call.owner.connection;
        // Starting again restarts; the claim of the same connection goes with it.
        let mine = self.owner().take().filter(|(owner, _)| *owner == connection);
        let claim = match mine {
            Some((_, claim)) => claim,
            None => {
                call.shared
                    .claims
                    .take(&[self.key.into()], self.role(), &call.connection, Duration::ZERO)
                    .await?
            }
        };
        let log = call.shared.log.clone();
        let transfers = TransferLog::new(move |transfer| {
            let what = match transfer.state {
                TransferState::Begun { .. } => "begun".to_owned(),
                TransferState::Done { bytes, .. } => format!("done, {bytes} bytes"),
                TransferState::Unconfirmed { bytes, .. } => {
                    format!("all sent, {bytes} bytes acknowledged, the last block not")
                }
                TransferState::SizeAsked { length } => format!("asked for the length only, {length} bytes"),
                TransferState::Failed { bytes, reason } => format!("failed after {bytes} bytes: {reason}"),
            };
            log.driver(format!("{} {} `{}` {what}", transfer.protocol, transfer.peer, transfer.file));
        });
        let address =
            tokio::time::timeout(ANSWER, self.server.start(transfers)).await.map_err(|_| late())??;
        call.shared.log.driver(format!("{} on {address}", self.role()));
        *self.owner() = Some((connection, claim));
        Ok(())
    }

    async fn stop(&self, call: &Call) -> CallResult<()> {
        call.shared.claims.free_for(self.key, call.owner.connection)?;
        tokio::time::timeout(ANSWER, self.server.stop()).await.map_err(|_| late())??;
        self.owner().take();
        Ok(())
    }

    fn role(&self) -> &'static str {
        if self.http { "the HTTP server" } else { "the TFTP server" }
    }

    fn owner(&self) -> std::sync::MutexGuard<'_, Option<(u64, Claim)>> {
        self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn host(&self) -> IpAddr {
        let bound = self.server.address().map(|address| address.ip());
        bound.filter(|address| !address.is_unspecified()).unwrap_or_else(own_address)
    }

    fn port(&self) -> u16 {
        self.server.address().map_or(0, |address| address.port())
    }

    fn url(&self) -> String {
        match self.host() {
            IpAddr::V6(host) => format!("http://[{host}]:{}", self.port()),
            IpAddr::V4(host) => format!("http://{host}:{}", self.port()),
        }
    }
}

#[async_trait]
impl Capability for FileServerNode {
    fn client(&self) -> &str {
        match self.http {
            true => "jumpstarter_driver_http.client.HttpServerClient",
            false => "jumpstarter_driver_tftp.client.TftpServerClient",
        }
    }

    fn methods(&self) -> &'static [Method] {
        if self.http { HTTP } else { TFTP }
    }

    async fn call(&self, method: &str, _args: Args, call: &Call) -> CallResult<Value> {
        match method {
            "start" => self.start(call).await.map(|()| value::null()),
            "stop" => self.stop(call).await.map(|()| value::null()),
            "get_host" => Ok(value::text(self.host().to_string())),
            "get_port" => Ok(value::count(self.port().into())),
            "get_url" => Ok(value::text(self.url())),
            other => Err(unanswered(other)),
        }
    }

    async fn release(&self, connection: u64) {
        let mine = self.owner().take_if(|(owner, _)| *owner == connection);
        if let Some((_, claim)) = mine {
            if let Ok(Err(error)) = tokio::time::timeout(ANSWER, self.server.stop()).await {
                tracing::warn!(error = %error.cause(), "a file server could not be stopped");
            }
            drop(claim);
        }
    }
}

fn late() -> CallFailure {
    CallFailure::new(
        Code::DeadlineExceeded,
        format!("the server did not answer within {} s", ANSWER.as_secs()),
    )
}

/// The address under which boards reach this machine, when none is configured: that of the way out, or else that of any
/// interface but `lo`, or else loopback.
fn own_address() -> IpAddr {
    let outward = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        // Connecting a UDP socket sends nothing; it only asks the kernel for the route (spec section 4.8 has the address).
        socket.connect((Ipv4Addr::new(192, 175, 48, 1), 53)).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    };
    outward().or_else(first_interface).unwrap_or(Ipv4Addr::LOCALHOST.into())
}

fn first_interface() -> Option<IpAddr> {
    let all = nix::ifaddrs::getifaddrs().ok()?;
    let mut up = all.filter(|it| it.flags.contains(InterfaceFlags::IFF_UP));
    up.find_map(|it| {
        let address = it.address?.as_sockaddr_in()?.ip();
        (!address.is_loopback()).then_some(address.into())
    })
}
