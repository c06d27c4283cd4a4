//! One client's connection through a router: the bytes of its whole HTTP/2 connection, both ways.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use exporter_grpc::LeasedExporter;
use exporter_wire::proto::router_service_client::RouterServiceClient;
use exporter_wire::proto::{FrameType, ListenResponse, StreamRequest, StreamResponse};
use flasher_base::safe;
use flasher_core::CancellationToken;
use futures_util::{Stream, stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::metadata::AsciiMetadataValue;
use tonic::{Request, Streaming};

use crate::link::Link;
use crate::refusal::words;

/// How long a client may take to say its first word; some connections are never used.
const LONELY: Duration = Duration::from_secs(60);
/// How long the other end may take to end what has ended here.
const LINGER: Duration = Duration::from_secs(10);
/// Bytes of one message.
const FRAME: usize = 64 * 1024;
/// Messages that wait for the router.
const QUEUE: usize = 16;
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
        let (frames, outgoing) = mpsc::channel(QUEUE);
        let opened = async {
            let mut incoming = self.open(place, outgoing).await?;
            Ok::<_, String>((next(&mut incoming).await, incoming))
        };
        let Some(opened) = self.over.run_until_cancelled(timeout(LONELY, opened)).await else {
            return Ok(());
        };
        // A connection that is never used is usual: clients make one to see whether they can.
        let Ok(opened) = opened else { return Ok(()) };
        let (first, incoming) = opened?;
        let Some(first) = first else { return Ok(()) };
        let (ours, theirs) = tokio::io::duplex(PIPE);
        self.exporter.connect(theirs, self.peer);
        pump(ours, first, incoming, frames).await;
        Ok(())
    }

    async fn open(
        &self,
        place: ListenResponse,
        outgoing: mpsc::Receiver<StreamRequest>,
    ) -> Result<Streaming<StreamResponse>, String> {
        let router = safe::short(&safe::one_line(&place.router_endpoint), 300);
        let mut token = AsciiMetadataValue::try_from(format!("Bearer {}", place.router_token))
            .map_err(|_| format!("the controller's token for the router at `{router}` is none"))?;
        token.set_sensitive(true);
        let failed = |why: String| format!("the router at `{router}` does not connect it: {why}");
        let channel = self.link.router(&place.router_endpoint).await;
        let channel = channel.map_err(|error| failed(words(&tonic::Status::from_error(Box::new(error)))))?;
        let mut request = Request::new(requests(outgoing));
        request.metadata_mut().insert("authorization", token);
        let answered = RouterServiceClient::new(channel).stream(request).await;
        answered.map(tonic::Response::into_inner).map_err(|status| failed(words(&status)))
    }
}

fn requests(outgoing: mpsc::Receiver<StreamRequest>) -> impl Stream<Item = StreamRequest> {
    stream::unfold(outgoing, |mut outgoing| async move { Some((outgoing.recv().await?, outgoing)) })
}

/// The next bytes of the client; none when its direction has ended, or the whole stream.
async fn next(incoming: &mut Streaming<StreamResponse>) -> Option<Bytes> {
    loop {
        let frame = incoming.message().await.ok()??;
        // A type that is not known reads as DATA, which it is not.
        let is_data = frame.frame_type == i32::from(FrameType::Data);
        match frame.frame_type() {
            FrameType::Data if is_data && !frame.payload.is_empty() => return Some(frame.payload),
            FrameType::Goaway | FrameType::RstStream => return None,
            // Pings, and what is unknown, mean nothing here.
            _ => {}
        }
    }
}

/// Both directions until our server has ended; then the router may end its own.
async fn pump(
    ours: DuplexStream,
    first: Bytes,
    mut incoming: Streaming<StreamResponse>,
    frames: mpsc::Sender<StreamRequest>,
) {
    let (reader, writer) = tokio::io::split(ours);
    {
        let inward = async {
            inward(writer, first, &mut incoming).await;
            // Our server ends when it has answered what came.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = outward(reader, &frames) => {}
            () = inward => {}
        }
    }
    let farewell = StreamRequest { payload: Bytes::new(), frame_type: FrameType::Goaway.into() };
    // The router may be gone: then there is no one to say it to.
    timeout(LINGER, frames.send(farewell)).await.ok();
    drop(frames);
    let rest = async { while let Ok(Some(_)) = incoming.message().await {} };
    timeout(LINGER, rest).await.ok();
}

/// What the client sends, to our server.
async fn inward(mut writer: impl AsyncWrite + Unpin, first: Bytes, incoming: &mut Streaming<StreamResponse>) {
    let mut piece = Some(first);
    while let Some(data) = piece {
        if writer.write_all(&data).await.is_err() {
            return;
        }
        piece = next(incoming).await;
    }
    writer.shutdown().await.ok(); // our server may have ended before
}

/// What our server sends, to the client.
async fn outward(mut reader: impl AsyncRead + Unpin, frames: &mpsc::Sender<StreamRequest>) {
    let mut buffer = BytesMut::with_capacity(FRAME);
    loop {
        buffer.reserve(FRAME);
        match reader.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        while !buffer.is_empty() {
            let payload = buffer.split_to(buffer.len().min(FRAME)).freeze();
            if frames.send(StreamRequest { payload, frame_type: FrameType::Data.into() }).await.is_err() {
                return;
            }
        }
    }
}
