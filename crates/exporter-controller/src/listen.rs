//! Connections of clients, as the controller announces them while a lease lasts.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use exporter_grpc::LeasedExporter;
use exporter_wire::proto::{ListenRequest, ListenResponse};
use flasher_core::CancellationToken;
use tokio::sync::Semaphore;
use tonic::{Code, Response, Status, Streaming};

use crate::backoff::Backoff;
use crate::link::Link;
use crate::notice::{Notice, Notices};
use crate::refusal::words;
use crate::tunnel::Tunnel;

/// Between two tries: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// How often another listener may take the place of this one before that is said.
const TAKEN: usize = 2;
/// Connections through routers at a time.
const TUNNELS: usize = 128;

type Opening = Pin<Box<dyn Future<Output = Result<Response<Streaming<ListenResponse>>, Status>> + Send>>;

/// Who listens, and for what.
#[derive(Clone, Debug)]
pub(crate) struct ListenFor {
    pub(crate) link: Link,
    pub(crate) lease: String,
    /// What messages call the clients.
    pub(crate) peer: String,
    pub(crate) exporter: Arc<LeasedExporter>,
    /// Ends it.
    pub(crate) over: CancellationToken,
    pub(crate) notices: Notices,
}

/// Takes connections until the lease is over. When this returns, the controller's answer is still out, and what is reported
/// from now on comes after the question.
pub(crate) async fn listen(what: ListenFor) {
    let mut opening = open(&what);
    // The answer comes with the first client, so only the question is waited for.
    let first = poll_fn(|context| Poll::Ready(opening.as_mut().poll(context))).await;
    let over = what.over.clone();
    tokio::spawn(async move {
        let work = async move {
            let answer = match first {
                Poll::Ready(answer) => answer,
                Poll::Pending => opening.await,
            };
            keep_listening(what, answer).await;
        };
        over.run_until_cancelled(work).await;
    });
}

fn open(what: &ListenFor) -> Opening {
    let (mut client, lease_name) = (what.link.client(), what.lease.clone());
    Box::pin(async move { client.listen(ListenRequest { lease_name }).await })
}

async fn keep_listening(what: ListenFor, mut answer: Result<Response<Streaming<ListenResponse>>, Status>) {
    let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
    let places = Arc::new(Semaphore::new(TUNNELS));
    let mut taken = 0;
    loop {
        let ended = match answer {
            Ok(stream) => follow(&what, stream.into_inner(), &places, &mut backoff).await,
            Err(status) => status,
        };
        tracing::debug!(lease = what.lease, why = words(&ended), "listening for clients is begun anew");
        // Only one listener of a lease is kept. One end in good order may be that of the lease; several come from another listener.
        taken += usize::from(ended.code() == Code::Ok);
        if taken == TAKEN {
            taken += 1;
            what.notices.send(Notice::Rival { lease: what.lease.clone() });
        }
        backoff.pause().await;
        answer = open(&what).await;
    }
}

/// Follows one stream to its end, and gives why it ended.
async fn follow(
    what: &ListenFor,
    mut stream: Streaming<ListenResponse>,
    places: &Arc<Semaphore>,
    backoff: &mut Backoff,
) -> Status {
    loop {
        let message = match stream.message().await {
            Ok(Some(message)) => message,
            Ok(None) => return Status::ok("the stream ended"),
            Err(status) => return status,
        };
        backoff.reset();
        let Ok(place) = Arc::clone(places).try_acquire_owned() else {
            tracing::warn!(most = TUNNELS, "a client was refused: too many are connected");
            continue;
        };
        let tunnel = Tunnel {
            link: what.link.clone(),
            exporter: Arc::clone(&what.exporter),
            peer: what.peer.clone(),
            over: what.over.clone(),
        };
        tokio::spawn(async move {
            if let Err(why) = tunnel.carry(message).await {
                tracing::warn!(why, "a client could not be connected; it will try again");
            }
            drop(place);
        });
    }
}
