//! Who sees what the image's servers are asked and answer: the recording, and the diagnosis of a failure.

use std::sync::Arc;

use flasher_core::source_exchange::{SourceAnswer, SourceBody, SourceExchanges, SourceRequest};
use job_recording::RecordedSources;

use crate::job::{Session, Views};

/// Who sees what the image's servers answer: the recorder, or the recording that is played.
pub(crate) fn exchanges(session: Session<'_>) -> Arc<dyn SourceExchanges> {
    let recorded =
        || Arc::new(RecordedSources(Arc::clone(&session.flasher.recorder))) as Arc<dyn SourceExchanges>;
    let seen = session.job.exchanges.clone().unwrap_or_else(recorded);
    Arc::new(WatchedSources { seen, views: Arc::clone(&session.run.views) })
}

/// Keeps in mind what the image's servers failed of last: a deadline may pass while they are asked again.
#[derive(Debug)]
struct WatchedSources {
    seen: Arc<dyn SourceExchanges>,
    views: Arc<Views>,
}

impl SourceExchanges for WatchedSources {
    fn instead(&self, request: &SourceRequest) -> Option<SourceAnswer> {
        self.seen.instead(request)
    }

    fn answered(&self, request: SourceRequest, answer: SourceAnswer) {
        self.seen.answered(request, answer);
    }

    fn asked_again(&self, reason: String) {
        self.views.source_failed(reason.clone());
        self.seen.asked_again(reason);
    }

    fn handed_on(&self, body: SourceBody) {
        self.seen.handed_on(body);
    }
}
