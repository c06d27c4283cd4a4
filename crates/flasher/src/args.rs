//! What may be typed: all commands, and the options of the whole program. What one command takes is beside that command.

#[cfg(test)]
mod advice;
pub(crate) mod effect;
mod examples;
pub(crate) mod given;
mod global;
pub(crate) mod job;
pub(crate) mod ledger;
pub(crate) mod node;
pub(crate) mod python;
pub(crate) mod remote;
pub(crate) mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use flasher_core::python::PythonChoice;

use crate::commands::bundle::args::BundleAction;
use crate::commands::completions;
use crate::commands::console::args::ConsoleArgs;
use crate::commands::demo::DemoArgs;
use crate::commands::dump::DumpArgs;
use crate::commands::files::FilesArgs;
use crate::commands::flash::args::FlashArgs;
use crate::commands::history::HistoryArgs;
use crate::commands::identify::IdentifyArgs;
use crate::commands::init::InitArgs;
use crate::commands::media::MediaArgs;
use crate::commands::power::PowerAction;
use crate::commands::replay::ReplayArgs;
use crate::commands::report::args::ReportArgs;
use crate::commands::schema::SchemaOf;
use crate::commands::serve::args::ServeArgs;
use crate::commands::shell_env::ShellEnvArgs;
use crate::commands::verify_receipt::VerifyArgs;
use given::GivenOption;
pub(crate) use global::{command, path, refuse_idle};
use node::{BoardsArgs, NodeArgs};
use remote::RemoteArgs;

