//! What every job on a board takes: what is kept of it, how hard it tries, how it leaves the board.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use flasher_core::flash::Verify;

use super::ledger::LedgerArgs;
use super::values::deadline;

#[derive(ClapArgs)]
pub(crate) struct JobArgs {
    /// Keep a receipt (JSON), also of a failure
    #[arg(long, value_name = "FILE", help_heading = "Proof")]
    pub(crate) receipt: Option<PathBuf>,
    /// Keep everything the board printed
    #[arg(long, value_name = "FILE", help_heading = "Proof")]
    pub(crate) transcript: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,

    /// How often a failed attempt is repeated when that can help
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Persistence")]
    pub(crate) retries: u32,
    /// Bound on the whole job, for example `20m`; without it each attempt has a generous one, which `plan` shows
    #[arg(long, value_name = "D", value_parser = deadline, help_heading = "Persistence")]
    pub(crate) deadline: Option<Duration>,
    /// Switch the board off after a good end, proven or written (the default)
    #[arg(long, overrides_with = "no_power_off", help_heading = "Persistence")]
    pub(crate) power_off: bool,
    /// Leave the board on after a good end; after a failure it is switched off all the same
    #[arg(long, overrides_with = "power_off", help_heading = "Persistence")]
    pub(crate) no_power_off: bool,
}

/// How much is read back.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum VerifyChoice {
    /// All that the image has: data and zeros
    Full,
    /// Only what the image has data for; ends as `written, not proven`
    Mapped,
    /// Nothing but the first block; ends as `written, not proven`
    Off,
}

impl From<VerifyChoice> for Verify {
    fn from(choice: VerifyChoice) -> Self {
        match choice {
            VerifyChoice::Full => Self::Full,
            VerifyChoice::Mapped => Self::Mapped,
            VerifyChoice::Off => Self::Off,
        }
    }
}
