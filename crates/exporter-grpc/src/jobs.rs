//! Flashes that go on without the client that began them: started once; any client may follow or cancel them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flasher_core::flash::Site;
use flasher_core::journal::Journal;
use flasher_core::owner;
use flasher_core::source::BlockMapChoice;
use flasher_core::{CancellationToken, Class, Error, Event, FlashJob, Flasher, Receipt, Timed};
use futures_util::{StreamExt, stream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tonic::Code;
use uuid::Uuid;

use crate::capability::{Call, Results};
use crate::claims::{Claim, Key};
use crate::failure::{CallFailure, CallResult};
use crate::order::{JobOrder, OrderedBlockMap};
use crate::resource::DataSource;
use crate::uploads::{Upload, Uploads};
use crate::value;

/// Events kept for those who come later; older ones are forgotten.
const KEPT: usize = 20_000;
/// How long jobs may take to stop in good order.
const STOPPING: Duration = Duration::from_secs(120);

/// Asks the client that has ordered a flash for its image: the board is reserved for it. As JSON, for [`crate::remote`].
pub(crate) const SEND: &str = r#"{"event":"send-image"}"#;

/// Says to a client that attaches that the job was already over. As JSON, for [`crate::remote`].
pub(crate) const OVER: &str = r#"{"event":"job-over"}"#;

/// The last job of every board.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    last: Mutex<HashMap<Uuid, Arc<Job>>>,
    running: TaskTracker,
    /// Where receipts are kept, also when no client follows the job.
    journal: Option<Journal>,
    uploads: Uploads,
}

/// The image that a client sends with its order.
pub(crate) struct OrderedImage {
    pub(crate) source: DataSource,
    /// Its bytes, without the digest behind them.
    pub(crate) length: u64,
}

/// What a job is for.
pub(crate) struct JobBoard<'a> {
    pub(crate) node: Uuid,
    /// Who runs jobs here, for their receipts.
    pub(crate) site: &'a Site,
    pub(crate) flasher: &'a Arc<dyn Flasher>,
    pub(crate) keys: &'a [Key],
    pub(crate) owner: &'a owner::Board,
}

#[derive(Debug)]
struct Job {
    stop: CancellationToken,
    history: Mutex<History>,
    /// Changes with the history.
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct History {
    events: VecDeque<Arc<str>>,
    /// Events that are no longer kept.
    forgotten: usize,
    over: bool,
}

impl History {
    fn push(&mut self, text: Arc<str>) {
        if self.events.len() >= KEPT {
            self.events.pop_front();
            self.forgotten += 1;
        }
        self.events.push_back(text);
    }
}

impl Jobs {
    pub(crate) fn new(journal: Option<Journal>) -> Self {
        Self { journal, ..Self::default() }
    }

    /// Starts a job and follows it. Everything the flasher uses belongs to the job until it ends, and before its image comes:
    /// who comes second is refused before it has sent anything.
    pub(crate) fn start(
        &self,
        board: JobBoard<'_>,
        order: JobOrder,
        sent: Option<OrderedImage>,
        call: &Call,
    ) -> CallResult<Results> {
        let claims = &call.session.claims;
        let claim = claims.try_take(board.keys, "a flash job", &call.connection.peer, None)?;
        let stop = CancellationToken::new();
        let job = Arc::new(Job::new(stop.clone()));
        let flash = FlashJob {
            site: board.site.clone(),
            fetch: Some(call.fetch_rules()),
            ..order.job(order.image.clone(), stop)?
        };
        let work = Work {
            job: Arc::clone(&job),
            flasher: Arc::clone(board.flasher),
            flash,
            variant: order.variant,
            block_map: order.block_map,
            sent,
            uploads: self.uploads.clone(),
            claim,
            owner: board.owner.clone(),
            journal: self.journal.clone(),
        };
        self.running.spawn(work.run());
        self.last().insert(board.node, Arc::clone(&job));
        call.session.log.system("flash job started".to_owned());
        Ok(follow(job))
    }

