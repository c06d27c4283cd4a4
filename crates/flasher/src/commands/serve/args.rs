//! What `serve` takes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;

use super::fetch::FetchArgs;
use crate::args::ledger::LedgerArgs;
use crate::args::values::seconds;

/// Where the exporter listens, whom it lets in, and what it does for them.
#[derive(ClapArgs)]
pub(crate) struct ServeArgs {
    /// Live under the controller that the exporter YAML names: dial out, take leases, and serve clients through its router
    #[arg(long, conflicts_with_all = ["listen", "unix", "passphrase_file", "hosts", "command"])]
    pub(crate) controller: bool,
    /// Listen on TCP; port 0 takes any free one, `:PORT` every address of this machine
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
    /// Listen on a unix socket that only this user may use
    #[arg(long, value_name = "PATH")]
    pub(crate) unix: Option<PathBuf>,
    /// Speak TLS on TCP with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires_all = ["key", "listen"])]
    pub(crate) cert: Option<PathBuf>,
    /// Its private key (PEM); never printed
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// File with a passphrase that clients must know; never printed
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Listen off this machine although clients need no passphrase, or send it unencrypted: every user who reaches the port, or hears
    /// what goes there, has the boards
    #[arg(long, requires = "listen")]
    pub(crate) insecure: bool,
    /// A further name of this machine; clients that ask for another machine are refused
    #[arg(long = "host", value_name = "NAME")]
    pub(crate) hosts: Vec<String>,
    #[command(flatten)]
    pub(crate) fetch: FetchArgs,
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
    /// Let a monitoring system read counts (OpenMetrics) at `http://HOST:PORT/metrics`: jobs by verdict, bytes, calls. A port alone is
    /// that of 127.0.0.1, port 0 any free one
    #[arg(long, value_name = "[HOST:]PORT")]
    pub(crate) metrics: Option<String>,
    /// How long clients may end what they do once the exporter is stopped
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = seconds)]
    pub(crate) grace: Duration,
    /// A command that finds the exporter in its environment; its exit code is passed on
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}
