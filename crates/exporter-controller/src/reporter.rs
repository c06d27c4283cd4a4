//! The status that the controller sees. The latest one counts, and is reported until it has arrived: an exporter whose last
//! report is lost is lost to its lab.

use std::sync::Arc;
use std::time::Duration;

use exporter_wire::proto::{ExporterStatus, ReleaseLeaseRequest, ReportStatusRequest};
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::{Code, Status};

use crate::backoff::Backoff;
use crate::link::Link;
use crate::notice::{Notice, Notices};
use crate::refusal::{CallRefusal, words};

/// Bound on one call.
const CALL: Duration = Duration::from_secs(30);
/// Between two tries: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// A status with its message; the number makes the same one a new one.
#[derive(Clone, Debug, Default)]
struct StatusReport {
    status: ExporterStatus,
    message: String,
    turn: u64,
}

/// Reports the latest status, for as long as it takes.
#[derive(Clone, Debug)]
pub(crate) struct Reporter(Arc<watch::Sender<StatusReport>>);

impl Reporter {
    /// Starts reporting; it ends with the last handle.
    pub(crate) fn start(link: Link, notices: Notices) -> Self {
        let (sender, receiver) = watch::channel(StatusReport::default());
        tokio::spawn(keep_reporting(link, receiver, notices));
        Self(Arc::new(sender))
    }

    /// This is the status from now on.
    pub(crate) fn report(&self, status: ExporterStatus, message: &str) {
        self.0.send_modify(|wanted| {
            *wanted = StatusReport { status, message: message.to_owned(), turn: wanted.turn + 1 };
        });
    }

    /// Reports once more what was reported last: the controller was away, and may not know it any more.
    pub(crate) fn repeat(&self) {
        self.0.send_modify(|wanted| wanted.turn += 1);
    }
}

async fn keep_reporting(link: Link, mut wanted: watch::Receiver<StatusReport>, notices: Notices) {
    let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
    let mut is_failing = false;
    while wanted.changed().await.is_ok() {
        loop {
            let now = wanted.borrow_and_update().clone();
            let failed = match report(&link, now.status, &now.message, false).await {
                Ok(()) => break,
                Err(status) => status,
            };
            if CallRefusal::of(&failed) == CallRefusal::Unknown {
                notices.send(Notice::OldController { call: "ReportStatus" });
                break;
            }
            if !std::mem::replace(&mut is_failing, true) {
                notices.send(Notice::Trouble { what: "the status cannot be reported", why: words(&failed) });
            }
            tokio::select! {
                () = backoff.pause() => {}
                changed = wanted.changed() => if changed.is_err() { return },
            }
        }
        if wanted.borrow().status == ExporterStatus::Available {
            notices.send(Notice::Available);
        }
        is_failing = false;
        backoff.reset();
    }
}

/// Reports a status once.
pub(crate) async fn report(
    link: &Link,
    status: ExporterStatus,
    message: &str,
    release: bool,
) -> Result<(), Status> {
    let request = ReportStatusRequest {
        status: status.into(),
        message: Some(message.to_owned()),
        release_lease: release.then_some(true),
    };
    let mut client = link.client();
    bounded(client.report_status(request)).await.map(drop)
}

/// Gives a lease back, for as long as it takes. A controller that does not let exporters do this is asked in the old way.
pub(crate) async fn release(link: &Link, lease: &str, reporter: &Reporter) {
    let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
    loop {
        let request = ReleaseLeaseRequest { name: lease.to_owned() };
        let mut client = link.client();
        let code = match bounded(client.release_lease(request)).await {
            Ok(_) => return,
            Err(status) => status.code(),
        };
        match code {
            // It is not ours any more.
            Code::NotFound | Code::FailedPrecondition => return,
            Code::PermissionDenied | Code::InvalidArgument | Code::Unauthenticated | Code::Unimplemented => {
                let told = report(link, ExporterStatus::AfterLeaseHook, "Giving the lease back", true).await;
                reporter.repeat();
                if told.is_ok() || code == Code::Unimplemented {
                    return;
                }
            }
            _ => {}
        }
        backoff.pause().await;
    }
}

/// A call that ends in time.
pub(crate) async fn bounded<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let late = |_| Status::deadline_exceeded(format!("no answer within {} s", CALL.as_secs()));
    timeout(CALL, call).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}
