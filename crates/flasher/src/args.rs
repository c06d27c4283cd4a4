//! What may be typed: commands, options and their help.

#[cfg(test)]
mod advice;
pub(crate) mod console;
mod dump;
pub(crate) mod effect;
mod examples;
mod fetch;
mod flash;
mod global;
mod job;
mod source;
mod verify;
mod way;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCandidates;

use crate::bundle_args::BundleAction;
use crate::commands::completions;
use console::Escape;
pub(crate) use dump::DumpArgs;
pub(crate) use flash::FlashArgs;
pub(crate) use global::{command, path, refuse_idle};
pub(crate) use verify::VerifyArgs;

/// Flash an operating-system image onto an embedded board, and prove it
#[derive(Parser)]
#[command(name = "flasher", version, arg_required_else_help = true, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 2 usage or config, 3 image source, 4 infrastructure, 5 board, 6 medium, \
                        70 internal, 130 interrupted"
)]
pub(crate) struct Args {
    /// Exporter YAML that describes the board
    #[arg(long, global = true, value_name = "FILE", env = "FLASHER_EXPORTER")]
    pub(crate) exporter: Option<PathBuf>,
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
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// Options of the command that stand on the command line.
    #[arg(skip)]
    pub(crate) given: Vec<effect::GivenOption>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// An exporter that does the work instead of this process.
#[derive(ClapArgs)]
pub(crate) struct RemoteArgs {
    /// Exporter (`flasher serve`) that the command goes to, HOST:PORT
    #[arg(long, global = true, value_name = "HOST:PORT", help_heading = "Remote")]
    pub(crate) remote: Option<String>,
    /// File with the exporter's passphrase; never printed
    #[arg(long, global = true, value_name = "FILE", help_heading = "Remote")]
    pub(crate) remote_passphrase_file: Option<PathBuf>,
    /// PEM file with the CA of the exporter's certificate; the exporter is spoken to over TLS
    #[arg(long, global = true, value_name = "FILE", help_heading = "Remote")]
    pub(crate) remote_cacert: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Flash a virtual board end to end and prove it; needs no hardware
    Demo(DemoArgs),
    /// Flash an image, read it back and prove that it is there
    Flash(FlashArgs),
    /// Read a medium into a file, and prove that it is what the medium holds
    Dump(DumpArgs),
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
        node: NodeArgs,
        /// Cut the power also of a board that is being flashed
        #[arg(long, global = true)]
        force: bool,
    },
    /// Talk to the board's serial line, or watch it; Ctrl-] leaves, or `--escape KEY`
    Console(ConsoleArgs),
    /// Serve the device tree to Jumpstarter's clients, and to `flasher --remote`
    ///
    /// SIGTERM lets clients end what they do, SIGHUP reads the exporter YAML anew once no client is connected. With a
    /// command, serves for as long as it runs: `flasher serve --exporter FILE -- j power on`.
    Serve(ServeArgs),
    /// Print the environment in which Jumpstarter's clients find an exporter, or run a command in it
    ShellEnv(ShellEnvArgs),
    /// Follow a flash from its beginning: one started with `--detach`, or the one on the exporter of `--remote`
    Attach {
        /// ID of the job on this machine; the one that runs when not given
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
        /// ID of the job on this machine; the one that runs when not given
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
    /// Check that a receipt proves what it says, by itself and against an image
    ///
    /// Exit code 0 when it proves that the whole image is on the medium; that of its failure when it tells of one; 3 when it
    /// proves nothing, because it was changed, is of another image, or does not bear out what it says.
    VerifyReceipt(VerifyArgs),
    /// Print a JSON Schema
    Schema {
        /// Of what
        of: SchemaOf,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(ClapArgs)]
pub(crate) struct NodeArgs {
    /// Dotted path of the node, when the exporter YAML has more than one that fits
    #[arg(long, global = true, value_name = "PATH.IN.TREE", add = ArgValueCandidates::new(completions::devices))]
    pub(crate) device: Option<String>,
}

#[derive(ClapArgs)]
pub(crate) struct ConsoleArgs {
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Only listen: to a flash or a `console` that has the line, or waits for one that opens it; ^C ends it
    #[arg(long)]
    pub(crate) watch: bool,
    /// What leaves when typed: `ctrl-` and a letter or one of ] \ ^ _, `~.` (at the beginning of a line), or `none`
    #[arg(long, value_name = "KEY", default_value = "ctrl-]")]
    pub(crate) escape: Escape,
    /// Cycle the board's power once the line is open, so that the boot is seen from its first byte
    #[arg(long, conflicts_with = "watch")]
    pub(crate) power_cycle: bool,
    /// Where what the board prints is kept as well: `--log`.
    #[arg(skip)]
    pub(crate) log: Option<PathBuf>,
    /// Begin each line with its time (UTC)
    #[arg(long)]
    pub(crate) timestamps: bool,
}

#[derive(Subcommand)]
pub(crate) enum PowerAction {
    /// Power on
    On,
    /// Power off
    Off,
    /// Power off, wait, power on
    Cycle {
        /// How long power stays off
        #[arg(long, value_name = "SECS", default_value = "2", value_parser = seconds)]
        wait: Duration,
    },
    /// Ask the switch whether power is on
    Status,
    /// Measure voltage and current
    Read {
        /// How often
        #[arg(short = 'n', long, value_name = "N", default_value_t = 1)]
        count: u32,
        /// Seconds between two readings
        #[arg(short, long, value_name = "SECS", default_value = "1", value_parser = seconds)]
        interval: Duration,
    },
}

#[derive(ClapArgs)]
pub(crate) struct FilesArgs {
    /// Folder to serve, with the folders below it
    pub(crate) dir: PathBuf,
    /// Where TFTP is served; port 0 takes any free one, `off` serves none
    #[arg(long, value_name = "HOST:PORT", default_value = "0.0.0.0:69", value_parser = place)]
    pub(crate) tftp: ServePlace,
    /// Where HTTP is served; port 0 takes any free one, `off` serves none
    #[arg(long, value_name = "HOST:PORT", default_value = "0.0.0.0:8080", value_parser = place)]
    pub(crate) http: ServePlace,
}

/// Where to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServePlace {
    Off,
    At { host: String, port: u16 },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum SchemaOf {
    /// An exporter YAML, with the config of every driver
    Exporter,
    /// A flash-bundle manifest
    Bundle,
    /// One line of `--json` output
    Events,
    /// A receipt
    Receipt,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum VerifyChoice {
    /// Everything the image cares about
    Full,
    /// Only what the image has data for; ends as `written, not proven`
    Mapped,
    /// Nothing but the first block; ends as `written, not proven`
    Off,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum DemoBoard {
    /// A simulated board in this process
    Sim,
    /// QEMU's arm64 board with a real U-Boot and a real Linux, in a sandbox
    Qemu,
}

#[derive(ClapArgs)]
pub(crate) struct DemoArgs {
    /// Which virtual board
    #[arg(long, value_enum, default_value = "sim")]
    pub(crate) board: DemoBoard,
    /// Image to flash instead of one made up on the spot
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Option<PathBuf>,
    /// Where the receipt is kept
    #[arg(long, value_name = "FILE", default_value = "flasher-demo-receipt.json")]
    pub(crate) receipt: PathBuf,
}

#[derive(ClapArgs)]
pub(crate) struct ServeArgs {
    /// Listen on TCP; port 0 takes any free one, `:PORT` every address of this machine
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
    /// Listen on a unix socket that only this user may use
    #[arg(long, value_name = "PATH")]
    pub(crate) unix: Option<PathBuf>,
    /// Speak TLS on TCP with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires_all = ["key", "listen"])]
    pub(crate) cert: Option<PathBuf>,
    /// Its private key (PEM); never printed
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// File with a passphrase that clients must know; never printed
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Listen off this machine although clients need no passphrase, or send it unencrypted: whoever reaches the port, or hears
    /// what goes there, has the boards
    #[arg(long, requires = "listen")]
    pub(crate) insecure: bool,
    /// A further name of this machine; clients that ask for another machine are refused
    #[arg(long = "host", value_name = "NAME")]
    pub(crate) hosts: Vec<String>,
    #[command(flatten)]
    pub(crate) fetch: fetch::FetchArgs,
    /// How long clients may end what they do once the exporter is told to stop
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = seconds)]
    pub(crate) grace: Duration,
    /// A command that finds the exporter in its environment; its exit code is passed on
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(ClapArgs)]
pub(crate) struct ShellEnvArgs {
    /// Where the exporter listens: HOST:PORT, or the path of its socket
    pub(crate) address: String,
    /// PEM file with the certificate to trust; the exporter is spoken to over TLS
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// File with the exporter's passphrase; never printed
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// A command to run in that environment; its exit code is passed on
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

fn place(text: &str) -> Result<ServePlace, String> {
    let expected = || "expected `HOST:PORT`, for example `192.168.7.1:69` or `[::1]:0`, or `off`".to_owned();
    if text == "off" {
        return Ok(ServePlace::Off);
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(expected)?;
    let port = port.parse().map_err(|_| expected())?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').ok_or_else(expected)?,
        None if host.is_empty() || host.contains(':') => return Err(expected()),
        None => host,
    };
    Ok(ServePlace::At { host: host.to_owned(), port })
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "expected seconds, for example `2` or `0.5`".to_owned())?;
    Duration::try_from_secs_f64(number)
        .ok()
        .filter(|wait| *wait <= Duration::from_secs(3600))
        .ok_or_else(|| "expected 0 to 3600 seconds".to_owned())
}

pub(crate) fn deadline(text: &str) -> Result<Duration, String> {
    let bound = humantime::parse_duration(text)
        .map_err(|_| "expected a duration with its unit, for example `90s`, `20m` or `1h 30m`".to_owned())?;
    if bound.is_zero() { Err("expected more than nothing".to_owned()) } else { Ok(bound) }
}

fn sha256(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let is_digest = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest
        .then(|| digits.to_lowercase())
        .ok_or_else(|| "expected 64 hex digits, as `sha256sum` prints them".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_digest_is_64_hex_digits() {
        let digest = "A".repeat(64);
        assert_eq!(sha256(&digest), Ok("a".repeat(64)));
        assert_eq!(sha256(&format!("sha256:{digest}")), Ok("a".repeat(64)));
        for wrong in ["", "abc", &"g".repeat(64), &"a".repeat(65)] {
            assert!(sha256(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_have_bounds_and_units() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(deadline("1m 30s"), Ok(Duration::from_secs(90)));
        for wrong in ["-1", "nan", "inf", "1e9", "soon"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        for wrong in ["90", "0s", "soon"] {
            assert!(deadline(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_place_is_host_and_port_or_off() {
        let at = |host: &str, port| Ok(ServePlace::At { host: host.to_owned(), port });
        assert_eq!(place("127.0.0.1:0"), at("127.0.0.1", 0));
        assert_eq!(place("lab.local:69"), at("lab.local", 69));
        assert_eq!(place("[::1]:8080"), at("::1", 8080));
        assert_eq!(place("off"), Ok(ServePlace::Off));
        for wrong in ["", "69", ":69", "host", "host:", "host:65536", "::1:69", "[::1:69"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
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
