//! Commands on several boards at once: of one exporter YAML, of several, and of exporters on other machines.
//!
//! `flash`, `dump` and `identify` run a job for each board beside each other ([`jobs`]); `plan`, `power` and `doctor` go from one to the
//! next ([`each`]).

mod boards;
mod each;
mod end;
mod files;
mod jobs;
mod pool;

use flasher_core::{Error, Result};

use crate::args::node::{BoardsArgs, SeveralArgs};
use crate::args::{Args, Command};
use crate::failure::Failure;
use crate::screen::Screen;
use boards::{BoardKind, OpenedExporter, close};

/// Whether a command line asks for several boards.
///
/// # Errors
/// When the command takes one exporter and several are named, or an option has no effect on one board.
pub(super) fn is_asked(args: &Args) -> Result<bool> {
    let has_several_places = places(args) > 1;
    match choice(&args.command) {
        None if has_several_places && !takes_several(&args.command) => Err(one_exporter(args)),
        None => Ok(has_several_places),
        Some((boards, options)) => {
            let is_several = has_several_places || boards.is_several();
            let idle = options.filter(|_| !is_several || matches!(args.command, Command::Plan(_)));
            idle.map_or(Ok(()), refuse_idle)?;
            Ok(is_several)
        }
    }
}

/// Runs the command on all of its boards; the exit code is that of the worst.
pub(super) async fn run(args: Args, screen: &Screen) -> Result<u8, Failure> {
    if matches!(args.command, Command::Doctor) {
        return each::doctor(&args, screen).await;
    }
    let places = boards::places(&args).await?;
    let done = with_places(&args, &places, screen).await;
    close(&places, screen).await;
    done
}

async fn with_places(args: &Args, places: &[OpenedExporter], screen: &Screen) -> Result<u8, Failure> {
    let Some((wanted, options)) = choice(&args.command) else { return Ok(0) };
    let kind = match args.command {
        Command::Power { .. } => BoardKind::Power,
        _ => BoardKind::Flasher,
    };
    let chosen = boards::choose(places, wanted, kind)?;
    match &args.command {
        Command::Plan(flash) => each::plan(flash, (places, &chosen), screen).await,
        Command::Power { action, force, .. } => {
            each::power((action, *force), (places, &chosen), &args.python, screen).await
        }
        _ => {
            boards::refuse_shared(places, &chosen).await?;
            jobs::run(args, places, chosen, options.unwrap_or(&SeveralArgs::default()), screen).await
        }
    }
}

/// Whether a command takes several exporters or boards.
pub(super) fn takes_several(command: &Command) -> bool {
    choice(command).is_some() || matches!(command, Command::Doctor)
}

/// How many exporters are named; those of this machine do not count when the command goes elsewhere.
fn places(args: &Args) -> usize {
    if args.remote.is_elsewhere() { args.remote.remotes.len().max(1) } else { args.exporters.len() }
}

/// The options that name boards, and those about several of them, of a command that takes several.
fn choice(command: &Command) -> Option<(&BoardsArgs, Option<&SeveralArgs>)> {
    match command {
        Command::Flash(args) | Command::Plan(args) => Some((&args.boards, Some(&args.several))),
        Command::Dump(args) => Some((&args.boards, Some(&args.several))),
        Command::Identify(args) => Some((&args.boards, Some(&args.several))),
        Command::Power { boards, .. } => Some((boards, None)),
        _ => None,
    }
}

fn one_exporter(args: &Args) -> Error {
    let option = args.remote.option().unwrap_or("--exporter");
    Error::config(format!("this command takes one exporter, and `{option}` names {}", places(args)))
        .help("name one; `flash`, `dump`, `identify`, `plan`, `power` and `doctor` take several")
}

fn refuse_idle(options: &SeveralArgs) -> Result<()> {
    let SeveralArgs { jobs, keep_going, fail_fast } = options;
    let given = [("--jobs", jobs.is_some()), ("--keep-going", *keep_going), ("--fail-fast", *fail_fast)];
    match given.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((option, _)) => {
            Err(Error::config(format!("`{option}` has no effect: there are no jobs of several boards"))
                .help("leave it out, or flash several boards: `--device a --device b`, or `--all`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn several_boards_are_asked_for() {
        let asked = |line: &str| {
            let args = Args::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{error}"));
            is_asked(&args).map_err(|error| error.to_string())
        };
        for (line, expected) in [
            ("flasher --exporter a flash i", false),
            ("flasher --exporter a flash i --device x", false),
            ("flasher --exporter a flash i --device x --device y", true),
            ("flasher --exporter a flash i --all", true),
            ("flasher --exporter a --exporter b flash i", true),
            ("flasher --remote h:1 --remote h:2 flash i", true),
            ("flasher --exporter a --exporter b --remote h:1 power on", false),
            ("flasher --exporter a power off --all", true),
            ("flasher --exporter a --exporter b doctor", true),
        ] {
            assert_eq!(asked(line), Ok(expected), "{line}");
        }
        let idle = |option: &str| format!("`{option}` has no effect: there are no jobs of several boards");
        for (line, expected) in [
            ("flasher --exporter a flash i --jobs 2", idle("--jobs")),
            ("flasher --exporter a dump o --fail-fast", idle("--fail-fast")),
            ("flasher --exporter a plan i --all --keep-going", idle("--keep-going")),
            (
                "flasher --exporter a --exporter b console",
                "this command takes one exporter, and `--exporter` names 2".to_owned(),
            ),
            (
                "flasher --remote h:1 --remote h:2 attach",
                "this command takes one exporter, and `--remote` names 2".to_owned(),
            ),
        ] {
            assert_eq!(asked(line), Err(expected), "{line}");
        }
        assert!(Args::try_parse_from("flasher flash i --all --device x".split(' ')).is_err());
        assert!(Args::try_parse_from("flasher flash i --all --jobs 0".split(' ')).is_err());
    }
}
