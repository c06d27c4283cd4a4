//! One job as clients see it: what it reported so far, and that it can be stopped.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flasher_core::{CancellationToken, Error};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::watch;

use crate::failure::CallFailure;
use crate::notice::JobNotice;
use crate::results::Results;
use crate::value;

/// Events kept for those who come later; older ones are forgotten.
const KEPT: usize = 20_000;

/// A job and its history.
#[derive(Debug)]
pub(crate) struct Job {
    /// What it does, for people: `flash os.img`.
    pub(crate) label: String,
    /// Ends it in good order.
    pub(crate) stop: CancellationToken,
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

impl Job {
    /// A job that has reported nothing yet.
    pub(super) fn new(label: String) -> Self {
        Self {
            label,
            stop: CancellationToken::new(),
            history: Mutex::default(),
            changed: watch::channel(()).0,
        }
    }

    /// Reports what `make` gives as JSON. It is called with the history in hand, so that the times in the texts are in the order
    /// of the texts.
    pub(super) fn tell(&self, make: impl FnOnce() -> serde_json::Result<String>) {
        let mut history = self.history();
        match make() {
            Ok(text) => history.push(text.into()),
            Err(error) => tracing::error!(%error, "an event cannot be written as JSON"),
        }
        drop(history);
        self.changed.send_replace(());
    }

    /// Reports something that is no event of the job itself.
    pub(super) fn notice(&self, notice: &JobNotice) {
        self.tell(|| Ok(notice.json()));
    }

    /// Ends the job; `refused` says why it never began.
    pub(super) fn end(&self, refused: Option<Error>) {
        if let Some(error) = refused {
            let class = error.class();
            self.notice(&JobNotice::Refused { class, reason: CallFailure::from(error).text });
        }
        self.history().over = true;
        self.changed.send_replace(());
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.history().over
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every event of the job from the first that is kept, until it is over.
pub(super) fn follow(job: Arc<Job>) -> Results {
    Box::pin(texts(job).map(|text| Ok(value::text(&*text))))
}

/// The same as JSON texts.
pub(crate) fn texts(job: Arc<Job>) -> impl Stream<Item = Arc<str>> + Send {
    let changes = job.changed.subscribe();
    stream::unfold((job, changes, 0), |(job, mut changes, mut next)| async move {
        loop {
            changes.borrow_and_update();
            let (text, over) = {
                let history = job.history();
                next = next.max(history.forgotten);
                (history.events.get(next - history.forgotten).cloned(), history.over)
            };
            if let Some(text) = text {
                return Some((text, (job, changes, next + 1)));
            }
            if over || changes.changed().await.is_err() {
                return None;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(results: Results) -> Vec<String> {
        let texts = results.map(|value| value::as_text(&value.unwrap()).unwrap().to_owned());
        texts.collect().await
    }

    #[tokio::test]
    async fn followers_get_all_events() {
        let job = Arc::new(Job::new("flash os.img".to_owned()));
        let early = tokio::spawn(all(follow(Arc::clone(&job))));
        job.tell(|| Ok("1".to_owned()));
        tokio::task::yield_now().await;
        job.tell(|| Ok("2".to_owned()));
        let middle = tokio::spawn(all(follow(Arc::clone(&job))));
        job.end(None);
        assert_eq!(early.await.unwrap(), ["1", "2"]);
        assert_eq!(middle.await.unwrap(), ["1", "2"]);
        assert_eq!(all(follow(job)).await, ["1", "2"]);
    }

    #[tokio::test]
    async fn a_long_job_forgets_its_beginning_and_never_its_end() {
        let job = Arc::new(Job::new("flash os.img".to_owned()));
        (0..KEPT + 5).for_each(|number| job.tell(|| Ok(number.to_string())));
        job.end(Some(Error::config("no such variant")));
        let heard = all(follow(job)).await;
        assert_eq!(heard.len(), KEPT);
        assert_eq!(heard[0], "6");
        assert_eq!(heard[KEPT - 1], r#"{"event":"refused","class":"config","reason":"no such variant"}"#);
    }
}