/// Flash an operating-system image onto an embedded board, and prove it
#[derive(Parser)]
#[command(name = "flasher", version, arg_required_else_help = true, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 2 usage or config, 3 image source, 4 infrastructure, 5 board, 6 medium, \
                        70 internal, 130 interrupted"
)]
pub(crate) struct Args {
    /// Exporter YAML that describes the board; may be given several times by a command that takes several boards
    #[arg(long = "exporter", global = true, value_name = "FILE", env = "FLASHER_EXPORTER", id = "exporter")]
    pub(crate) exporters: Vec<PathBuf>,
    /// Print one JSON object a line on standard output, each with its time
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Tell more on standard error: a line for each step, what the board prints, and what this program does; twice (`-vv`) also
    /// every per cent, each transfer's beginning, and this program's log in detail
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Tell nothing but results and errors
    #[arg(short, long, global = true, conflicts_with_all = ["verbose", "json"])]
    pub(crate) quiet: bool,
    /// Keep everything that `-vv` tells, and how it ended, at the end of this file as well: each line behind its time (UTC)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// What runs nodes whose driver only Python has: the folder of a virtual environment with Jumpstarter, `auto` for the one whose
    /// `jmp` is in PATH, `off` for nothing [default: `python` of the exporter YAML, else `auto`]
    #[arg(long, global = true, env = "FLASHER_PYTHON", value_name = "VENV|auto|off")]
    pub(crate) python: Option<PythonChoice>,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// Options of the command that stand on the command line.
    #[arg(skip)]
    pub(crate) given: Vec<GivenOption>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What is to be done.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Flash a virtual board end to end and prove it; needs no hardware
    Demo(DemoArgs),
    /// Write the exporter YAML of a board, with comments: what no option says is asked for
    Init(InitArgs),
    /// Flash an image, read it back and prove that it is there
    Flash(FlashArgs),
    /// Read a medium into a file, and prove that it is what the medium holds
    Dump(DumpArgs),
    /// Say what a medium holds: the image, how much of it, its partitions; writes nothing
    Identify(IdentifyArgs),
    /// Play the recording of a failed flash again, without its board; without a file, list those of this user
    Replay(ReplayArgs),
    /// Show what `flash` with the same arguments would do; touches nothing
    Plan(FlashArgs),
    /// Validate an exporter YAML and the bundles it names
    Check {
        /// Exporter YAML; the one of `--exporter` when not given
        file: Option<PathBuf>,
    },
    /// List the drivers of this build, or explain one
    Drivers {
        /// Name or alias
        #[arg(add = ArgValueCandidates::new(completions::drivers))]
        name: Option<String>,
    },
    /// List the boards of this build, or explain one
    Boards {
        /// Name or alias
        #[arg(add = ArgValueCandidates::new(completions::boards))]
        name: Option<String>,
    },
    /// Check, pull, push and pin flash bundles
    Bundle {
        #[command(subcommand)]
        action: BundleAction,
    },
    /// Switch or measure the board's power
    Power {
        #[command(subcommand)]
        action: PowerAction,
        #[command(flatten)]
        boards: BoardsArgs,
        /// Cut the power also of a board that is being flashed
        #[arg(long, global = true)]
        force: bool,
    },
    /// Talk to the board's serial line, or watch it; Ctrl-] leaves, or `--escape KEY`
    Console(ConsoleArgs),
    /// Serve the driver tree to Jumpstarter's clients, and to `flasher --remote`
    ///
    /// SIGTERM lets clients end what they do, SIGHUP reads the exporter YAML anew once no client is connected. With a
    /// command, serves for as long as it runs: `flasher serve --exporter FILE -- j power on`.
    Serve(ServeArgs),
    /// Print the environment in which Jumpstarter's clients find an exporter, or run a command in it
    ShellEnv(ShellEnvArgs),
    /// Follow a flash from its beginning: one started with `--detach`, or the one on the exporter of `--remote`
    Attach {
        /// ID of the job on this machine; when not given, the one that runs, else the newest. Not with `--remote`
        #[arg(value_name = "ID")]
        job: Option<String>,
        #[command(flatten)]
        node: NodeArgs,
        /// Keep its receipt (JSON) here, once it is over
        #[arg(long, value_name = "FILE")]
        receipt: Option<PathBuf>,
    },
    /// Stop a flash in good order: one started with `--detach`, or the one on the exporter of `--remote`
    Cancel {
        /// ID of the job on this machine; when not given, the one that runs, else the newest. Not with `--remote`
        #[arg(value_name = "ID")]
        job: Option<String>,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Serve a folder over TFTP and HTTP until ^C; every transfer is shown
    Files(FilesArgs),
    /// Look for what would stop a flash here: ports and who holds them, permissions, switches, disk space, the clock
    Doctor,
    /// Run a command in network and process namespaces of its own, with nothing but `lo`
    ///
    /// No packet leaves it, and all that was started inside ends with the command, whose exit code is passed on. An
    /// emulated board with a network needs it: `flasher sandbox -- flasher --exporter FILE flash IMAGE`.
    Sandbox {
        /// The command, usually `flasher` with its arguments
        #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// List the jobs that were done here, or print the receipt of one
    History(HistoryArgs),
    /// List the media that jobs have seen, what was written to each, and what speaks against it
    Media(MediaArgs),
    /// Show what receipts say: in short, as a page, as CI servers take it, or signed
    ///
    /// Exit code 0 when the reports were made, whatever the receipts say; 2 for a file that is no receipt, 3 for a receipt that was
    /// changed after it was written, and for one of which nothing can be attested; 4 when a report cannot be written.
    Report(ReportArgs),
    /// Check that a receipt proves what it says, by itself and against an image
    ///
    /// Exit code 0 when it proves that the whole image is on the medium; that of its failure when it tells of one; 3 when it
    /// proves nothing, because it was changed, is of another image, or does not bear out what it says.
    VerifyReceipt(VerifyArgs),
    /// Say what a failure means, how to see more of it, and what to do
    ///
    /// The name of a class, a step, a state of the medium or a cause; an exit code; or words of the message. Without any, lists the
    /// names.
    Explain {
        /// A name, an exit code, or words of the message
        words: Vec<String>,
    },
    /// Print a JSON Schema
    Schema {
        /// Which schema
        of: SchemaOf,
    },
    /// Write the manual pages of all commands, for `man`
    Man {
        /// The folder they are written into
        folder: PathBuf,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::demo::DemoBoard;
    use clap::CommandFactory;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_last_of_two_contrary_switches_counts() {
        let parse = |text: &str| match Args::try_parse_from(text.split(' ')).unwrap().command {
            Command::Flash(args) => args.job.no_power_off,
            _ => unreachable!("the command is flash"),
        };
        assert!(parse("flasher flash a.img --power-off --no-power-off"));
        assert!(!parse("flasher flash a.img --no-power-off --power-off"));
        assert!(!parse("flasher flash a.img"));
    }

    #[test]
    fn a_command_for_the_sandbox_keeps_its_own_options() {
        let parse =
            |text: &str| match Args::try_parse_from(text.split(' ')).map(|args| (args.json, args.command)) {
                Ok((json, Command::Sandbox { command })) => Some((json, command)),
                _ => None,
            };
        for text in ["flasher sandbox -- flasher --json demo", "flasher sandbox flasher --json demo"] {
            assert_eq!(
                parse(text),
                Some((false, ["flasher", "--json", "demo"].map(OsString::from).to_vec()))
            );
        }
        assert_eq!(parse("flasher sandbox -- --odd"), Some((false, vec!["--odd".into()])));
        assert_eq!(parse("flasher sandbox"), None);
    }

    #[test]
    fn the_demo_flashes_the_simulated_board_unless_told_otherwise() {
        let parse = |text: &str| match Args::try_parse_from(text.split(' ')).unwrap().command {
            Command::Demo(args) => args,
            _ => unreachable!("the command is demo"),
        };
        let demo = parse("flasher demo");
        assert!(matches!(demo.board, DemoBoard::Sim) && demo.image.is_none());
        let demo = parse("flasher demo --board qemu --image a.img --receipt r.json");
        assert!(matches!(demo.board, DemoBoard::Qemu));
        assert_eq!((demo.image, demo.receipt), (Some("a.img".into()), "r.json".into()));
    }
}
