//! The exporter that a command goes to: one with an address, or one of a lab.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use driver_remote::Tunnel;
use exporter_controller::LeaseChoice;

use crate::args::values::deadline;

/// How long a lease lasts when that is not said.
const LEASE: Duration = Duration::from_secs(30 * 60);

/// An exporter that does the work instead of this process.
#[derive(ClapArgs)]
pub(crate) struct RemoteArgs {
    /// Exporter (`flasher serve`) that the command goes to, HOST:PORT; may be given several times by a command that takes several
    /// boards
    #[arg(long = "remote", global = true, value_name = "HOST:PORT", help_heading = "Remote", id = "remote")]
    pub(crate) remotes: Vec<String>,
    /// File with the exporter's passphrase; never printed
    #[arg(long, global = true, value_name = "FILE", help_heading = "Remote")]
    pub(crate) remote_passphrase_file: Option<PathBuf>,
    /// PEM file with the CA of the exporter's certificate; the exporter is spoken to over TLS
    #[arg(long, global = true, value_name = "FILE", help_heading = "Remote")]
    pub(crate) remote_cacert: Option<PathBuf>,
    /// Lease an exporter with these labels from a Jumpstarter lab for the command, and give it back after it: `label=value`, several
    /// with commas between
    #[arg(long, global = true, value_name = "SELECTOR", help_heading = "Remote")]
    pub(crate) lease: Option<String>,
    /// Use a lease that is there, by its name; it stays
    #[arg(long, global = true, value_name = "NAME", help_heading = "Remote")]
    pub(crate) lease_name: Option<String>,
    /// How long a new lease lasts at most, with its unit [default: 30m]
    #[arg(long, global = true, value_name = "DURATION", value_parser = deadline, help_heading = "Remote")]
    pub(crate) lease_time: Option<Duration>,
    /// Client file of Jumpstarter, or the name of a client of this user [default: the one that `jmp` uses]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Remote")]
    pub(crate) client: Option<PathBuf>,
    /// The way to the exporter that was leased.
    #[arg(skip)]
    pub(crate) tunnel: Option<Arc<dyn Tunnel>>,
}

impl RemoteArgs {
    /// Whether the command goes to an exporter that is no part of this process.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.option().is_some()
    }

    /// The option that leads there, as it is typed.
    pub(crate) fn option(&self) -> Option<&'static str> {
        match self {
            Self { remotes, .. } if !remotes.is_empty() => Some("--remote"),
            Self { lease: Some(_), .. } => Some("--lease"),
            Self { lease_name: Some(_), .. } => Some("--lease-name"),
            _ => None,
        }
    }

    /// The lease that the command needs; none when it needs none.
    pub(crate) fn lease_choice(&self) -> Option<LeaseChoice> {
        let lasting = self.lease_time.unwrap_or(LEASE);
        let new = self.lease.clone().map(|selector| LeaseChoice::New { selector, lasting });
        new.or_else(|| self.lease_name.clone().map(LeaseChoice::Existing))
    }
}
