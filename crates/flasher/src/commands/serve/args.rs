//! What `serve` takes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use exporter_wire::tls::Certificate;
use flasher_core::{Error, Result};

use super::fetch::FetchArgs;
use crate::args::ledger::LedgerArgs;
use crate::args::values::seconds;

/// Where the exporter listens, whom it lets in, and what it does for them.
#[derive(ClapArgs)]
pub(crate) struct ServeArgs {
    /// Live under the controller that the exporter YAML names: dial out, take leases, and serve clients through its router
    #[arg(long, conflicts_with_all = ["listen", "unix", "command"])]
    pub(crate) controller: bool,
    /// Listen on TCP; port 0 takes any free one, `:PORT` every address of this machine
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
    /// Listen on a unix socket that only this user may use
    #[arg(long, value_name = "PATH")]
    pub(crate) unix: Option<PathBuf>,
    /// Show the boards to browsers at `http://HOST:PORT/`, with buttons to use them; `127.0.0.1:8080` when no address is given, a port
    /// alone is that of 127.0.0.1. Off this machine only with a passphrase and TLS
    #[arg(long, value_name = "[HOST:]PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:8080")]
    pub(crate) web: Option<String>,
    /// Speak TLS on TCP with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// Its private key (PEM); never printed
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// File with a passphrase that clients, and users of the web page, must know; never printed. That of the web page alone may be in the
    /// environment, in FLASHER_WEB_PASSPHRASE
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

impl ServeArgs {
    /// What TLS is spoken with; none when no certificate was given.
    ///
    /// # Errors
    /// When a file cannot be read, or they are no certificate and its key.
    pub(crate) fn certificate(&self) -> Result<Option<Certificate>> {
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Certificate::read(cert, key).map(Some),
            _ => Ok(None),
        }
    }

    /// Refuses options that have no effect with the others.
    ///
    /// # Errors
    /// The first of them, and why.
    pub(crate) fn check(&self) -> Result<()> {
        let idle = |option: &str, why: &str| {
            Err(Error::config(format!("`{option}` has no effect {why}")).help("leave it out"))
        };
        let for_page =
            [("--passphrase-file", self.passphrase_file.is_some()), ("--host", !self.hosts.is_empty())];
        let given = for_page.iter().find(|(_, is_given)| *is_given);
        match given {
            Some((option, _)) if self.controller && self.web.is_none() => idle(
                option,
                "with `--controller`, which decides who comes in, unless there is a web page (`--web`)",
            ),
            _ if self.cert.is_some() && self.listen.is_none() && self.web.is_none() => {
                idle("--cert", "without `--listen` or `--web`")
            }
            _ => Ok(()),
        }
    }
}