    /// Follows the running job, or says that the last one is over and tells again how it went.
    pub(crate) fn attach(&self, node: Uuid) -> CallResult<Results> {
        let job = self.find(node)?;
        let over = job.history().over.then_some(Ok(value::text(OVER)));
        Ok(Box::pin(stream::iter(over).chain(follow(job))))
    }

    /// Stops the running job in good order, and follows it to its end.
    pub(crate) fn cancel(&self, node: Uuid) -> CallResult<Results> {
        let job = self.find(node)?;
        if job.history().over {
            let text = "no flash job is running, so none was stopped; `attach` tells how the last one ended";
            return Err(CallFailure::new(Code::Unknown, text));
        }
        job.stop.cancel();
        Ok(follow(job))
    }

    /// Whether any job is running.
    pub(crate) fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }

    /// Waits until no job is running.
    pub(crate) async fn idle(&self) {
        while self.is_busy() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Stops every job in good order and waits for its end.
    pub(crate) async fn stop(&self) {
        self.last().values().for_each(|job| job.stop.cancel());
        if tokio::time::timeout(STOPPING, self.idle()).await.is_err() {
            tracing::error!("a flash job did not stop within {} s", STOPPING.as_secs());
        }
    }

    fn find(&self, node: Uuid) -> CallResult<Arc<Job>> {
        let none =
            || CallFailure::new(Code::Unknown, "no flash job has run here since the exporter was started");
        self.last().get(&node).cloned().ok_or_else(none)
    }

    fn last(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Job>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The job for others on this machine, who may not know the secrets of its URL: the last part of its path.
fn label(image: &str) -> String {
    let path = image.split(['?', '#']).next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    // A URL without a path ends in its host, and a password may stand before that.
    format!("flash {}", last.rsplit('@').next().unwrap_or_default())
}

struct Work {
    job: Arc<Job>,
    flasher: Arc<dyn Flasher>,
    flash: FlashJob,
    variant: Option<String>,
    block_map: Option<OrderedBlockMap>,
    sent: Option<OrderedImage>,
    uploads: Uploads,
    claim: Claim,
    owner: owner::Board,
    journal: Option<Journal>,
}

impl Work {
    async fn run(mut self) {
        let refused = match self.prepare().await {
            Ok((owned, uploads)) => {
                let teller = Arc::clone(&self.job);
                let reported = Arc::new(move |event: Event| teller.tell(&event));
                let receipt = self.flasher.flash(self.flash, reported).await;
                keep(self.journal, receipt).await;
                drop((owned, uploads));
                None
            }
            Err(error) => Some(error),
        };
        // The board is freed before the end is reported, so that a client that waits for the end can use it.
        drop((self.claim, self.sent));
        self.job.end(refused);
    }

    /// Makes the board this job's, against every other program of this machine as well, and then takes the image.
    async fn prepare(&mut self) -> Result<(owner::Held, Vec<Upload>), Error> {
        if let Some(variant) = &self.variant {
            self.flasher.use_variant(variant).await?;
        }
        let owned = self.owner.hold(&label(&self.flash.image)).await?;
        owned.warning().iter().for_each(|warning| self.job.tell(warning));
        let mut uploads = Vec::new();
        if let Some(OrderedBlockMap::File { name, text }) = self.block_map.take() {
            uploads.push(self.take_block_map(name, text).await?);
        }
        if let Some(sent) = self.sent.take() {
            uploads.push(self.take(sent).await?);
        }
        Ok((owned, uploads))
    }

    /// Keeps the block map of the order where the flasher can read it.
    async fn take_block_map(&mut self, name: String, text: String) -> Result<Upload, Error> {
        let upload = self.room(name, text.len() as u64).await?;
        let path = upload.path()?;
        tokio::fs::write(&path, text).await.map_err(|error| {
            Error::infrastructure("the exporter cannot write the block map of the order")
                .retryable(false)
                .because(error)
        })?;
        self.flash.source.block_map = BlockMapChoice::At(path);
        Ok(upload)
    }

    /// A place for a file of `length` bytes.
    async fn room(&self, name: String, length: u64) -> Result<Upload, Error> {
        let uploads = self.uploads.clone();
        let begun = tokio::task::spawn_blocking(move || uploads.begin(&name, length)).await;
        begun.unwrap_or_else(|error| {
            Err(Error::new(Class::Internal, "a worker thread ended unexpectedly").because(error))
        })
    }

    /// Takes the image. Each attempt reads it anew, and must find the digest that it came with.
    async fn take(&mut self, sent: OrderedImage) -> Result<Upload, Error> {
        let length = sent.length;
        let upload = self.room(self.flash.image.clone(), length).await?;
        self.job.put(SEND.into(), false);
        let digest = upload.receive(sent.source, length, &self.flash.stop).await?;
        self.flash.image = upload.path()?;
        self.flash.sha256.get_or_insert(digest);
        Ok(upload)
    }
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

impl Job {
    fn new(stop: CancellationToken) -> Self {
        Self { stop, history: Mutex::default(), changed: watch::channel(()).0 }
    }

    fn tell(&self, event: &Event) {
        let mut history = self.history();
        // With the history in hand, so that the times are in the order of the events.
        match serde_json::to_string(&Timed::now(event)) {
            Ok(text) => history.push(text.into()),
            Err(error) => tracing::error!(%error, "an event cannot be written as JSON"),
        }
        drop(history);
        self.changed.send_replace(());
    }

    /// Ends the job; `refused` says why it never began.
    fn end(&self, refused: Option<Error>) {
        let text = refused.map(|error| {
            let class = error.class();
            let reason = CallFailure::from(error).text;
            serde_json::json!({ "event": "refused", "class": class, "reason": reason }).to_string()
        });
        match text {
            Some(text) => self.put(text.into(), true),
            None => {
                self.history().over = true;
                self.changed.send_replace(());
            }
        }
    }

    fn put(&self, text: Arc<str>, over: bool) {
        let mut history = self.history();
        history.push(text);
        history.over |= over;
        drop(history);
        self.changed.send_replace(());
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every event of the job from the first that is kept, until it is over.
fn follow(job: Arc<Job>) -> Results {
    let changes = job.changed.subscribe();
    Box::pin(stream::unfold((job, changes, 0), |(job, mut changes, mut next)| async move {
        loop {
            changes.borrow_and_update();
            let (text, over) = {
                let history = job.history();
                next = next.max(history.forgotten);
                (history.events.get(next - history.forgotten).cloned(), history.over)
            };
            if let Some(text) = text {
                return Some((Ok(value::text(&*text)), (job, changes, next + 1)));
            }
            if over || changes.changed().await.is_err() {
                return None;
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(results: Results) -> Vec<String> {
        let texts = results.map(|value| crate::value::as_text(&value.unwrap()).unwrap().to_owned());
        texts.collect().await
    }

    #[tokio::test]
    async fn followers_get_all_events() {
        let job = Arc::new(Job::new(CancellationToken::new()));
        let early = tokio::spawn(all(follow(Arc::clone(&job))));
        job.put("1".into(), false);
        tokio::task::yield_now().await;
        job.put("2".into(), false);
        let middle = tokio::spawn(all(follow(Arc::clone(&job))));
        job.end(None);
        assert_eq!(early.await.unwrap(), ["1", "2"]);
        assert_eq!(middle.await.unwrap(), ["1", "2"]);
        assert_eq!(all(follow(job)).await, ["1", "2"]);
    }

    #[tokio::test]
    async fn a_long_job_forgets_its_beginning_and_never_its_end() {
        let job = Arc::new(Job::new(CancellationToken::new()));
        (0..KEPT + 5).for_each(|number| job.put(number.to_string().into(), false));
        job.end(Some(Error::config("no such variant")));
        let heard = all(follow(job)).await;
        assert_eq!(heard.len(), KEPT);
        assert_eq!(heard[0], "6");
        assert_eq!(heard[KEPT - 1], r#"{"class":"config","event":"refused","reason":"no such variant"}"#);
    }
}
