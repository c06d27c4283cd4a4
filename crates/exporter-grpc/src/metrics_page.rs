//! Where a monitoring system reads the metrics: `GET /metrics`, over HTTP/1.1.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flasher_core::{CancellationToken, Result};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::http::header::{ALLOW, CONTENT_TYPE};
use tonic::codegen::http::{HeaderValue, Method, Request, Response, StatusCode};

use crate::listen::bind_tcp;
use crate::metrics::Metrics;

/// How long one reader may take.
const READER: Duration = Duration::from_secs(10);
/// Readers at a time; further ones wait.
const READERS: usize = 8;
/// Pause after a failed accept.
const PAUSE: Duration = Duration::from_millis(100);
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A bound address for metrics.
#[derive(Debug)]
pub struct MetricsPage {
    listener: TcpListener,
    address: SocketAddr,
}

impl MetricsPage {
    /// Binds it; port 0 takes any free one.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(address: SocketAddr) -> Result<Self> {
        let (listener, address) = bind_tcp("metrics", address).await?;
        Ok(Self { listener, address })
    }

    /// Where it is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop`.
    pub async fn serve(self, metrics: Metrics, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(READERS));
        let work = async {
            // It is never closed.
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                match self.listener.accept().await {
                    Ok((stream, _)) => {
                        let reader = talk(stream, metrics.clone());
                        tokio::spawn(async move {
                            timeout(READER, reader).await.ok(); // a slow reader goes without
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a reader of metrics could not be accepted");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        };
        stop.run_until_cancelled(work).await;
    }
}

/// One question, one answer.
async fn talk(stream: TcpStream, metrics: Metrics) {
    let service = service_fn(move |request| {
        let answer = answer(&request, &metrics);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut server = http1::Builder::new();
    let server = server.timer(TokioTimer::new()).keep_alive(false);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a reader of metrics went away");
    }
}

fn answer(request: &Request<Incoming>, metrics: &Metrics) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            response = Response::new(Body::new(metrics.text()));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OPENMETRICS));
        }
        (_, "/metrics") => {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        }
        _ => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    response
}
