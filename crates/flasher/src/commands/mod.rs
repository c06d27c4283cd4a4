//! One file for each command, and what they share.

mod boards;
mod bundle;
mod check;
pub(crate) mod completions;
mod console;
mod demo;
mod detached;
mod doctor;
mod drivers;
mod dump;
mod files;
mod flash;
mod killed;
mod plan;
mod power;
mod remote;
mod sandbox;
mod schema;
mod serve;
mod shell_env;
mod verify_receipt;

use std::path::{Path, PathBuf};
use std::time::Duration;

use flasher_core::tree::DeviceTree;
use flasher_core::{Error, Result, safe, suggest};

use crate::args::{Args, Command, ConsoleArgs};
use crate::failure::Failure;
use crate::screen::Screen;

/// Runs the command and gives its exit code.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<u8, Failure> {
    crate::args::effect::check(&args)?;
    let exporter = args.exporter;
    let load = || load(exporter.as_deref());
    match args.command {
        Command::Demo(demo) => demo::run(demo, screen).await,
        Command::Flash(flash) if args.remote.remote.is_some() => {
            remote::flash(&flash, &args.remote, screen).await
        }
        Command::Attach { job, receipt, .. } if args.remote.remote.is_none() => {
            detached::attach(job.as_deref(), receipt.as_deref(), screen).await
        }
        Command::Cancel { job, .. } if args.remote.remote.is_none() => {
            detached::cancel(job.as_deref(), screen).await
        }
        Command::Attach { job: Some(_), .. } | Command::Cancel { job: Some(_), .. } => Err(Error::config(
            "an ID names a job of this machine, and `--remote` an exporter with one job a board",
        )
        .help("leave one of them out")
        .into()),
        Command::Attach { node, receipt, .. } => {
            let device = node.device.as_deref();
            remote::join(remote::Follow::Attach, device, receipt.as_deref(), &args.remote, screen).await
        }
        Command::Cancel { node, .. } => {
            let device = node.device.as_deref();
            remote::join(remote::Follow::Cancel, device, None, &args.remote, screen).await
        }
        Command::Serve(serve) => serve::run(serve, exporter.as_deref(), screen).await,
        Command::ShellEnv(shell) => shell_env::run(shell, screen).await,
        Command::Flash(flash) => flash::run(&flash, exporter.as_deref(), screen).await,
        Command::Dump(dump) => dump::run(&dump, exporter.as_deref(), screen).await,
        Command::Plan(flash) => plan::run(&flash, load()?, screen).await,
        Command::Check { file } => check::run(file.or(exporter), screen).await,
        Command::Drivers { name } => drivers::run(name.as_deref(), screen),
        Command::Boards { name } => boards::run(name.as_deref(), screen),
        Command::Bundle { action } => bundle::run(&action, exporter, screen).await,
        Command::Power { action, node, force } => power::run(&action, &node, force, load()?, screen).await,
        Command::Console(console) if args.remote.remote.is_some() => {
            let console = ConsoleArgs { log: args.log, ..console };
            console::run_remote(&console, &args.remote, screen).await
        }
        Command::Console(console) => {
            let console = ConsoleArgs { log: args.log, ..console };
            console::run(&console, load()?, screen).await
        }
        Command::Files(files) => files::run(&files, screen).await,
        Command::Doctor => doctor::run(load()?, screen).await,
        Command::Sandbox { command } => sandbox::run(&command).await,
        Command::VerifyReceipt(verify) => verify_receipt::run(&verify, screen).await,
        Command::Schema { of } => schema::run(of, screen),
        Command::Completions { shell } => completions::run(shell, screen),
    }
}

/// The tree of the exporter YAML, or how to name one.
fn load(exporter: Option<&Path>) -> Result<DeviceTree, Failure> {
    Ok(DeviceTree::load(named(exporter)?)?)
}

fn named(exporter: Option<&Path>) -> Result<&Path> {
    exporter.ok_or_else(|| {
        Error::config("no exporter YAML is named").help("give `--exporter FILE`, or set FLASHER_EXPORTER")
    })
}

/// A name and other names for the same thing.
type Names = (&'static str, &'static [&'static str]);

/// The error for a `what` called `name` that this build has not; `known` are those it has.
fn unknown(what: &str, name: &str, known: &[Names]) -> Failure {
    let all = known.iter().flat_map(|(name, aliases)| std::iter::once(name).chain(*aliases).copied());
    let help = match suggest::nearest(name, all) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("this build has: {}", suggest::list(known.iter().map(|(name, _)| *name))),
    };
    Error::config(format!("unknown {what} `{name}`")).help(help).into()
}

/// Bound on letting go of every node.
const CLOSE: Duration = Duration::from_secs(10);

/// Closes every node; what could not be let go is said, and does not change how the command ended.
async fn close(tree: &DeviceTree, screen: &Screen) {
    let closed = tokio::time::timeout(CLOSE, tree.close()).await.unwrap_or_else(|_| {
        Err(Error::infrastructure(format!("the nodes were not let go within {} s", CLOSE.as_secs())))
    });
    if let Err(error) = closed {
        screen.aside(&format!("warning: {}\n", safe::one_line(&error.cause())));
    }
}

/// Two columns, the first as wide as its widest text.
fn columns(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(first, _)| first.chars().count()).max().unwrap_or(0);
    rows.iter()
        .map(|(first, second)| format!("{:width$}  {}\n", safe::line(first), safe::line(second)))
        .collect()
}

/// A path as text, for JSON and messages.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A path that was asked for on the command line or in the environment.
fn required(exporter: Option<PathBuf>) -> Result<PathBuf> {
    named(exporter.as_deref()).map(Path::to_path_buf)
}
