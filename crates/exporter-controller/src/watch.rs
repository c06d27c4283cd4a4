//! Who has the exporter, as the controller says it: one stream, opened anew for as long as the exporter lives.

use std::time::Duration;

use exporter_wire::proto::{StatusRequest, StatusResponse};
use tokio::sync::mpsc;
use tonic::Status;

use crate::backoff::Backoff;
use crate::lease::Lease;
use crate::link::Link;
use crate::machine::LeaseEvent;
use crate::notice::{Notice, Notices, RunnerInput};
use crate::refusal::{CallRefusal, advised, words};
use crate::reporter::Reporter;

/// Between two tries: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// Hands over what the controller says, for ever.
pub(crate) async fn watch(
    link: Link,
    inputs: mpsc::Sender<RunnerInput>,
    reporter: Reporter,
    notices: Notices,
) {
    let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
    let mut away = None;
    loop {
        let ended = follow(&link, &inputs, || {
            backoff.reset();
            if away.take().is_some() {
                // It may have taken us for gone meanwhile.
                reporter.repeat();
                notices.send(Notice::ControllerBack);
            }
        });
        let ended = ended.await;
        if inputs.is_closed() {
            return;
        }
        tracing::debug!(why = words(&ended), "the stream of leases has ended");
        // One that went away may come back as another one: that is something else for the operator.
        let refusal = CallRefusal::of(&ended);
        if away.replace(refusal) != Some(refusal) {
            let why = advised(refusal, &ended, link.kind);
            notices.send(Notice::Trouble { what: "the controller is away", why });
        }
        backoff.pause().await;
    }
}

/// Follows one stream to its end, and gives why it ended.
async fn follow(link: &Link, inputs: &mpsc::Sender<RunnerInput>, mut heard: impl FnMut()) -> Status {
    let mut stream = match link.client().status(StatusRequest {}).await {
        Ok(stream) => stream.into_inner(),
        Err(status) => return status,
    };
    loop {
        match stream.message().await {
            Ok(Some(message)) => {
                heard();
                let Some(event) = event(message) else { continue };
                if inputs.send(RunnerInput::Event(event)).await.is_err() {
                    return Status::cancelled("the exporter has ended");
                }
            }
            Ok(None) => return Status::unavailable("the stream ended"),
            Err(status) => return status,
        }
    }
}

/// What a message says; none when it makes no sense.
fn event(message: StatusResponse) -> Option<LeaseEvent> {
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    match (message.leased, said(message.lease_name)) {
        (false, _) => Some(LeaseEvent::Unleased),
        (true, Some(name)) => Some(LeaseEvent::Leased(Lease { name, client: said(message.client_name) })),
        (true, None) => {
            tracing::warn!("the controller speaks of a lease without a name");
            None
        }
    }
}
