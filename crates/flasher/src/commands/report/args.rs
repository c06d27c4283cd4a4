//! What `flasher report` takes.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::args::ledger::LedgerFileArgs;

/// Which receipts, and what to make of them.
#[derive(ClapArgs)]
pub(crate) struct ReportArgs {
    /// Receipts: files as `--receipt` keeps them, or numbers of jobs as `flasher history` lists them; or recordings of failures
    #[arg(required = true, value_name = "RECEIPT|ID")]
    pub(crate) receipts: Vec<PathBuf>,
    /// Write a page (HTML): one file that needs nothing else, to be read, searched and printed
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write the results as JUnit XML, as CI servers read them
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write the results as KCIDB takes them (JSON of its I/O schema 5.3)
    #[arg(long, value_name = "FILE")]
    pub(crate) kcidb: Option<PathBuf>,
    /// The name under which KCIDB knows this lab
    #[arg(long, value_name = "NAME", default_value = "flasher", requires = "kcidb", value_parser = report::origin)]
    pub(crate) kcidb_origin: String,
    /// Write a signed statement for each receipt: in-toto's `test-result` in a DSSE envelope, one a line
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) attest: Option<PathBuf>,
    /// The private key that signs it: P-256 or Ed25519, PEM (PKCS#8, or SEC1 for P-256), without a passphrase
    #[arg(long, value_name = "FILE", requires = "attest")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) ledger: LedgerFileArgs,
}
