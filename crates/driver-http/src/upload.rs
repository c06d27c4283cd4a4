//! Bodies on their way from a client into a sink of the exporter's own.

use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use flasher_core::driver::UploadSink;
use flasher_core::{CancellationToken, Upload};
use futures_util::{SinkExt, Stream, StreamExt};
use warp::http::StatusCode;

use crate::report::TransferReport;

/// How long a client may take over its next piece. Long: a board may read from a slow card.
const SILENCE: Duration = Duration::from_secs(300);

/// The body that a client sends, not read yet.
pub(crate) type Incoming = Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send>>;

/// Boxes warp's body stream.
pub(crate) fn incoming(
    body: impl Stream<Item = Result<impl Buf + 'static, warp::Error>> + Send + 'static,
) -> Incoming {
    Box::pin(body.map(|piece| piece.map(|mut piece| piece.copy_to_bytes(piece.remaining()))))
}

/// Why a body was not taken: the status for the client, and the reason for the report.
#[derive(Debug)]
pub(crate) struct UploadRejection {
    pub(crate) status: StatusCode,
    pub(crate) reason: String,
}

impl UploadRejection {
    fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }

    fn too_large(limit: u64) -> Self {
        let reason = format!("larger than the {limit} bytes that are taken");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, reason)
    }
}

impl From<io::Error> for UploadRejection {
    fn from(error: io::Error) -> Self {
        let status = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

/// A body under way from a client. Reports how it ended, also when dropped.
pub(crate) struct ReceivingUpload {
    body: Incoming,
    /// What the client says it will send, bytes.
    announced: Option<u64>,
    withdrawn: CancellationToken,
    report: TransferReport,
    begun: Instant,
    taken: u64,
    is_reported: bool,
}

impl ReceivingUpload {
    /// Ends early when `withdrawn` is cancelled.
    pub(crate) fn new(
        body: Incoming,
        announced: Option<u64>,
        withdrawn: CancellationToken,
        report: TransferReport,
    ) -> Self {
        Self { body, announced, withdrawn, report, begun: Instant::now(), taken: 0, is_reported: false }
    }

    /// Hands the body to `upload`; gives how many bytes it had.
    pub(crate) async fn into_sink(mut self, upload: &Upload) -> Result<u64, UploadRejection> {
        let outcome = self.feed(upload).await;
        self.tell(outcome)
    }

    async fn feed(&mut self, upload: &Upload) -> Result<(), UploadRejection> {
        self.may_hold(upload.limit())?;
        let gone = || UploadRejection::new(StatusCode::GONE, "the receiver of this upload is gone");
        let mut sink: UploadSink = upload.open().ok_or_else(gone)?;
        self.report.begun(self.announced, "upload".into());
        while let Some(piece) = self.next().await? {
            let length = piece.len() as u64;
            if self.taken + length > upload.limit() {
                return Err(UploadRejection::too_large(upload.limit()));
            }
            unless(&self.withdrawn, sink.send(piece)).await??;
            self.taken += length;
            upload.count(length);
        }
        Ok(unless(&self.withdrawn, sink.close()).await??)
    }

    fn tell(&mut self, outcome: Result<(), UploadRejection>) -> Result<u64, UploadRejection> {
        self.is_reported = true;
        match &outcome {
            Ok(()) => self.report.done(self.taken, self.begun),
            Err(refused) => self.report.failed(self.taken, refused.reason.clone()),
        }
        outcome.map(|()| self.taken)
    }

    fn may_hold(&self, limit: u64) -> Result<(), UploadRejection> {
        if self.announced.is_some_and(|length| length > limit) {
            Err(UploadRejection::too_large(limit))
        } else {
            Ok(())
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, UploadRejection> {
        let piece = tokio::select! {
            piece = self.body.next() => piece,
            () = tokio::time::sleep(SILENCE) => {
                let reason = format!("the client sent nothing for {} s", SILENCE.as_secs());
                return Err(UploadRejection::new(StatusCode::REQUEST_TIMEOUT, reason));
            }
            () = self.withdrawn.cancelled() => return Err(withdrawn()),
        };
        piece.transpose().map_err(|_| UploadRejection::new(StatusCode::BAD_REQUEST, "the client broke off"))
    }
}

impl Drop for ReceivingUpload {
    fn drop(&mut self) {
        if !self.is_reported {
            self.report.failed(self.taken, "the connection was cut");
        }
    }
}

async fn unless<T>(
    cancelled: &CancellationToken,
    work: impl Future<Output = T>,
) -> Result<T, UploadRejection> {
    tokio::select! {
        done = work => Ok(done),
        () = cancelled.cancelled() => Err(withdrawn()),
    }
}

fn withdrawn() -> UploadRejection {
    UploadRejection::new(StatusCode::GONE, "the upload was withdrawn")
}
