//! Which tree the page shows.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use exporter_grpc::{DirectClient, Exporter, LeasedExporter};

/// What users of the page itself are called in messages to others.
const PAGE: &str = "the web page";

/// Where the tree comes from that is served now.
#[async_trait]
pub trait TreeSource: fmt::Debug + Send + Sync {
    /// The tree; none while there is none.
    async fn tree(&self) -> Option<DirectClient>;

    /// Whether users of the page may use the boards; otherwise they can only look.
    fn may_act(&self) -> bool;

    /// What the page says while there is no tree.
    fn absent(&self) -> &'static str;
}

#[async_trait]
impl TreeSource for Exporter {
    async fn tree(&self) -> Option<DirectClient> {
        Some(self.direct(PAGE, true).await)
    }

    fn may_act(&self) -> bool {
        true
    }

    fn absent(&self) -> &'static str {
        "The exporter reads its file anew. This takes a moment."
    }
}

/// The trees of leases, one after the other, under a controller. Who has the lease uses the boards; the page only shows them.
#[derive(Debug, Default)]
pub struct LeasedTrees(Mutex<Weak<LeasedExporter>>);

impl LeasedTrees {
    /// Shows the tree of this lease from now on, until it is dropped.
    pub fn set(&self, leased: &Arc<LeasedExporter>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(leased);
    }
}

#[async_trait]
impl TreeSource for LeasedTrees {
    async fn tree(&self) -> Option<DirectClient> {
        let leased = self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        leased.map(|leased| leased.direct(PAGE, true))
    }

    fn may_act(&self) -> bool {
        false
    }

    fn absent(&self) -> &'static str {
        "No client has a lease of this exporter now, so its boards are not in use."
    }
}
