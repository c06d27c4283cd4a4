//! How the jobs of several boards go on beside each other: so many at once, and whether the first failure stops the others.

use std::collections::HashMap;

use flasher_core::CancellationToken;
use tokio::task::JoinSet;

use super::end::BoardEnd;

/// How many jobs run at once, and what a failure does.
pub(super) struct JobPool {
    /// Jobs at once.
    pub(super) limit: usize,
    /// Whether the first failure stops the others.
    pub(super) fail_fast: bool,
}

impl JobPool {
    /// Does all jobs, each under the name of its board; gives how each ended, in their order. None begins after `stop`. `ended` hears of
    /// each end.
    pub(super) async fn work<J: Future<Output = BoardEnd> + Send + 'static>(
        &self,
        jobs: impl Iterator<Item = (String, J)>,
        stop: &CancellationToken,
        ended: impl Fn(&BoardEnd),
    ) -> Vec<BoardEnd> {
        let mut ends: Vec<BoardEnd> = Vec::new();
        let (mut waiting, mut running, mut indices) = (Vec::new(), JoinSet::new(), HashMap::new());
        for (board, job) in jobs {
            ends.push(BoardEnd::idle(&board));
            waiting.push(job);
        }
        let mut waiting = waiting.into_iter().enumerate();
        let mut first_failed: Option<String> = None;
        loop {
            while running.len() < self.limit
                && !stop.is_cancelled()
                && let Some((index, job)) = waiting.next()
            {
                indices.insert(running.spawn(job).id(), index);
            }
            let Some(joined) = running.join_next_with_id().await else { break };
            let id = joined.as_ref().map_or_else(|error| error.id(), |(id, _)| *id);
            let Some(end) = indices.remove(&id).and_then(|index| ends.get_mut(index)) else { continue };
            *end = joined.map_or_else(|error| BoardEnd::broken(&end.board, &error), |(_, end)| end);
            end.stopped_for.clone_from(&first_failed);
            if self.fail_fast && first_failed.is_none() && end.is_failed() && !stop.is_cancelled() {
                first_failed = Some(end.board.clone());
                stop.cancel();
            }
            ended(end);
        }
        for (index, _) in waiting {
            ends[index].stopped_for.clone_from(&first_failed);
            ended(&ends[index]);
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use flasher_core::{Class, Error};
    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;

    use super::super::end::JobEnd;
    use super::*;

    fn failed(board: &str) -> BoardEnd {
        let failure = Error::new(Class::Board, "it is silent").into();
        BoardEnd { outcome: JobEnd::Failed(failure), ..BoardEnd::idle(board) }
    }

    fn breaks() -> BoardEnd {
        panic!("a fault of the test's own")
    }

    /// The exit code of each board, 0 for one that does not count.
    async fn codes(pool: JobPool, jobs: Vec<(String, BoxFuture<'static, BoardEnd>)>) -> String {
        let heard = AtomicUsize::new(0);
        let count = jobs.len();
        let ended = |_: &BoardEnd| {
            heard.fetch_add(1, Ordering::Relaxed);
        };
        let ends = pool.work(jobs.into_iter(), &CancellationToken::new(), ended).await;
        assert_eq!(heard.into_inner(), count, "each end is heard of once");
        let codes = ends.iter().map(|end| format!("{} {}", end.board, end.exit_code()));
        codes.collect::<Vec<_>>().join(", ")
    }

    #[tokio::test]
    async fn a_job_that_breaks_is_no_job_that_was_not_begun() {
        let jobs = || -> Vec<(String, BoxFuture<'static, BoardEnd>)> {
            let broken = async { breaks() };
            let other = async { failed("b") };
            vec![("a".to_owned(), broken.boxed()), ("b".to_owned(), other.boxed())]
        };
        assert_eq!(codes(JobPool { limit: 2, fail_fast: false }, jobs()).await, "a 70, b 5");
        // The second is not begun, for the first.
        assert_eq!(codes(JobPool { limit: 1, fail_fast: true }, jobs()).await, "a 70, b 0");
    }

    #[tokio::test]
    async fn no_more_run_at_once_than_wanted() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let job = |index: usize| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            let job = async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                now.fetch_sub(1, Ordering::SeqCst);
                failed(&index.to_string())
            };
            (index.to_string(), job.boxed())
        };
        let jobs = (0..6).map(job).collect();
        codes(JobPool { limit: 2, fail_fast: false }, jobs).await;
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }
}
