//! What a web page needs to know of its exporter, and who may use it.

use exporter_grpc::{Hosts, Metrics};
use exporter_wire::passphrase::Passphrase;
use exporter_wire::tls::Certificate;
use ledger::Ledger;

/// Who may use the page, and what it shows besides the boards.
#[derive(Debug, Default)]
pub struct WebSettings {
    /// What a person must know; none lets everyone in who reaches the page.
    pub passphrase: Option<Passphrase>,
    /// What the page proves its name with; none speaks plain HTTP.
    pub certificate: Option<Certificate>,
    /// The names of this machine: requests for another one are refused.
    pub hosts: Hosts,
    /// Where the receipts of jobs are; none when none are kept.
    pub ledger: Option<Ledger>,
    /// What the exporter counts.
    pub metrics: Metrics,
}
