//! Which ledger a command uses: what a job is kept in, and what `history` and `media` read.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use exporter_yaml::Findings;
use flasher_core::tree::{DriverTree, LedgerChoice};
use ledger::Ledger;

/// For commands that run jobs.
#[derive(ClapArgs, Clone, Copy, Default)]
pub(crate) struct LedgerArgs {
    /// Keep nothing of the job in the ledger, which `flasher history` and `flasher media` show
    #[arg(long, help_heading = "Proof")]
    pub(crate) no_ledger: bool,
}

impl LedgerArgs {
    /// The ledger that keeps the receipt of a job on another machine's exporter.
    pub(crate) fn ledger(&self) -> Option<Ledger> {
        if self.no_ledger { None } else { Ledger::of_user() }
    }

    /// The ledger that keeps the receipt of a job on `tree`: that of its file, else that of the user.
    pub(crate) fn of(&self, tree: &DriverTree) -> Option<Ledger> {
        if self.no_ledger { None } else { of(tree) }
    }
}

/// The ledger of the file that `tree` was read from, else that of the user; none where the file wants none.
pub(crate) fn of(tree: &DriverTree) -> Option<Ledger> {
    match tree.ledger_choice() {
        Some(LedgerChoice::Off) => None,
        Some(LedgerChoice::At(file)) => Some(Ledger::at(file)),
        None => Ledger::of_user(),
    }
}

/// For commands that read it.
#[derive(ClapArgs)]
pub(crate) struct LedgerFileArgs {
    /// The ledger's file [default: `ledger` of the exporter YAML, when one is named, else this user's]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
}

impl LedgerFileArgs {
    /// The ledger to read; none for a user without a home, and where the exporter YAML wants none.
    ///
    /// # Errors
    /// When the exporter YAML has problems.
    pub(crate) fn ledger(&self, exporter: Option<&Path>) -> Result<Option<Ledger>, Findings> {
        match (&self.ledger, exporter) {
            (Some(file), _) => Ok(Some(Ledger::at(file))),
            (None, Some(exporter)) => Ok(of(&exporter_yaml::load(exporter)?)),
            (None, None) => Ok(Ledger::of_user()),
        }
    }
}
