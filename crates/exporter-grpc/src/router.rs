//! RouterService: byte streams of drivers, and streams that carry the data of a call.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use crate::capability::{Kind, SerialStream, find};
use crate::claims::Claim;
use crate::failure::{CallFailure, CallResult};
use crate::metrics::StreamCount;
use crate::proto::router_service_server::RouterService;
use crate::proto::{FrameType, StreamRequest, StreamResponse};
use crate::resource::{Encoding, Pipe, StreamItem};
use crate::service::Service;
use crate::storage::files::short;

/// Bytes of one frame from a serial line.
const FRAME: usize = 16 * 1024;
/// Frames from a serial line that wait for the client.
const QUEUE: usize = 32;
/// How long a client may take to end a stream whose data has ended.
const LINGER: Duration = Duration::from_secs(30);
/// Longest text of the metadata `request`, bytes.
const LONGEST: usize = 8192;

/// What the metadata `request` asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum StreamRequestMeta {
    /// A byte stream of a driver.
    Driver { uuid: String, method: String },
    /// A stream for the data of a call that follows.
    Resource {
        uuid: String,
        #[serde(default)]
        x_jmp_content_encoding: Option<String>,
    },
}

/// The metadata `resource` of the response.
#[derive(Debug, Serialize)]
struct ResourceMeta {
    kind: &'static str,
    uuid: String,
    x_jmp_content_encoding: Option<&'static str>,
}

type ResponseFrames = Pin<Box<dyn Stream<Item = Result<StreamResponse, Status>> + Send>>;

#[tonic::async_trait]
impl RouterService for Service {
    type StreamStream = ResponseFrames;

    async fn stream(
        &self,
        request: Request<Streaming<StreamRequest>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        self.session.gate.pass()?;
        let stream_request_meta = stream_request_meta(request.metadata())?;
        let permit = Arc::clone(&self.connection.streams).try_acquire_owned();
        let permit = permit.map_err(|_| {
            CallFailure::too_much("this connection has too many streams open; close some first")
        })?;
        match stream_request_meta {
            StreamRequestMeta::Driver { uuid, method } => {
                if let Some(forward) = self.forwarded(&uuid).await? {
                    let meta = |uuid: &str| json!({ "kind": "driver", "uuid": uuid, "method": method });
                    return forward.stream(meta, request.into_inner(), permit).await;
                }
                Ok(self.driver(&uuid, &method, request.into_inner(), permit).await?)
            }
            StreamRequestMeta::Resource { uuid, x_jmp_content_encoding: encoding } => {
                if let Some(forward) = self.forwarded(&uuid).await? {
                    let meta = |uuid: &str| json!({ "kind": "resource", "uuid": uuid, "x_jmp_content_encoding": encoding });
                    return forward.stream(meta, request.into_inner(), permit).await;
                }
                Ok(self.resource(&uuid, encoding.as_deref(), request.into_inner(), permit)?)
            }
        }
    }
}

/// Reads the metadata `request`.
pub(crate) fn stream_request_meta(metadata: &MetadataMap) -> CallResult<StreamRequestMeta> {
    let text =
        metadata.get("request").ok_or_else(|| CallFailure::argument("the metadata `request` is missing"))?;
    let wrong = |why: String| CallFailure::argument(format!("the metadata `request` is malformed: {why}"));
    let text = text.to_str().map_err(|_| wrong("no plain text".to_owned()))?;
    if text.len() > LONGEST {
        return Err(wrong(format!("longer than {LONGEST} bytes")));
    }
    serde_json::from_str(text).map_err(|error| wrong(short(&error.to_string())))
}

impl Service {
    async fn driver(
        &self,
        uuid: &str,
        method: &str,
        incoming: Streaming<StreamRequest>,
        permit: OwnedSemaphorePermit,
    ) -> CallResult<Response<ResponseFrames>> {
        let (capability, call) = self.node(uuid)?;
        let method = find(capability.methods(), method, Kind::Bytes)?;
        let line = capability.connect(method.name, &call).await?;
        let (frames, outgoing) = mpsc::channel(QUEUE);
        let closed = self.connection.closed.clone();
        let count = call.shared.metrics.stream(capability.client());
        let moved = count.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = carry(line, incoming, frames, moved) => {}
                () = closed.cancelled() => {}
            }
            drop(permit);
        });
        Ok(Response::new(frames_of(outgoing, count)))
    }

    fn resource(
        &self,
        uuid: &str,
        encoding: Option<&str>,
        incoming: Streaming<StreamRequest>,
        permit: OwnedSemaphorePermit,
    ) -> CallResult<Response<ResponseFrames>> {
        let (capability, call) = self.node(uuid)?;
        let count = call.shared.metrics.stream(capability.client());
        // What we do not know, the client packs and unpacks by itself when we do not accept it.
        let encoding = encoding.and_then(Encoding::named);
        let (pipe, ends) = Pipe::new(encoding);
        let handle = self.session.shared.resources.add(call.owner, pipe)?;
        let moved = count.clone();
        tokio::spawn(async move {
            collect(incoming, ends.incoming, moved).await;
            drop(permit);
        });
        let name = encoding.map(Encoding::name);
        let answer =
            ResourceMeta { kind: "client_stream", uuid: handle.to_string(), x_jmp_content_encoding: name };
        let mut response = Response::new(frames_of(ends.outgoing, count));
        let text = serde_json::to_string(&answer).ok().and_then(|text| text.parse().ok());
        let text =
            text.ok_or_else(|| CallFailure::new(tonic::Code::Internal, "a handle cannot be written"))?;
        response.metadata_mut().insert("resource", text);
        if let Some(name) = name {
            response
                .metadata_mut()
                .insert("x_jmp_accept_encoding", tonic::metadata::MetadataValue::from_static(name));
        }
        Ok(response)
    }
}

