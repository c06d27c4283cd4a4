//! `flasher flash`: an image onto the board's medium, proven.

pub(crate) mod args;

use std::path::Path;

use flasher_core::{CancellationToken, Result};

use super::board_job::{self, Request, Work};
use super::detached;
use crate::args::python::PythonOption;
use crate::detached::InJob;
use crate::failure::Failure;
use crate::job;
use crate::screen::Screen;
use crate::signals::Signals;
use args::FlashArgs;

/// Flashes; the exit code is the receipt's.
pub(super) async fn run(
    args: &FlashArgs,
    exporter: Option<&Path>,
    python: &PythonOption,
    screen: &Screen,
) -> Result<u8, Failure> {
    if args.detach {
        return detached::start(args, screen).await;
    }
    let signals = Signals::install()?;
    let within = args.in_job.as_deref().map(InJob::enter).transpose()?;
    let request = Request {
        job: Work::Flash(Box::new(job::flash_job(args, CancellationToken::new())?)),
        python: python.clone(),
        device: args.boards.one().map(str::to_owned),
        variant: args.variant.clone(),
        receipt: args.job.receipt.clone().or_else(|| within.as_ref().map(InJob::receipt)),
        ledger: args.job.ledger,
        signals,
        within,
    };
    let (_, code) = board_job::execute(request, exporter, screen).await?;
    Ok(code)
}
