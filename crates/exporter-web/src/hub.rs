//! The tree that is served now, with its boards. Another one takes its place after a reload, or with the next lease.

use std::sync::Arc;
use std::time::Duration;

use exporter_grpc::DirectClient;
use flasher_core::CancellationToken;
use ledger::Ledger;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::board::ShownBoard;
use crate::trees::TreeSource;

/// How long a page waits for a tree that is just being loaded.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often another tree is looked for.
const EVERY: Duration = Duration::from_secs(1);

/// Where pages find the boards.
#[derive(Debug)]
pub(crate) struct Hub {
    source: Arc<dyn TreeSource>,
    ledger: Option<Ledger>,
    current: Mutex<Option<Arc<ShownTree>>>,
}

/// A tree and what is known of its boards.
#[derive(Debug)]
pub(crate) struct ShownTree {
    pub(crate) client: DirectClient,
    pub(crate) boards: Vec<Arc<ShownBoard>>,
    /// Cancelled when another tree takes its place.
    pub(crate) over: CancellationToken,
    _tasks: JoinSet<()>,
}

impl Hub {
    pub(crate) fn new(source: Arc<dyn TreeSource>, ledger: Option<Ledger>) -> Self {
        Self { source, ledger, current: Mutex::default() }
    }

    /// Whether users of the page may use the boards.
    pub(crate) fn may_act(&self) -> bool {
        self.source.may_act()
    }

    /// What the page says while there is no tree.
    pub(crate) fn absent(&self) -> &'static str {
        self.source.absent()
    }

    /// The tree of now; none while there is none.
    pub(crate) async fn tree(&self) -> Option<Arc<ShownTree>> {
        let client = timeout(PATIENCE, self.source.tree()).await.ok().flatten();
        let mut current = self.current.lock().await;
        let same =
            |shown: &Arc<ShownTree>| client.as_ref().is_some_and(|it| it.tree() == shown.client.tree());
        if current.as_ref().is_none_or(|shown| !same(shown)) {
            if let Some(former) = current.take() {
                former.over.cancel();
            }
            *current = client.map(|client| Arc::new(ShownTree::begin(client, self.ledger.as_ref())));
        }
        current.clone()
    }

    /// Looks for another tree until `stop`, so that pages that are open hear of it.
    pub(crate) async fn keep_up(self: Arc<Self>, stop: CancellationToken) {
        while stop.run_until_cancelled(sleep(EVERY)).await.is_some() {
            self.tree().await;
        }
        if let Some(last) = self.current.lock().await.take() {
            last.over.cancel();
        }
    }
}

impl ShownTree {
    fn begin(client: DirectClient, ledger: Option<&Ledger>) -> Self {
        let mut tasks = JoinSet::new();
        let boards = client.boards();
        let begin = |nodes| ShownBoard::begin(nodes, client.clone(), ledger.cloned(), &mut tasks);
        let boards = boards.into_iter().map(begin).collect();
        Self { client, boards, over: CancellationToken::new(), _tasks: tasks }
    }

    /// The board of this name.
    pub(crate) fn board(&self, name: &str) -> Option<&Arc<ShownBoard>> {
        self.boards.iter().find(|board| board.name() == name)
    }
}
