//! Bodies on their way from a client: into a taker of the exporter's own, or into a file of the upload area.

use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use flasher_core::driver::UploadSink;
use flasher_core::{CancellationToken, Upload};
use futures_util::{SinkExt, Stream, StreamExt};
use warp::http::StatusCode;

use crate::area::{Area, Receiving};
use crate::report::Report;

/// How long a client may take over its next piece. Long: a board may read from a slow card.
const SILENCE: Duration = Duration::from_secs(300);

/// What a client sends, before anybody asked for it.
pub(crate) type Incoming = Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send>>;

/// Boxes warp's body stream.
pub(crate) fn incoming(
    body: impl Stream<Item = Result<impl Buf + 'static, warp::Error>> + Send + 'static,
) -> Incoming {
    Box::pin(body.map(|piece| piece.map(|mut piece| piece.copy_to_bytes(piece.remaining()))))
}

/// Why a body was not taken: the status for the client, and the reason for the report.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) reason: String,
}

impl Refused {
    fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }

    fn too_large(limit: u64) -> Self {
        let reason = format!("larger than the {limit} bytes that are taken");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, reason)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        let status = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StatusCode::INSUFFICIENT_STORAGE,
            io::ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

/// A body under way from a client. Reports how it ended, also when dropped.
pub(crate) struct Taking {
    body: Incoming,
    /// What the client says it will send, bytes.
    announced: Option<u64>,
    withdrawn: CancellationToken,
    report: Report,
    begun: Instant,
    taken: u64,
    told: bool,
}

impl Taking {
    /// Ends early when `withdrawn` is cancelled.
    pub(crate) fn new(
        body: Incoming,
        announced: Option<u64>,
        withdrawn: CancellationToken,
        report: Report,
    ) -> Self {
        Self { body, announced, withdrawn, report, begun: Instant::now(), taken: 0, told: false }
    }

    /// Hands the body to `upload`; gives how many bytes it had.
    pub(crate) async fn into_sink(mut self, upload: &Upload) -> Result<u64, Refused> {
        let outcome = self.feed(upload).await;
        self.tell(outcome)
    }

    /// Keeps the body as the file `name` of the area; gives how many bytes it had.
    pub(crate) async fn into_file(mut self, area: &Area, name: &str) -> Result<u64, Refused> {
        let outcome = self.keep(area, name).await;
        self.tell(outcome)
    }

    async fn feed(&mut self, upload: &Upload) -> Result<(), Refused> {
        self.may_hold(upload.limit())?;
        let gone = || Refused::new(StatusCode::GONE, "nobody takes it (any more)");
        let mut sink: UploadSink = upload.open().ok_or_else(gone)?;
        self.report.begun(self.announced, "upload".into());
        while let Some(piece) = self.next().await? {
            let length = piece.len() as u64;
            if self.taken + length > upload.limit() {
                return Err(Refused::too_large(upload.limit()));
            }
            unless(&self.withdrawn, sink.send(piece)).await??;
            self.taken += length;
            upload.count(length);
        }
        Ok(unless(&self.withdrawn, sink.close()).await??)
    }

    async fn keep(&mut self, area: &Area, name: &str) -> Result<(), Refused> {
        self.may_hold(area.limit())?;
        let mut file: Receiving = area.receive(name).await?;
        self.report.begun(self.announced, "upload".into());
        while let Some(piece) = self.next().await? {
            file.write(&piece).await?;
            self.taken += piece.len() as u64;
        }
        Ok(file.finish().await?)
    }

    fn tell(&mut self, outcome: Result<(), Refused>) -> Result<u64, Refused> {
        self.told = true;
        match &outcome {
            Ok(()) => self.report.done(self.taken, self.begun),
            Err(refused) => self.report.failed(self.taken, refused.reason.clone()),
        }
        outcome.map(|()| self.taken)
    }

    fn may_hold(&self, limit: u64) -> Result<(), Refused> {
        if self.announced.is_some_and(|length| length > limit) {
            Err(Refused::too_large(limit))
        } else {
            Ok(())
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Refused> {
        let piece = tokio::select! {
            piece = self.body.next() => piece,
            () = tokio::time::sleep(SILENCE) => {
                let reason = format!("the client sent nothing for {} s", SILENCE.as_secs());
                return Err(Refused::new(StatusCode::REQUEST_TIMEOUT, reason));
            }
            () = self.withdrawn.cancelled() => return Err(withdrawn()),
        };
        piece.transpose().map_err(|_| Refused::new(StatusCode::BAD_REQUEST, "the client broke off"))
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        if !self.told {
            self.report.failed(self.taken, "the connection was cut");
        }
    }
}

async fn unless<T>(cancelled: &CancellationToken, work: impl Future<Output = T>) -> Result<T, Refused> {
    tokio::select! {
        done = work => Ok(done),
        () = cancelled.cancelled() => Err(withdrawn()),
    }
}

fn withdrawn() -> Refused {
    Refused::new(StatusCode::GONE, "the upload was withdrawn")
}
