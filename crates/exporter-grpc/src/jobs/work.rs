//! One flash from its order to its receipt.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flasher_core::fetch::FetchRules;
use flasher_core::flash::Site;
use flasher_core::journal::Journal;
use flasher_core::owner;
use flasher_core::{Class, Error, Event, FlashJob, Flasher, Receipt, Result};
use tokio::io::AsyncReadExt;

use super::history::Job;
use crate::claims::Claim;
use crate::notice::JobNotice;
use crate::order::{JobOrder, ReceivedFile, Surroundings};
use crate::resource::DataSource;
use crate::uploads::{ClientNames, Upload, Uploads};

/// Most bytes of a transcript that are sent; what a client gets of a longer one has not the digest of the receipt.
const LONGEST_TRANSCRIPT: u64 = 32 << 20;
/// Bytes of one part of it.
const PART: usize = 256 << 10;

/// What a client has ordered.
pub(crate) struct JobStart {
    pub(crate) order: JobOrder,
    /// The files of the order, when it has any.
    pub(crate) sent: Option<DataSource>,
    /// What this client may have fetched.
    pub(crate) fetch: FetchRules,
    /// The board, which is this client's.
    pub(crate) claim: Claim,
}

pub(super) struct Work {
    pub(super) job: Arc<Job>,
    pub(super) flasher: Arc<dyn Flasher>,
    pub(super) site: Site,
    pub(super) owner: owner::Board,
    pub(super) start: JobStart,
    pub(super) uploads: Uploads,
    pub(super) journal: Option<Journal>,
}

/// A job that can begin. What it holds is freed when this is dropped.
struct ReadyJob {
    _owned: owner::Held,
    upload: Option<Upload>,
    flash: FlashJob,
}

impl Work {
    pub(super) async fn run(mut self) {
        let refused = match self.prepare().await {
            Ok(prepared) => {
                self.flash(prepared).await;
                None
            }
            Err(error) => Some(error),
        };
        // The board is freed before the end is reported, so that a client that waits for the end can use it.
        drop((self.start.claim, self.start.sent));
        self.job.end(refused);
    }

    /// Makes the board this job's, against every other program of this machine as well, and then takes the files of the order.
    async fn prepare(&mut self) -> Result<ReadyJob> {
        let order = self.start.order.clone();
        let owned = self.owner.hold(&order.label()).await?;
        // Also without one: that of another client's order must not stay.
        match self.flasher.flasher_bundle() {
            Some(bundle) => bundle.use_variant(order.variant.clone()).await?,
            None if order.variant.is_some() => drop(self.flasher.required_bundle()?),
            None => {}
        }
        let warnings = owned.warning().into_iter();
        warnings.for_each(|warning| self.job.tell(|| ClientNames::default().event(&warning)));
        let upload = self.room(&order).await?;
        let files = match (&upload, self.start.sent.take()) {
            (Some((upload, _)), Some(sent)) => self.take(upload, sent).await?,
            _ => Vec::new(),
        };
        let (upload, transcript) = upload.unzip();
        let here = Surroundings {
            site: self.site.clone(),
            fetch: self.start.fetch.clone(),
            transcript: transcript.flatten(),
            stop: self.job.stop.clone(),
        };
        let flash = order.job(&files, here).map_err(Error::config)?;
        Ok(ReadyJob { _owned: owned, upload, flash })
    }

    /// A folder for the files and the transcript, when there will be any, and where the transcript goes.
    async fn room(&self, order: &JobOrder) -> Result<Option<(Upload, Option<PathBuf>)>> {
        if order.files.is_empty() && order.transcript.is_none() {
            return Ok(None);
        }
        let (uploads, files, transcript) =
            (self.uploads.clone(), order.files.clone(), order.transcript.clone());
        let begun = tokio::task::spawn_blocking(move || {
            let upload = uploads.begin(&files)?;
            let transcript = transcript.map(|name| upload.transcript(&name)).transpose()?;
            Ok(Some((upload, transcript)))
        });
        begun.await.unwrap_or_else(|error| {
            Err(Error::new(Class::Internal, "a worker thread ended unexpectedly").because(error))
        })
    }

    async fn take(&self, upload: &Upload, sent: DataSource) -> Result<Vec<ReceivedFile>> {
        self.job.notice(&JobNotice::SendFiles);
        upload.receive(sent, &self.job.stop).await
    }

    /// Flashes, and reports how it goes; the transcript and the receipt come last.
    async fn flash(&self, prepared: ReadyJob) {
        let names = prepared.upload.as_ref().map(Upload::names).unwrap_or_default();
        let transcript = prepared.flash.transcript.clone();
        let (job, names_in_events) = (Arc::clone(&self.job), names.clone());
        let reported = move |event: Event| {
            if !matches!(event, Event::Finished { .. }) {
                job.tell(|| names_in_events.event(&event));
            }
        };
        let receipt = self.flasher.flash(prepared.flash, Arc::new(reported)).await;
        let receipt = names.receipt(receipt);
        if let Some(path) = transcript {
            self.send_transcript(&path).await;
        }
        keep(self.journal.clone(), receipt.clone()).await;
        let finished = Event::Finished { receipt: Box::new(receipt) };
        self.job.tell(|| names.event(&finished));
    }

    /// A job that ended before the console was opened has none.
    async fn send_transcript(&self, path: &Path) {
        let mut bytes = Vec::new();
        match tokio::fs::File::open(path).await {
            Ok(file) => {
                if let Err(error) = file.take(LONGEST_TRANSCRIPT).read_to_end(&mut bytes).await {
                    tracing::warn!(%error, "the transcript could not be read to its end");
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, "the transcript could not be read"),
        }
        let text = String::from_utf8_lossy(&bytes);
        parts(&text).for_each(|part| self.job.notice(&JobNotice::Transcript { text: part.to_owned() }));
    }
}

/// The text in parts of at most [`PART`] bytes, none of which ends within a character.
fn parts(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let mut end = text.len().min(PART);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (part, rest) = text.split_at(end);
        text = rest;
        Some(part).filter(|part| !part.is_empty())
    })
}

/// Keeps the receipt, also when no client follows the job.
async fn keep(journal: Option<Journal>, receipt: Receipt) {
    let Some(journal) = journal else { return };
    let kept = tokio::task::spawn_blocking(move || journal.keep(&receipt)).await;
    match kept {
        Ok(Ok(path)) => tracing::info!(path = %path.display(), "the receipt is in the journal"),
        Ok(Err(error)) => tracing::warn!(%error, "the receipt is not in the journal"),
        Err(error) => tracing::error!(%error, "keeping the receipt ended unexpectedly"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_end_between_characters() {
        for text in [String::new(), "a".repeat(PART), "ü".repeat(PART), format!("a{}", "€".repeat(PART))] {
            let all: Vec<&str> = parts(&text).collect();
            assert_eq!(all.concat(), text);
            assert!(all.iter().all(|part| (1..=PART).contains(&part.len())));
        }
    }
}
