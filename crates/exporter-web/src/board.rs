//! One board as the page knows it. Tasks of its own keep this up to date, and browsers read it: none of them is waited for.

mod console;
mod job;
mod line;
mod status;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use exporter_grpc::{BoardNodes, DirectClient};
use ledger::Ledger;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

pub(crate) use self::console::LiveConsole;
pub(crate) use self::job::{JobEnd, JobView, Note, StepState};
pub(crate) use self::line::HeldLine;
pub(crate) use self::status::{BoardStatus, PowerView};

/// How often the state is asked for while a page shows it.
const EVERY: Duration = Duration::from_secs(2);
/// Bound on waiting for the state when a page is opened.
const FRESH: Duration = Duration::from_secs(2);

/// What is known of a board.
#[derive(Debug)]
pub(crate) struct ShownBoard {
    pub(crate) nodes: BoardNodes,
    pub(crate) client: DirectClient,
    pub(crate) console: LiveConsole,
    pub(crate) status: watch::Sender<BoardStatus>,
    pub(crate) job: watch::Sender<Option<Arc<JobView>>>,
    pub(crate) line: HeldLine,
    /// Pages that show it now.
    watchers: AtomicUsize,
    /// The state is to be asked for now.
    asked: Notify,
}

/// A page that shows a board, until this is dropped.
#[derive(Debug)]
pub(crate) struct Watcher(Arc<ShownBoard>);

impl ShownBoard {
    /// A board of which nothing is known yet, and the tasks that change that.
    pub(crate) fn begin(
        nodes: BoardNodes,
        client: DirectClient,
        ledger: Option<Ledger>,
        tasks: &mut JoinSet<()>,
    ) -> Arc<Self> {
        let board = Arc::new(Self {
            nodes,
            client,
            console: LiveConsole::default(),
            status: watch::channel(BoardStatus::default()).0,
            job: watch::channel(None).0,
            line: HeldLine::default(),
            watchers: AtomicUsize::new(0),
            asked: Notify::new(),
        });
        if let Some(path) = board.nodes.serial.clone() {
            let board = Arc::clone(&board);
            tasks.spawn(async move { console::listen(&board.client, &path, &board.console).await });
        }
        if let Some(path) = board.nodes.flasher.clone() {
            let board = Arc::clone(&board);
            tasks.spawn(
                async move { job::follow(&board.client, &path, &board.job, ledger, &board.asked).await },
            );
        }
        tasks.spawn(Arc::clone(&board).look());
        board
    }

    /// What people call it.
    pub(crate) fn name(&self) -> &str {
        &self.nodes.name
    }

    /// Counts a page that shows the board.
    pub(crate) fn watched(self: &Arc<Self>) -> Watcher {
        self.watchers.fetch_add(1, Ordering::Relaxed);
        self.asked.notify_one();
        Watcher(Arc::clone(self))
    }

    /// Has the state asked for now.
    pub(crate) fn ask(&self) {
        self.asked.notify_one();
    }

    /// Waits until the state is known that is asked for now, or for two seconds.
    pub(crate) async fn freshen(&self) {
        let mut status = self.status.subscribe();
        status.borrow_and_update();
        self.ask();
        // A switch that answers later is shown when it has.
        tokio::time::timeout(FRESH, status.changed()).await.ok();
    }

    /// Asks for the state whenever that is wanted.
    async fn look(self: Arc<Self>) {
        loop {
            if self.watchers.load(Ordering::Relaxed) == 0 {
                self.asked.notified().await;
            }
            let status = BoardStatus::of(&self.client, &self.nodes).await;
            self.status.send_replace(status);
            // Who asks meanwhile is answered at once.
            tokio::time::timeout(EVERY, self.asked.notified()).await.ok();
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}
