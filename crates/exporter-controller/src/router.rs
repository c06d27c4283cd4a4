//! One connection through a router: the bytes of a whole HTTP/2 connection, both ways.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use exporter_wire::proto::router_service_client::RouterServiceClient;
use exporter_wire::proto::{FrameType, StreamRequest, StreamResponse};
use flasher_base::safe;
use futures_util::{Stream, stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::metadata::AsciiMetadataValue;
use tonic::{Request, Streaming};

use crate::link::Link;
use crate::refusal::words;

/// How long the other end may take to end what has ended here.
const LINGER: Duration = Duration::from_secs(10);
/// Bytes of one message.
const FRAME: usize = 64 * 1024;
/// Messages that wait for the router.
const QUEUE: usize = 16;

/// Where a router is, and what it knows the connection by.
#[derive(Clone)]
pub(crate) struct RouterPlace {
    pub(crate) endpoint: String,
    pub(crate) token: String,
}

/// What goes to the router, and its answer. A router may answer only when the other end has sent something.
pub(crate) type RouterEnds = (mpsc::Sender<StreamRequest>, RouterAnswer);

/// What comes from the router, or why it refused.
pub(crate) type RouterAnswer =
    Pin<Box<dyn Future<Output = Result<Streaming<StreamResponse>, String>> + Send>>;

impl RouterPlace {
    /// Opens the connection. The other end may not be there yet.
    ///
    /// # Errors
    /// Why the router could not be reached.
    pub(crate) async fn open(&self, link: &Link) -> Result<RouterEnds, String> {
        let router = safe::short(&safe::one_line(&self.endpoint), 300);
        let mut token = AsciiMetadataValue::try_from(format!("Bearer {}", self.token))
            .map_err(|_| format!("the controller's token for the router at `{router}` is none"))?;
        token.set_sensitive(true);
        let failed = move |why: String| format!("the router at `{router}` does not connect it: {why}");
        let channel = link.router(&self.endpoint).await;
        let channel = channel.map_err(|error| failed(words(&tonic::Status::from_error(Box::new(error)))))?;
        let (frames, outgoing) = mpsc::channel(QUEUE);
        let mut request = Request::new(requests(outgoing));
        request.metadata_mut().insert("authorization", token);
        let answer = async move {
            let answered = RouterServiceClient::new(channel).stream(request).await;
            answered.map(tonic::Response::into_inner).map_err(|status| failed(words(&status)))
        };
        Ok((frames, Box::pin(answer)))
    }
}

fn requests(outgoing: mpsc::Receiver<StreamRequest>) -> impl Stream<Item = StreamRequest> {
    stream::unfold(outgoing, |mut outgoing| async move { Some((outgoing.recv().await?, outgoing)) })
}

/// The next bytes of the other end; none when its direction has ended, or the whole stream.
pub(crate) async fn next(incoming: &mut Streaming<StreamResponse>) -> Option<Bytes> {
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

/// Both directions until what uses `ours` has ended; then the router may end its own. `first` has come already; `answer` gives what comes
/// then, or none when the router refuses.
pub(crate) async fn pump(
    ours: DuplexStream,
    first: Option<Bytes>,
    answer: impl Future<Output = Option<Streaming<StreamResponse>>>,
    frames: mpsc::Sender<StreamRequest>,
) {
    let (reader, mut writer) = tokio::io::split(ours);
    let mut incoming = None;
    {
        let inward = async {
            if let Some(stream) = answer.await {
                inward(&mut writer, first, incoming.insert(stream)).await;
            }
            writer.shutdown().await.ok(); // who reads it may have ended before
            // Who reads it ends when it has answered what came.
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
    let rest = async { while let Some(Ok(Some(_))) = read(&mut incoming).await {} };
    timeout(LINGER, rest).await.ok();
}

async fn read(
    incoming: &mut Option<Streaming<StreamResponse>>,
) -> Option<Result<Option<StreamResponse>, tonic::Status>> {
    Some(incoming.as_mut()?.message().await)
}

/// What the other end sends.
async fn inward(
    mut writer: impl AsyncWrite + Unpin,
    first: Option<Bytes>,
    incoming: &mut Streaming<StreamResponse>,
) {
    let mut piece = match first {
        Some(first) => Some(first),
        None => next(incoming).await,
    };
    while let Some(data) = piece {
        if writer.write_all(&data).await.is_err() {
            return;
        }
        piece = next(incoming).await;
    }
}

/// What goes to the other end.
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
