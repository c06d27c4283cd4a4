//! `flasher dump`: a medium into a file, with a receipt and a verdict as for a flash.

use std::path::Path;
use std::sync::Arc;

use flasher_core::journal::Journal;
use flasher_core::{CancellationToken, Error, Result};

use super::flash::{self, Request, Work};
use crate::args::DumpArgs;
use crate::dump_file::{DumpFile, DumpPipe};
use crate::failure::Failure;
use crate::job;
use crate::screen::Screen;
use crate::signals::Signals;

/// Dumps; the exit code is the receipt's.
pub(super) async fn run(args: &DumpArgs, exporter: Option<&Path>, screen: &Screen) -> Result<u8, Failure> {
    let signals = Signals::install()?;
    if args.out == Path::new("-") {
        return to_pipe(args, signals, exporter, screen).await;
    }
    let file = Arc::new(DumpFile::prepare(&args.out)?);
    let job = job::dump_job(args, Arc::clone(&file) as _, CancellationToken::new());
    let outcome = flash::execute(request(args, Work::Dump(Box::new(job)), signals), exporter, screen).await;
    // A thread of a stopped job may still hold it.
    file.discard();
    Ok(outcome?.1)
}

async fn to_pipe(
    args: &DumpArgs,
    signals: Signals,
    exporter: Option<&Path>,
    screen: &Screen,
) -> Result<u8, Failure> {
    if screen.is_json() {
        return Err(Error::config("`--json` and a dump to standard output exclude each other")
            .help("dump into a file, or leave `--json` out")
            .into());
    }
    let job = job::dump_job(args, Arc::new(DumpPipe::default()), CancellationToken::new());
    let screen = screen.aside_only();
    Ok(flash::execute(request(args, Work::Dump(Box::new(job)), signals), exporter, &screen).await?.1)
}

fn request(args: &DumpArgs, job: Work, signals: Signals) -> Request {
    let (device, variant, receipt) =
        (args.node.device.clone(), args.variant.clone(), args.job.receipt.clone());
    Request { job, device, variant, receipt, journal: Journal::of_user(), signals, within: None }
}
