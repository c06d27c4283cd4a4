//! One client's connection through a router, into our own server.

use std::sync::Arc;
use std::time::Duration;

use exporter_grpc::LeasedExporter;
use exporter_wire::proto::ListenResponse;
use flasher_core::CancellationToken;
use tokio::time::timeout;

use crate::link::Link;
use crate::router::{RouterPlace, next, pump};

/// How long a client may take to say its first word; some connections are never used.
const LONELY: Duration = Duration::from_secs(60);
/// Bytes between the router and our own server.
const PIPE: usize = 512 * 1024;

/// Where a tunnel begins and ends.
#[derive(Debug)]
pub(crate) struct Tunnel {
    pub(crate) link: Link,
    pub(crate) exporter: Arc<LeasedExporter>,
    /// What messages call the client.
    pub(crate) peer: String,
    /// Ends a tunnel that no client uses yet. One in use ends with its connection.
    pub(crate) over: CancellationToken,
}

impl Tunnel {
    /// Carries the bytes of one client to our own server and back, until either ends.
    ///
    /// # Errors
    /// Why the router could not be reached, or refused.
    pub(crate) async fn carry(self, place: ListenResponse) -> Result<(), String> {
        let place = RouterPlace { endpoint: place.router_endpoint, token: place.router_token };
        let opened = async {
            let (frames, answer) = place.open(&self.link).await?;
            let mut incoming = answer.await?;
            Ok::<_, String>((next(&mut incoming).await, frames, incoming))
        };
        let Some(opened) = self.over.run_until_cancelled(timeout(LONELY, opened)).await else {
            return Ok(());
        };
        // A connection that is never used is usual: clients make one to see whether they can.
        let Ok(opened) = opened else { return Ok(()) };
        let (first, frames, incoming) = opened?;
        let Some(first) = first else { return Ok(()) };
        let (ours, theirs) = tokio::io::duplex(PIPE);
        self.exporter.connect(theirs, self.peer);
        pump(ours, Some(first), std::future::ready(Some(incoming)), frames).await;
        Ok(())
    }
}