/// Data as frames, with the frame that ends the direction behind them.
fn frames_of(outgoing: mpsc::Receiver<CallResult<Bytes>>, count: StreamCount) -> ResponseFrames {
    let frame = |payload, kind: FrameType| Ok(StreamResponse { payload, frame_type: kind.into() });
    let data = stream::unfold(outgoing, |mut outgoing| async move {
        let piece = outgoing.recv().await?;
        Some((piece, outgoing))
    });
    let end = stream::once(async move { frame(Bytes::new(), FrameType::Goaway) });
    // After an error the stream is over, and its last frame must not say that all went well.
    let mut broken = false;
    let whole = data.map(move |piece| match piece {
        Ok(payload) => {
            count.sent(payload.len());
            frame(payload, FrameType::Data)
        }
        Err(failure) => Err(Status::from(failure)),
    });
    Box::pin(whole.chain(end).take_while(move |frame| {
        let goes_on = !broken;
        broken = frame.is_err();
        std::future::ready(goes_on)
    }))
}

/// The next frame of one direction.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FrameRead {
    Data(Bytes),
    End,
    Broken,
}

/// The next frame with data, or the end: of this direction, or of the stream.
pub(crate) async fn next(incoming: &mut Streaming<StreamRequest>) -> FrameRead {
    loop {
        match incoming.message().await {
            Ok(Some(frame)) if frame.frame_type == i32::from(FrameType::Goaway) => return FrameRead::End,
            Ok(Some(frame))
                if frame.frame_type == i32::from(FrameType::Data) && !frame.payload.is_empty() =>
            {
                return FrameRead::Data(frame.payload);
            }
            // Pings, resets and what is unknown mean nothing here (docs/wire.md, Streams).
            Ok(Some(_)) => {}
            Ok(None) => return FrameRead::End,
            Err(_) => return FrameRead::Broken,
        }
    }
}

/// Hands a client's data to the call that uses it, then reads on to the stream's end: what is dropped earlier is reset,
/// and what a client writes after the end of its data would be answered with errors.
async fn collect(
    mut incoming: Streaming<StreamRequest>,
    pieces: mpsc::Sender<StreamItem>,
    count: StreamCount,
) {
    loop {
        let piece = tokio::select! {
            piece = next(&mut incoming) => piece,
            () = pieces.closed() => return,
        };
        match piece {
            FrameRead::Data(data) => {
                count.received(data.len());
                if pieces.send(StreamItem::Data(data)).await.is_err() {
                    return; // the call has given up
                }
            }
            FrameRead::End => break,
            FrameRead::Broken => {
                pieces.send(StreamItem::Broken(CallFailure::gone())).await.ok(); // the same
                return;
            }
        }
    }
    pieces.send(StreamItem::End).await.ok(); // the same
    drop(pieces);
    let rest = async { while let Ok(Some(_)) = incoming.message().await {} };
    // Who goes on for longer is cut off.
    tokio::time::timeout(LINGER, rest).await.ok();
}

/// Carries bytes both ways until the line or the client ends. When only the client's direction has ended, the line stays
/// open for what still comes, until another client asks for the line.
async fn carry(
    line: SerialStream,
    mut incoming: Streaming<StreamRequest>,
    frames: mpsc::Sender<CallResult<Bytes>>,
    count: StreamCount,
) {
    let SerialStream { stream, claim } = line;
    let (mut reader, mut writer) = tokio::io::split(stream);
    let typed = async {
        loop {
            match next(&mut incoming).await {
                FrameRead::Data(data) => {
                    count.received(data.len());
                    if writer.write_all(&data).await.is_err() || writer.flush().await.is_err() {
                        return;
                    }
                }
                FrameRead::End => {
                    claim.iter().for_each(Claim::linger);
                    // A line that cannot be half closed goes on as it is.
                    writer.shutdown().await.ok();
                    std::future::pending::<()>().await;
                }
                FrameRead::Broken => return,
            }
        }
    };
    let printed = async {
        let mut buffer = BytesMut::with_capacity(FRAME);
        loop {
            buffer.reserve(FRAME);
            match reader.read_buf(&mut buffer).await {
                Ok(0) => return,
                Ok(_) => {
                    if frames.send(Ok(buffer.split().freeze())).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    frames.send(Err(CallFailure::io("read", "the line", &error))).await.ok(); // the client may be gone
                    return;
                }
            }
        }
    };
    let evicted = async {
        match &claim {
            Some(claim) => claim.evicted.cancelled().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = typed => {}
        () = printed => {}
        () = evicted => {}
        () = frames.closed() => {}
    }
}
