//! ExporterService: the report, calls, log, status.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt, stream};
use prost_types::Value;
use tokio::sync::broadcast::error::RecvError;
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use crate::capability::{Args, Call, Capability, Kind, Method, check, find};
use crate::connection::Connection;
use crate::failure::{CallFailure, CallResult};
use crate::forward::Forward;
use crate::proto::exporter_service_server::ExporterService;
use crate::proto::{
    DriverCallRequest, DriverCallResponse, EndSessionRequest, EndSessionResponse, GetReportResponse,
    GetStatusRequest, GetStatusResponse, LogStreamResponse, ResetRequest, ResetResponse,
    StreamingDriverCallRequest, StreamingDriverCallResponse,
};
use crate::resource::Owner;
use crate::session::Session;

/// The two services of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) session: Arc<Session>,
    pub(crate) connection: Arc<Connection>,
}

/// What a call to a node counts as whose methods only Python knows.
const FORWARDED: &str = "call";

type Stream1<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Service {
    /// The node of a UUID, and the call's context.
    pub(crate) fn node(&self, uuid: &str) -> CallResult<(Arc<dyn Capability>, Call)> {
        let unknown = || {
            let text = format!("no driver has the UUID `{}`", crate::storage::files::short(uuid));
            CallFailure::new(Code::NotFound, text)
        };
        let node = Uuid::try_parse(uuid).map_err(|_| unknown())?;
        let capability = Arc::clone(self.session.nodes.get(node).ok_or_else(unknown)?);
        if let Some(refusal) = capability.refusal() {
            return Err(refusal);
        }
        let owner = Owner { node, connection: self.connection.id };
        let (shared, connection) = (Arc::clone(&self.session.shared), Arc::clone(&self.connection));
        Ok((capability, Call { shared, connection, owner }))
    }

    /// Where the calls of a node go that Python runs; none for every other node.
    pub(crate) async fn forwarded(&self, uuid: &str) -> CallResult<Option<Forward>> {
        self.session.gate.pass()?;
        let capability = Uuid::try_parse(uuid).ok().and_then(|uuid| self.session.nodes.get(uuid));
        let Some(forward) = capability.and_then(|capability| capability.forward()) else { return Ok(None) };
        forward.free(&self.session.shared.claims, self.connection.id).await?;
        Ok(Some(forward.clone()))
    }

    /// The node, the method and its arguments of a call, all checked.
    pub(crate) fn prepare(
        &self,
        uuid: &str,
        method: &str,
        args: &[Value],
        kind: Kind,
    ) -> CallResult<Prepared> {
        self.session.gate.pass()?;
        let (capability, call) = self.node(uuid)?;
        let method = find(capability.methods(), method, kind)?;
        let args = check(method, args)?;
        tracing::debug!(method = method.name, gives = method.gives, peer = self.connection.peer, "call");
        Ok(Prepared { capability, call, method, args })
    }
}

/// A call that can be made.
pub(crate) struct Prepared {
    pub(crate) capability: Arc<dyn Capability>,
    pub(crate) call: Call,
    pub(crate) method: &'static Method,
    pub(crate) args: Args,
}

impl Prepared {
    /// Makes the call, and counts it.
    pub(crate) async fn call(self) -> CallResult<Value> {
        let Self { capability, call, method, args } = self;
        let mut counted = call.shared.metrics.operation(method.name, capability.client());
        counted.end(capability.call(method.name, args, &call).await, |it| it.code)
    }
}

#[tonic::async_trait]
impl ExporterService for Service {
    type StreamingDriverCallStream = Stream1<StreamingDriverCallResponse>;
    type LogStreamStream = Stream1<LogStreamResponse>;

    async fn get_report(&self, _request: Request<()>) -> Result<Response<GetReportResponse>, Status> {
        let name = self.session.bench.iter();
        Ok(Response::new(GetReportResponse {
            uuid: self.session.uuid.to_string(),
            labels: name.map(|name| ("jumpstarter.dev/name".to_owned(), name.clone())).collect(),
            reports: self.session.nodes.reports.clone(),
            motd: self.session.motd(),
        }))
    }

    async fn driver_call(
        &self,
        request: Request<DriverCallRequest>,
    ) -> Result<Response<DriverCallResponse>, Status> {
        let request = request.into_inner();
        if let Some(forward) = self.forwarded(&request.uuid).await? {
            let mut counted = self.session.shared.metrics.operation(FORWARDED, &forward.client);
            return counted.end(forward.driver_call(request).await, Status::code);
        }
        let DriverCallRequest { uuid, method, args } = request;
        let result = self.prepare(&uuid, &method, &args, Kind::Call)?.call().await?;
        Ok(Response::new(DriverCallResponse { uuid: Uuid::new_v4().to_string(), result: Some(result) }))
    }

    async fn streaming_driver_call(
        &self,
        request: Request<StreamingDriverCallRequest>,
    ) -> Result<Response<Self::StreamingDriverCallStream>, Status> {
        let request = request.into_inner();
        if let Some(forward) = self.forwarded(&request.uuid).await? {
            return forward.streaming_call(request).await;
        }
        let StreamingDriverCallRequest { uuid, method, args } = request;
        let Prepared { capability, call, method, args } =
            self.prepare(&uuid, &method, &args, Kind::Results)?;
        let mut counted = call.shared.metrics.operation(method.name, capability.client());
        let results = counted.end(capability.results(method.name, args, &call).await, |it| it.code)?;
        let response = move |result: CallResult<Value>| {
            let result = Some(counted.end(result, |it| it.code)?);
            Ok(StreamingDriverCallResponse { uuid: Uuid::new_v4().to_string(), result })
        };
        Ok(Response::new(Box::pin(results.map(response))))
    }

    async fn log_stream(&self, _request: Request<()>) -> Result<Response<Self::LogStreamStream>, Status> {
        let (early, log) = self.session.shared.log.subscribe();
        let records = stream::unfold(log, |mut log| async move {
            loop {
                match log.recv().await {
                    Ok(record) => return Some((Ok(record), log)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        });
        Ok(Response::new(Box::pin(stream::iter(early.into_iter().map(Ok)).chain(records))))
    }

    async fn reset(&self, _request: Request<ResetRequest>) -> Result<Response<ResetResponse>, Status> {
        Err(Status::unimplemented("`Reset` is not supported, as in Jumpstarter"))
    }

    async fn get_status(
        &self,
        _request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        Ok(Response::new(self.session.gate.read()))
    }

    async fn end_session(
        &self,
        _request: Request<EndSessionRequest>,
    ) -> Result<Response<EndSessionResponse>, Status> {
        // Who hears of it may be gone: then the lease ends anyhow.
        let success = self.session.end.as_ref().is_some_and(|end| end.send(()).is_ok());
        let message = if success { "the end of the session has begun" } else { "No active lease context" };
        Ok(Response::new(EndSessionResponse { success, message: Some(message.to_owned()) }))
    }
}
