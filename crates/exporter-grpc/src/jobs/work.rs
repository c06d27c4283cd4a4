//! One flash or dump from its order to its receipt.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flasher_core::fetch::FetchRules;
use flasher_core::flash::Site;
use flasher_core::owner;
use flasher_core::{Class, DumpJob, Error, Event, FlashJob, Flasher, Progress, Result};
use tokio::io::AsyncReadExt;

use super::client_sink::ClientSink;
use super::history::Job;
use crate::claims::Claim;
use crate::notice::JobNotice;
use crate::order::{DumpOrder, DumpSurroundings, JobOrder, OrderedFile, Surroundings};
use crate::records::Records;
use crate::resource::{DataSource, Duplex};
use crate::uploads::{ClientNames, Upload, Uploads};

/// Most bytes of a transcript that are sent; what a client gets of a longer one has not the digest of the receipt.
const LONGEST_TRANSCRIPT: u64 = 32 << 20;
/// Bytes of one part of it.
const PART: usize = 256 << 10;

/// What a client has ordered.
pub(crate) struct JobStart {
    pub(crate) task: Task,
    /// What this client may have fetched.
    pub(crate) fetch: FetchRules,
    /// The board, which is this client's.
    pub(crate) claim: Claim,
}

/// What is to be done.
pub(crate) enum Task {
    Flash {
        order: Box<JobOrder>,
        /// The files of the order, when it has any.
        sent: Option<DataSource>,
    },
    Dump {
        order: DumpOrder,
        /// To the client that writes the file.
        stream: Duplex,
    },
}

impl Task {
    /// As others on this machine hear of it.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Flash { order, .. } => order.label(),
            Self::Dump { order, .. } => order.label(),
        }
    }

    fn variant(&self) -> Option<String> {
        match self {
            Self::Flash { order, .. } => order.variant.clone(),
            Self::Dump { order, .. } => order.variant.clone(),
        }
    }
}

pub(super) struct Work {
    pub(super) job: Arc<Job>,
    pub(super) flasher: Arc<dyn Flasher>,
    pub(super) site: Site,
    pub(super) owner: owner::Board,
    pub(super) fetch: FetchRules,
    pub(super) uploads: Uploads,
    pub(super) records: Records,
}

/// A job that can begin, and its folder, which goes with this.
struct ReadyJob {
    upload: Option<Upload>,
    job: OrderedJob,
    transcript: Option<PathBuf>,
}

enum OrderedJob {
    Flash(Box<FlashJob>),
    Dump(Box<DumpJob>),
}

impl Work {
    /// Does the task, and reports how it goes and ends. The board is freed before the end is reported, so that a client that waits for
    /// the end can use it.
    pub(super) async fn run(self, task: Task, claim: Claim) {
        let running = self.records.metrics.running_job();
        let refused = self.reserved(task).await.err();
        drop((claim, running));
        self.job.end(refused);
    }

    /// Makes the board this job's, against every other program of this machine as well, and does the task.
    async fn reserved(&self, task: Task) -> Result<()> {
        let owned = self.owner.hold(&task.label()).await?;
        use_variant(&self.flasher, task.variant()).await?;
        let warnings = owned.warning().into_iter();
        warnings.for_each(|warning| self.job.tell(|| ClientNames::default().event(&warning)));
        let ready = match task {
            Task::Flash { order, sent } => self.flash_job(*order, sent).await?,
            Task::Dump { order, stream } => self.dump_job(order, stream).await?,
        };
        self.finish(ready).await;
        Ok(())
    }

    /// The flash, once its files are here.
    async fn flash_job(&self, order: JobOrder, sent: Option<DataSource>) -> Result<ReadyJob> {
        let upload = self.room(&order.files, order.transcript.as_deref()).await?;
        let files = match (&upload, sent) {
            (Some((upload, _)), Some(sent)) => {
                self.job.notice(&JobNotice::SendFiles);
                upload.receive(sent, &self.job.stop).await?
            }
            _ => Vec::new(),
        };
        let (upload, transcript) = upload.unzip();
        let transcript = transcript.flatten();
        let here = Surroundings {
            site: self.site.clone(),
            fetch: self.fetch.clone(),
            transcript: transcript.clone(),
            stop: self.job.stop.clone(),
        };
        let job = OrderedJob::Flash(Box::new(order.job(&files, here).map_err(Error::config)?));
        Ok(ReadyJob { upload, job, transcript })
    }

    /// The dump, into the client's file.
    async fn dump_job(&self, order: DumpOrder, stream: Duplex) -> Result<ReadyJob> {
        let (upload, transcript) = self.room(&[], order.transcript.as_deref()).await?.unzip();
        let transcript = transcript.flatten();
        let here = DumpSurroundings {
            sink: Arc::new(ClientSink::new(order.out.clone(), stream)),
            site: self.site.clone(),
            transcript: transcript.clone(),
            stop: self.job.stop.clone(),
        };
        let job = OrderedJob::Dump(Box::new(order.job(here).map_err(Error::config)?));
        Ok(ReadyJob { upload, job, transcript })
    }

    /// A folder for the files and the transcript, when there will be any, and where the transcript goes.
    async fn room(
        &self,
        files: &[OrderedFile],
        transcript: Option<&str>,
    ) -> Result<Option<(Upload, Option<PathBuf>)>> {
        if files.is_empty() && transcript.is_none() {
            return Ok(None);
        }
        let (uploads, files) = (self.uploads.clone(), files.to_vec());
        let transcript = transcript.map(str::to_owned);
        let begun = tokio::task::spawn_blocking(move || {
            let upload = uploads.begin(&files)?;
            let transcript = transcript.map(|name| upload.transcript(&name)).transpose()?;
            Ok(Some((upload, transcript)))
        });
        begun.await.unwrap_or_else(|error| {
            Err(Error::new(Class::Internal, "a worker thread ended unexpectedly").because(error))
        })
    }

    /// Runs the job, and reports how it goes; the transcript and the receipt come last.
    async fn finish(&self, ready: ReadyJob) {
        let ReadyJob { upload, job, transcript } = ready;
        let names = upload.as_ref().map(Upload::names).unwrap_or_default();
        let (reporter, names_in_events) = (Arc::clone(&self.job), names.clone());
        let reported = move |event: Event| {
            if !matches!(event, Event::Finished { .. }) {
                reporter.tell(|| names_in_events.event(&event));
            }
        };
        let progress: Arc<dyn Progress> = Arc::new(reported);
        let receipt = match job {
            OrderedJob::Flash(job) => self.flasher.flash(*job, progress).await,
            OrderedJob::Dump(job) => self.flasher.dump(*job, progress).await,
        };
        let receipt = names.receipt(receipt);
        if let Some(path) = transcript {
            self.send_transcript(&path).await;
        }
        self.records.metrics.ordered_job(&receipt);
        self.records.keep(receipt.clone()).await;
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

/// Chooses the variant of an order, also when it names none: that of another client's order must not stay.
pub(super) async fn use_variant(flasher: &Arc<dyn Flasher>, variant: Option<String>) -> Result<()> {
    match flasher.flasher_bundle() {
        Some(bundle) => bundle.use_variant(variant).await,
        None if variant.is_some() => flasher.required_bundle().map(drop),
        None => Ok(()),
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
