//! One file for each command, with what it takes and what it does; and what several of them share.

mod board_job;
mod boards;
pub(crate) mod bundle;
mod check;
pub(crate) mod completions;
mod conclude;
pub(crate) mod console;
pub(crate) mod demo;
mod detached;
mod doctor;
mod driver_tree;
mod drivers;
pub(crate) mod dump;
mod explain;
pub(crate) mod files;
pub(crate) mod flash;
pub(crate) mod history;
pub(crate) mod identify;
pub(crate) mod init;
mod killed;
mod lease;
mod ledger_use;
mod listing;
mod man;
pub(crate) mod media;
mod plan;
pub(crate) mod power;
mod python;
mod remote;
pub(crate) mod replay;
pub(crate) mod report;
mod sandbox;
pub(crate) mod schema;
pub(crate) mod serve;
mod several;
pub(crate) mod shell_env;
mod table;
pub(crate) mod verify_receipt;

use std::path::Path;

use flasher_core::{Error, Result};

use crate::args::remote::RemoteArgs;
use crate::args::{Args, Command};
use crate::failure::Failure;
use crate::screen::Screen;
use console::args::ConsoleArgs;
use doctor::Machine;

/// Whether a command takes several exporters or boards.
pub(crate) fn takes_several(command: &Command) -> bool {
    several::takes_several(command)
}

/// Runs the command, on an exporter that is leased for it when one is to be, and gives its exit code.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<u8, Failure> {
    crate::args::effect::check(&args)?;
    match args.remote.lease_choice() {
        Some(choice) => lease::run(choice, args, screen, |args| dispatch(args, screen)).await,
        None => dispatch(args, screen).await,
    }
}

async fn dispatch(args: Args, screen: &Screen) -> Result<u8, Failure> {
    if several::is_asked(&args)? {
        return several::run(args, screen).await;
    }
    let (exporter, python) = (args.exporters.into_iter().next(), &args.python);
    let tree = async || driver_tree::open(exporter.as_deref(), &args.remote).await;
    match args.command {
        Command::Demo(demo) => demo::run(demo, screen).await,
        Command::Replay(replay) => replay::run(replay, screen).await,
        Command::Flash(flash) if args.remote.is_elsewhere() => {
            remote::flash(&flash, &args.remote, screen).await
        }
        Command::Attach { job, node, receipt } => {
            let earlier =
                EarlierJob { job: job.as_deref(), device: node.device.as_deref(), remote: &args.remote };
            earlier.attach(receipt.as_deref(), screen).await
        }
        Command::Cancel { job, node } => {
            let earlier =
                EarlierJob { job: job.as_deref(), device: node.device.as_deref(), remote: &args.remote };
            earlier.cancel(screen).await
        }
        Command::Serve(serve) => serve::run(serve, exporter.as_deref(), python, screen).await,
        Command::ShellEnv(shell) => shell_env::run(shell, screen).await,
        Command::Flash(flash) => flash::run(&flash, exporter.as_deref(), python, screen).await,
        Command::Dump(dump) if args.remote.is_elsewhere() => {
            dump::run_remote(&dump, &args.remote, screen).await
        }
        Command::Dump(dump) => dump::run(&dump, exporter.as_deref(), python, screen).await,
        Command::Identify(identify) => identify::run(&identify, exporter.as_deref(), python, screen).await,
        Command::Plan(flash) => plan::run(&flash, exporter.as_deref(), &args.remote, screen).await,
        Command::Init(init) => init::run(init, screen).await,
        Command::Check { file } => check::run(file.or(exporter), python, screen).await,
        Command::Drivers { name } => drivers::run(name.as_deref(), screen),
        Command::Boards { name } => boards::run(name.as_deref(), screen),
        Command::Bundle { action } => bundle::run(&action, exporter, screen).await,
        Command::Power { action, boards, force } => {
            power::run(&action, (boards.one(), force), (tree().await?, python), screen).await
        }
        Command::Console(console) => {
            let console = ConsoleArgs { log: args.log, ..console };
            console::run(&console, (tree().await?, python), screen).await
        }
        Command::Files(files) => files::run(&files, screen).await,
        Command::Doctor => {
            let machine = if args.remote.is_elsewhere() { Machine::Elsewhere } else { Machine::This };
            doctor::run((tree().await?, python), machine, screen).await
        }
        Command::Sandbox { command } => sandbox::run(&command).await,
        Command::History(history) => history::run(history, exporter.as_deref(), screen).await,
        Command::Media(media) => media::run(&media, exporter.as_deref(), screen).await,
        Command::Report(report) => report::run(report, screen).await,
        Command::VerifyReceipt(verify) => verify_receipt::run(&verify, screen).await,
        Command::Explain { words } => explain::run(&words, screen),
        Command::Schema { of } => schema::run(of, screen),
        Command::Man { folder } => man::run(&folder, screen),
        Command::Completions { shell } => completions::run(shell, screen),
    }
}

/// A job that was begun before, on this machine or on an exporter.
struct EarlierJob<'a> {
    /// Its ID, of one on this machine.
    job: Option<&'a str>,
    /// The flasher's node, of one on an exporter.
    device: Option<&'a str>,
    remote: &'a RemoteArgs,
}

impl EarlierJob<'_> {
    async fn attach(&self, receipt: Option<&Path>, screen: &Screen) -> Result<u8, Failure> {
        match (self.remote.is_elsewhere(), self.job) {
            (false, job) => detached::attach(job, receipt, screen).await,
            (true, Some(_)) => Err(two_jobs().into()),
            (true, None) => {
                remote::join(remote::Follow::Attach, self.device, receipt, self.remote, screen).await
            }
        }
    }

    async fn cancel(&self, screen: &Screen) -> Result<u8, Failure> {
        match (self.remote.is_elsewhere(), self.job) {
            (false, job) => detached::cancel(job, screen).await,
            (true, Some(_)) => Err(two_jobs().into()),
            (true, None) => {
                remote::join(remote::Follow::Cancel, self.device, None, self.remote, screen).await
            }
        }
    }
}

fn two_jobs() -> Error {
    Error::config(
        "an ID names a job of this machine, and `--remote` or `--lease` an exporter with one job a board",
    )
    .help("leave one of them out")
}
