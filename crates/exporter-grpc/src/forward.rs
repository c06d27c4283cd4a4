//! What a node is asked that Python runs goes to Python as it is, but for the UUID.

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

use flasher_core::owner::Board;
use futures_util::{Stream, StreamExt};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Request, Response, Status, Streaming};

use crate::claims::{Claims, Key};
use crate::failure::{CallFailure, CallResult};
use crate::proto::{
    DriverCallRequest, DriverCallResponse, StreamRequest, StreamResponse, StreamingDriverCallRequest,
    StreamingDriverCallResponse,
};
use crate::python::{PythonExporter, PythonLink};

/// A node that Python runs.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    pub(crate) python: Arc<PythonExporter>,
    /// Where Python has it, dotted.
    pub(crate) path: String,
    pub(crate) client: String,
    /// The devices of the tree that it, or what is above or below it, stands for.
    pub(crate) keys: Vec<Key>,
    /// What a job in another process has.
    pub(crate) owner: Board,
}

/// Results of a forwarded call, or frames of a forwarded stream.
type Forwarded<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Forward {
    /// Whether this connection may use it: no flash of this exporter or of another process has it.
    ///
    /// # Errors
    /// When another client or job has it; names the holder.
    pub(crate) async fn free(&self, claims: &Claims, connection: u64) -> CallResult<()> {
        self.keys.iter().try_for_each(|key| claims.free_for(*key, connection))?;
        self.owner.refuse_if_held().await.map_err(|error| CallFailure::held(&error))
    }

    /// The connection, and the UUID that the node has there now.
    fn link(&self) -> Result<(Arc<PythonLink>, String), Status> {
        let link = self.python.link()?;
        let uuid = link.uuids.get(&self.path).cloned();
        let uuid = uuid.ok_or_else(|| {
            Status::unavailable(format!("Python was started again and has no `{}` any more", self.path))
        })?;
        Ok((link, uuid))
    }

    pub(crate) async fn driver_call(
        &self,
        request: DriverCallRequest,
    ) -> Result<Response<DriverCallResponse>, Status> {
        let (link, uuid) = self.link()?;
        let answer = link.exporter.clone().driver_call(DriverCallRequest { uuid, ..request }).await;
        answer.map(|response| Response::new(response.into_inner())).map_err(cut)
    }

    pub(crate) async fn streaming_call(
        &self,
        request: StreamingDriverCallRequest,
    ) -> Result<Response<Forwarded<StreamingDriverCallResponse>>, Status> {
        let (link, uuid) = self.link()?;
        let request = StreamingDriverCallRequest { uuid, ..request };
        let results = link.exporter.clone().streaming_driver_call(request).await.map_err(cut)?;
        Ok(Response::new(Box::pin(results.into_inner().map(|result| result.map_err(cut)))))
    }

    /// A byte stream, or one for the data of a call. `meta` gives the metadata `request` with the UUID that Python knows.
    pub(crate) async fn stream(
        &self,
        meta: impl FnOnce(&str) -> serde_json::Value + Send,
        incoming: Streaming<StreamRequest>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Response<Forwarded<StreamResponse>>, Status> {
        let (link, uuid) = self.link()?;
        let frames = incoming.take_while(|frame| ready(frame.is_ok())).filter_map(|frame| ready(frame.ok()));
        let mut request = Request::new(frames);
        let meta = meta(&uuid).to_string().parse();
        let meta = meta.map_err(|_| Status::invalid_argument("a method's name is plain text"))?;
        request.metadata_mut().insert("request", meta);
        let answer = link.router.clone().stream(request).await.map_err(cut)?;
        let handle =
            ["resource", "x_jmp_accept_encoding"].map(|key| (key, answer.metadata().get(key).cloned()));
        let frames = answer.into_inner().map(move |frame| {
            let _held = &permit;
            frame.map_err(cut)
        });
        let mut response = Response::new(Box::pin(frames) as Forwarded<StreamResponse>);
        for (key, value) in handle {
            value.map(|value| response.metadata_mut().insert(key, value));
        }
        Ok(response)
    }
}

/// A broken connection means that Python has ended; every other failure is Python's own, and stays as it is.
fn cut(status: Status) -> Status {
    match std::error::Error::source(&status) {
        Some(_) => Status::unavailable("Python, which runs the driver of this node, ended during the call"),
        None => Status::new(status.code(), status.message()),
    }
}
