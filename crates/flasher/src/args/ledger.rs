//! Which ledger a command uses: what a job is kept in, and what `history` and `media` read.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use ledger::Ledger;

/// For commands that run jobs.
#[derive(ClapArgs)]
pub(crate) struct LedgerArgs {
    /// Keep nothing of the job in the ledger, which `flasher history` and `flasher media` show
    #[arg(long, help_heading = "Proof")]
    pub(crate) no_ledger: bool,
}

impl LedgerArgs {
    /// The ledger that keeps the job's receipt.
    pub(crate) fn ledger(&self) -> Option<Ledger> {
        if self.no_ledger { None } else { Ledger::of_user() }
    }
}

/// For commands that read it.
#[derive(ClapArgs)]
pub(crate) struct LedgerFileArgs {
    /// The ledger's file; that of this user when not given
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
}

impl LedgerFileArgs {
    /// The ledger to read; none for a user without a home.
    pub(crate) fn ledger(&self) -> Option<Ledger> {
        self.ledger.clone().map(Ledger::at).or_else(Ledger::of_user)
    }
}
