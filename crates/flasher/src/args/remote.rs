//! The exporter that a command goes to.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// An exporter that does the work instead of this process.
#[derive(ClapArgs)]
pub(crate) struct RemoteArgs {
    /// Exporter (`flasher serve`) that the command goes to, HOST:PORT
    #[arg(long, global = true, value_name = "HOST:PORT", help_heading = "Remote")]
    pub(crate) remote: Option<String>,
    /// File with the exporter's passphrase; never printed
    #[arg(long, global = true, value_name = "FILE", help_heading = "Remote")]
    pub(crate) remote_passphrase_file: Option<PathBuf>,
    /// PEM file with the CA of the exporter's certificate; the exporter is spoken to over TLS
    #[arg(long, global = true, value_name = "FILE", help_heading = "Remote")]
    pub(crate) remote_cacert: Option<PathBuf>,
}
