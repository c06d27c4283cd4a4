//! What is kept of what an exporter did.

use flasher_core::Receipt;
use ledger::{Ledger, ReceiptPlace};

use crate::metrics::Metrics;

/// Where an exporter keeps what it did.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Where receipts are kept, also when no client follows the job; none when they are not.
    pub ledger: Option<Ledger>,
    /// What is counted.
    pub metrics: Metrics,
}

impl Records {
    /// Keeps the receipt of a job that has ended.
    pub(crate) async fn keep(&self, receipt: Receipt) {
        self.metrics.job(&receipt);
        let Some(ledger) = self.ledger.clone() else { return };
        let kept = tokio::task::spawn_blocking(move || ledger.keep(&receipt)).await;
        match kept {
            Ok(Ok(ReceiptPlace::Job { id, set_aside })) => {
                if let Some(file) = set_aside {
                    tracing::warn!(file = %file.display(), "the ledger could not be read and was set aside");
                }
                tracing::info!(job = id, "the receipt is in the ledger");
            }
            Ok(Ok(ReceiptPlace::Waiting { file, why })) => {
                tracing::warn!(file = %file.display(), why, "the receipt waits for the ledger");
            }
            Ok(Err(error)) => tracing::warn!(%error, "the receipt is not in the ledger"),
            Err(error) => tracing::error!(%error, "keeping the receipt ended unexpectedly"),
        }
    }
}
