//! `flasher init`: writes the exporter YAML of a board, with comments, out of options or answers.

mod text;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use clap_complete::engine::ArgValueCandidates;
use exporter_yaml::Document;
use flasher_core::{DriverEntry, Error, Result, registry, safe};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

use self::text::Answers;
use super::{completions, listing};
use crate::failure::Failure;
use crate::render::units::shown;
use crate::screen::Screen;
use crate::signals;

/// In place of a board of this build: the board's own U-Boot writes.
const UBOOT: &str = "uboot";
/// Where Linux names serial adapters by what they are.
const ADAPTERS: &str = "/dev/serial/by-id";

/// What the file is to say; what is missing is asked for on a terminal.
#[derive(ClapArgs)]
pub(crate) struct InitArgs {
    /// Exporter YAML to write; one that is there stays as it is
    #[arg(default_value = "board.yaml", value_name = "FILE")]
    pub(crate) yaml: PathBuf,
    /// The board's serial line: a device path or a URL, as the driver `serial` takes it
    #[arg(long, value_name = "URL")]
    pub(crate) serial: Option<String>,
    /// The driver that switches the board's power (`flasher drivers`); its example is written, to be filled in. `power-mock` when a
    /// person switches
    #[arg(long, value_name = "DRIVER", add = ArgValueCandidates::new(completions::drivers))]
    pub(crate) power: Option<String>,
    /// The board (`flasher boards`); `uboot` for one without a bundle, whose own U-Boot writes
    #[arg(long, value_name = "BOARD", add = ArgValueCandidates::new(completions::boards))]
    pub(crate) board: Option<String>,
    /// With `--board uboot`: the medium as U-Boot calls it, for example `mmc 1`
    #[arg(long, value_name = "MEDIUM")]
    pub(crate) medium: Option<String>,
}

/// Writes the file, and says what to do with it.
pub(super) async fn run(args: InitArgs, screen: &Screen) -> Result<u8, Failure> {
    let file = args.yaml.clone();
    if file.exists() {
        return Err(exists(&file).into());
    }
    let answers = signals::interruptible(async { Ok(Questions::new(screen).answers(args).await?) }).await?;
    let text = text::exporter_yaml(&file, &answers);
    let folder = file.parent().unwrap_or(Path::new(""));
    // What was typed may be wrong; then there is no file.
    exporter_yaml::build(&Document::parse(&file.to_string_lossy(), folder, &text)?)?;
    write(&file, &text)?;
    screen.text(&text::next(&safe::line(&shown(&file)), &answers))?;
    Ok(0)
}

fn write(file: &Path, text: &str) -> Result<()> {
    let created = std::fs::File::options().write(true).create_new(true).open(file);
    let written = created.and_then(|mut it| it.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(file),
        _ => Error::infrastructure(format!("cannot write `{}`", file.display())).because(error),
    })
}

fn exists(file: &Path) -> Error {
    Error::config(format!("`{}` is there already, so nothing was written", file.display()))
        .help("name another file: `flasher init FILE`; or check this one: `flasher check FILE`")
}

/// Asks on the terminal for what no option gave.
struct Questions<'a> {
    screen: &'a Screen,
    /// None where there is no terminal.
    typed: Option<Lines<BufReader<Stdin>>>,
}

impl<'a> Questions<'a> {
    fn new(screen: &'a Screen) -> Self {
        let is_terminal = std::io::stdin().is_terminal();
        let typed = is_terminal.then(|| BufReader::new(tokio::io::stdin()).lines());
        Self { screen, typed }
    }

    async fn answers(mut self, args: InitArgs) -> Result<Answers> {
        let board = match args.board {
            Some(board) => board,
            None => self.ask("--board", &boards()).await?,
        };
        let medium = match (board == UBOOT, args.medium) {
            (false, None) => None,
            (false, Some(_)) => {
                return Err(Error::config("`--medium` has an effect with `--board uboot` only")
                    .help("leave it out: the board's manifest names its media"));
            }
            (true, Some(medium)) => Some(medium),
            (true, None) => Some(self.ask("--medium", MEDIUM).await?),
        };
        if medium.is_none() && registry::board(&board).is_none() {
            return Err(unknown_board(&board));
        }
        let serial = match args.serial {
            Some(serial) => serial,
            None => self.ask("--serial", &adapters(Path::new(ADAPTERS))).await?,
        };
        let power = match args.power {
            Some(power) => power,
            None => self.ask("--power", &switches()).await?,
        };
        let power = registry::driver(&power).ok_or_else(|| unknown_switch(&power))?;
        Ok(Answers { board, medium, serial, power })
    }

    /// The answer to what `option` would have said; `about` is shown before.
    async fn ask(&mut self, option: &'static str, about: &str) -> Result<String> {
        let Some(typed) = &mut self.typed else {
            return Err(Error::config(format!("`{option}` is missing, and there is no terminal to ask on"))
                .help(format!("give it: {}", about.trim_end().replace('\n', "\n  "))));
        };
        let name = option.trim_start_matches('-');
        loop {
            self.screen.aside(&format!("{about}{name}: "));
            let line = typed.next_line().await;
            let line =
                line.map_err(|error| Error::infrastructure("cannot read the answer").because(error))?;
            match line.as_deref().map(str::trim) {
                None => {
                    return Err(Error::config(format!("no answer to `{name}`, so nothing was written")));
                }
                Some("") => {}
                Some(answer) => return Ok(answer.to_owned()),
            }
        }
    }
}

const MEDIUM: &str = "the medium as U-Boot calls it: `mmc 1`, `nvme 0`, `usb 0`, `virtio 0`, …\n";

fn boards() -> String {
    let names: Vec<&str> = registry::boards().iter().map(|it| it.name).collect();
    format!(
        "the board: {}; or `{UBOOT}` for another one, whose own U-Boot writes the image\n",
        flasher_core::suggest::list(names)
    )
}

/// The serial adapters of this machine.
fn adapters(folder: &Path) -> String {
    let found = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<String> = found.map(|it| it.path().display().to_string()).collect();
    found.sort();
    let found = match found.is_empty() {
        true => "; this machine has no adapter plugged in".to_owned(),
        false => format!("; this machine has\n  {}", found.join("\n  ")),
    };
    format!("the serial line: a device path, `rfc2217://HOST:PORT` or `socket://HOST:PORT`{found}\n")
}

fn power_drivers() -> Vec<&'static DriverEntry> {
    registry::drivers().into_iter().filter(|it| it.name.starts_with("power-")).collect()
}

fn switches() -> String {
    let rows: Vec<_> =
        power_drivers().iter().map(|it| (format!("  {}", it.name), it.summary.to_owned())).collect();
    format!("the power switch:\n{}", listing::columns(&rows))
}

fn unknown_board(name: &str) -> Error {
    let boards = registry::boards();
    let known = boards.iter().map(|it| (it.name, it.aliases)).chain([(UBOOT, &[][..])]);
    listing::unknown("board", name, &known.collect::<Vec<_>>())
}

fn unknown_switch(name: &str) -> Error {
    let known: Vec<_> = power_drivers().iter().map(|it| (it.name, it.aliases)).collect();
    listing::unknown("driver", name, &known)
}
