//! What a flash would do, for a client: its files are taken as for the flash, and the board is not touched.

use std::sync::Arc;

use flasher_core::fetch::FetchRules;
use flasher_core::flash::Site;
use flasher_core::{Class, Error, Flasher, Plan, Result};

use super::history::Job;
use super::work::use_variant;
use crate::claims::Claim;
use crate::notice::JobNotice;
use crate::order::{JobOrder, ReceivedFile, Surroundings};
use crate::resource::DataSource;
use crate::uploads::{Upload, Uploads};

/// A plan that is being made.
pub(super) struct Planning {
    pub(super) job: Arc<Job>,
    pub(super) flasher: Arc<dyn Flasher>,
    pub(super) site: Site,
    pub(super) fetch: FetchRules,
    pub(super) uploads: Uploads,
}

impl Planning {
    /// Makes the plan and reports it. The board is freed before the end is reported.
    pub(super) async fn run(self, order: JobOrder, sent: Option<DataSource>, claim: Claim) {
        let stop = self.job.stop.clone();
        let planned = tokio::select! {
            planned = self.plan(order, sent) => planned,
            () = stop.cancelled() => Err(Error::new(Class::Interrupted, "stopped; nothing was touched")),
        };
        drop(claim);
        let refused = match planned {
            Ok(plan) => {
                self.job.notice(&JobNotice::Planned { plan: Box::new(plan) });
                None
            }
            Err(error) => Some(error),
        };
        self.job.end(refused);
    }

    async fn plan(&self, order: JobOrder, sent: Option<DataSource>) -> Result<Plan> {
        use_variant(&self.flasher, order.variant.clone()).await?;
        let upload = self.room(&order).await?;
        let files = self.take(upload.as_ref(), sent).await?;
        let here = Surroundings {
            site: self.site.clone(),
            fetch: self.fetch.clone(),
            transcript: None,
            stop: self.job.stop.clone(),
        };
        let job = order.job(&files, here).map_err(Error::config)?;
        let names = upload.as_ref().map(Upload::names).unwrap_or_default();
        let planned = self.flasher.plan(job).await;
        planned.map(|plan| names.plan(plan)).map_err(|error| names.error(&error))
    }

    async fn room(&self, order: &JobOrder) -> Result<Option<Upload>> {
        if order.files.is_empty() {
            return Ok(None);
        }
        let (uploads, files) = (self.uploads.clone(), order.files.clone());
        let begun = tokio::task::spawn_blocking(move || uploads.begin(&files).map(Some));
        begun.await.unwrap_or_else(|error| {
            Err(Error::new(Class::Internal, "a worker thread ended unexpectedly").because(error))
        })
    }

    async fn take(&self, upload: Option<&Upload>, sent: Option<DataSource>) -> Result<Vec<ReceivedFile>> {
        let (Some(upload), Some(sent)) = (upload, sent) else { return Ok(Vec::new()) };
        self.job.notice(&JobNotice::SendFiles);
        upload.receive(sent, &self.job.stop).await
    }
}
