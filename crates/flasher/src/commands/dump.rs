//! `flasher dump`: a medium into a file, with a receipt and a verdict as for a flash.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args as ClapArgs;
use flasher_core::{CancellationToken, DumpJob, DumpSink, Error, Result};

use super::board_job::{self, Request, Work};
use super::flash::args::way::ViaChoice;
use super::remote::{self, DumpRequest};
use crate::args::job::{JobArgs, VerifyChoice};
use crate::args::node::{BoardsArgs, SeveralArgs};
use crate::args::python::PythonOption;
use crate::args::remote::RemoteArgs;
use crate::dump_file::{DumpFile, DumpPipe};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::signals::Signals;

/// What `dump` takes.
#[derive(ClapArgs)]
pub(crate) struct DumpArgs {
    /// Where the medium goes: a file, packed with zstd when its name ends in `.zst`, or `-` for standard output
    pub(crate) out: PathBuf,
    /// Target of the manifest; its default when not given
    #[arg(long, value_name = "NAME")]
    pub(crate) target: Option<String>,
    /// How the medium is reached [default: what the config says, else `auto`]
    #[arg(long, value_enum, value_name = "WAY")]
    pub(crate) via: Option<ViaChoice>,
    /// Only the partition on the target with this label
    #[arg(short = 't', long, value_name = "LABEL")]
    pub(crate) partition: Option<String>,
    #[command(flatten)]
    pub(crate) boards: BoardsArgs,
    #[command(flatten)]
    pub(crate) several: SeveralArgs,
    /// Device-tree variant of the bundle
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Option<String>,
    /// Command to run on the board before its target is looked at; may be given several times; must succeed; no secrets
    #[arg(long, value_name = "CMD")]
    pub(crate) preflash: Vec<String>,

    /// How much of the medium is read a second time; only all of it ends proven
    #[arg(long, value_enum, value_name = "HOW", default_value = "full", help_heading = "Proof")]
    pub(crate) verify: VerifyChoice,
    #[command(flatten)]
    pub(crate) job: JobArgs,
}

/// Dumps; the exit code is the receipt's.
pub(super) async fn run(
    args: &DumpArgs,
    exporter: Option<&Path>,
    python: &PythonOption,
    screen: &Screen,
) -> Result<u8, Failure> {
    let signals = Signals::install()?;
    if args.out == Path::new("-") {
        return to_pipe(args, signals, (exporter, python), screen).await;
    }
    let file = Arc::new(DumpFile::prepare(&args.out)?);
    let job = dump_job(args, Arc::clone(&file) as _, CancellationToken::new());
    let request = request(args, python, job, signals);
    let outcome = board_job::execute(request, exporter, screen).await;
    // A thread of a stopped job may still hold it.
    file.discard();
    Ok(outcome?.1)
}

/// Dumps the board of an exporter into a file of this machine.
pub(super) async fn run_remote(args: &DumpArgs, remote: &RemoteArgs, screen: &Screen) -> Result<u8, Failure> {
    let request = |sink| DumpRequest {
        job: dump_job(args, sink, CancellationToken::new()),
        device: args.boards.one().map(str::to_owned),
        variant: args.variant.clone(),
        receipt: args.job.receipt.clone(),
        ledger: args.job.ledger.ledger(),
    };
    if args.out == Path::new("-") {
        let screen = pipe_screen(screen)?;
        return remote::dump(request(Arc::new(DumpPipe::default())), remote, &screen).await;
    }
    let file = Arc::new(DumpFile::prepare(&args.out)?);
    let outcome = remote::dump(request(Arc::clone(&file) as _), remote, screen).await;
    // A thread of a stopped job may still hold it.
    file.discard();
    outcome
}

/// What a dump to standard output tells, tells it elsewhere.
fn pipe_screen(screen: &Screen) -> Result<Screen> {
    match screen.is_json() {
        true => Err(Error::config("`--json` and a dump to standard output exclude each other")
            .help("dump into a file, or leave `--json` out")),
        false => Ok(screen.aside_only()),
    }
}

async fn to_pipe(
    args: &DumpArgs,
    signals: Signals,
    (exporter, python): (Option<&Path>, &PythonOption),
    screen: &Screen,
) -> Result<u8, Failure> {
    let screen = pipe_screen(screen)?;
    let job = dump_job(args, Arc::new(DumpPipe::default()), CancellationToken::new());
    Ok(board_job::execute(request(args, python, job, signals), exporter, &screen).await?.1)
}

fn request(args: &DumpArgs, python: &PythonOption, job: DumpJob, signals: Signals) -> Request {
    let (job, python) = (Work::Dump(Box::new(job)), python.clone());
    let (device, variant, receipt) =
        (args.boards.one().map(str::to_owned), args.variant.clone(), args.job.receipt.clone());
    Request { job, python, device, variant, receipt, ledger: args.job.ledger, signals, within: None }
}

/// The job that `args` ask for, into `sink`, stopped by `stop`.
pub(super) fn dump_job(args: &DumpArgs, sink: Arc<dyn DumpSink>, stop: CancellationToken) -> DumpJob {
    DumpJob {
        target: args.target.clone(),
        via: args.via.map(Into::into),
        partition: args.partition.clone(),
        verify: args.verify.into(),
        preflash: args.preflash.clone(),
        retries: args.job.retries,
        deadline: args.job.deadline,
        power_off: !args.job.no_power_off,
        transcript: args.job.transcript.clone(),
        stop,
        ..DumpJob::new(sink)
    }
}
