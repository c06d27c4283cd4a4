//! The command line. The only crate that prints, draws or exits.
//!
//! A binary with drivers or boards of its own is five lines:
//!
//! ```no_run
//! // use flasher_bundles as _; // every driver and board of this repository
//! // use acme_boards as _;     // and your own
//! fn main() -> std::process::ExitCode {
//!     flasher::main()
//! }
//! ```
//!
//! In reading order: `args` (all commands and the options of the whole program), `commands` (one file each, with what the command takes
//! and does), `job` (arguments to a flash job), `detached` (jobs without a terminal), `receipt_file` and `dump_file` (what is kept on
//! disk), `screen` (where results go), `stderr` and `log` (what is reported besides), `render` (how everything looks), `failure` (how a
//! command fails), `host` and `sandbox` (what this machine has, and namespaces made on it).

mod args;
mod commands;
mod detached;
mod dump_file;
mod failure;
mod host;
mod image_error;
mod job;
mod log;
mod outputs;
mod receipt_file;
mod render;
mod sandbox;
mod screen;
mod signals;
mod stderr;
mod temporary;

use std::process::ExitCode;

use clap::FromArgMatches;

use crate::args::Args;
use crate::failure::Failure;
use crate::log::Chatter;
use crate::screen::Screen;

/// The definition of the command line, as [`main`] reads it: every command with its options, for documents and tests of all of them.
/// A global option that a command refuses is hidden there.
pub fn command_line() -> clap::Command {
    args::command()
}

/// Parses the arguments of this process, runs the command and gives its exit code: 0 done, 2 usage or config,
/// 3 source, 4 infrastructure, 5 board, 6 medium, 70 a bug of ours, 130 interrupted.
pub fn main() -> ExitCode {
    // A shell that completes a line asks in the environment; then nothing else is done.
    clap_complete::CompleteEnv::with_factory(args::command).complete();
    let parsed = args::command().try_get_matches();
    let (matches, args) =
        match parsed.and_then(|matches| Args::from_arg_matches(&matches).map(|args| (matches, args))) {
            Ok(parsed) => parsed,
            Err(usage) => return refuse(&usage),
        };
    let args = Args { given: args::given::given(&args::command(), &matches), ..args };
    let chatter = Chatter::of(args.quiet, args.verbose);
    let screen = Screen::new(args.json, chatter);
    let takes_several = commands::takes_several(&args.command);
    let split = || match takes_several {
        true => args::given::refuse_split(std::env::args_os(), &matches),
        false => Ok(()),
    };
    if let Err(idle) = args::refuse_idle(&matches).and_then(|()| split()) {
        return ExitCode::from(screen.fail(&idle.into()));
    }
    // What a console keeps is what the board says, and nothing of this program.
    let kept = args.log.as_deref().filter(|_| !matches!(args.command, args::Command::Console(_)));
    if let Err(error) = log::begin(chatter, kept, &args::path(&matches)) {
        return ExitCode::from(screen.fail(&error.into()));
    }
    let outcome = tokio::runtime::Runtime::new().map_err(Failure::from).and_then(|runtime| {
        let outcome = runtime.block_on(commands::run(args, &screen));
        // A thread that waits for a key on standard input cannot be stopped; the process ends without it.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => ExitCode::from(screen.fail(&failure)),
    }
}

/// What one can do first, for who typed the name of the program alone.
const FIRST: &str = "\
flasher puts an operating-system image onto an embedded board, and proves that it is there.

  flasher demo                                 shows it on a simulated board; needs no hardware
  flasher init                                 describes a board of yours, in board.yaml
  flasher --exporter board.yaml flash IMAGE    flashes that board

`flasher --help` lists all commands, `flasher flash --help` the options of that one.
";

/// Prints what clap has to say: help and version on standard output, mistakes on standard error, which may repeat what was typed.
fn refuse(usage: &clap::Error) -> ExitCode {
    if std::env::args_os().len() <= 1 {
        stderr::aside(FIRST);
        return ExitCode::from(2);
    }
    if usage.use_stderr() {
        // Printed without what a terminal would obey, line ends too: a word begins no line that looks like ours.
        let words = std::env::args_os().map(|word| flasher_core::safe::line(&word.to_string_lossy()));
        let tame = args::command().try_get_matches_from(words).err();
        stderr::aside(&tame.as_ref().unwrap_or(usage).render().to_string());
        return ExitCode::from(2);
    }
    match usage.print() {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::from(4),
        _ => ExitCode::SUCCESS,
    }
}
