//! Waiting until the exporter of a lease takes calls: a hook of the lab may run first.

use std::time::Duration;

use exporter_wire::proto::exporter_service_client::ExporterServiceClient;
use exporter_wire::proto::{ExporterStatus, GetStatusRequest};
use flasher_base::safe;
use flasher_core::{Error, Result};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::{ClientLease, LeaseNotice};
use crate::reporter::bounded;

/// How long a hook may keep the exporter from its client.
const READY: Duration = Duration::from_secs(300);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(300);
/// Longest text of an exporter in a message of ours, characters.
const LONGEST: usize = 300;

impl ClientLease {
    /// Waits until the exporter takes calls. What it does meanwhile is said to `told`.
    ///
    /// # Errors
    /// Class infrastructure when it cannot be reached, its hook fails, or it does not get ready in time.
    pub async fn until_ready(&self, told: impl Fn(LeaseNotice) + Send + Sync) -> Result<()> {
        let (begun, mut said) = (Instant::now(), None);
        let mut exporter = ExporterServiceClient::new(self.channel().await?);
        loop {
            let (status, message) = match bounded(exporter.get_status(GetStatusRequest {})).await {
                Ok(answer) => (answer.get_ref().status(), answer.into_inner().message.unwrap_or_default()),
                // It knows no status, so it has none to wait for.
                Err(status) if status.code() == Code::Unimplemented => return Ok(()),
                Err(status) => return Err(self.unreached(&status).await),
            };
            let message = safe::short(&safe::one_line(&message), LONGEST);
            match status {
                ExporterStatus::LeaseReady | ExporterStatus::Unspecified => return Ok(()),
                ExporterStatus::BeforeLeaseHookFailed | ExporterStatus::Offline => {
                    return Err(self.not_ready(&message));
                }
                _ if begun.elapsed() > READY => {
                    let seconds = READY.as_secs();
                    return Err(self.not_ready(&format!("it was not ready within {seconds} s: {message}")));
                }
                status if said != Some(status) => {
                    told(LeaseNotice::GettingReady(message));
                    said = Some(status);
                }
                _ => {}
            }
            sleep(PAUSE).await;
        }
    }

    fn not_ready(&self, why: &str) -> Error {
        Error::infrastructure(format!("the exporter `{}` refuses its client: {why}", self.exporter))
            .help("a hook of the lab runs before each lease; the lab's administrator knows it")
    }

    async fn channel(&self) -> Result<Channel> {
        let stream = self.connect().await?;
        let mut stream = Some(stream);
        let connect = tower::service_fn(move |_| {
            let stream = stream.take().map(TokioIo::new);
            std::future::ready(stream.ok_or_else(|| std::io::Error::other("the connection was used up")))
        });
        // The name is only sent along: the router's stream is the way.
        let connected = Endpoint::from_static("http://localhost").connect_with_connector(connect).await;
        match connected {
            Ok(channel) => Ok(channel),
            Err(error) => Err(self.unreached(&Status::from_error(Box::new(error))).await),
        }
    }
}
