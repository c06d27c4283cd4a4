//! Global options: which command honours which. One that would have no effect is refused and is not in the command's help.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory};
use flasher_core::{Error, Result};

use super::{Args, examples};

/// An option that may be given before or after any command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Global {
    Exporter,
    Json,
    Verbose,
    Quiet,
    Log,
    Python,
    Remote,
    RemotePassphraseFile,
    RemoteCacert,
    Lease,
    LeaseName,
    LeaseTime,
    Client,
}

use Global::{
    Client, Exporter, Json, Lease, LeaseName, LeaseTime, Log, Python, Quiet, RemoteCacert,
    RemotePassphraseFile, Verbose,
};

const ALL: [Global; 13] = [
    Exporter,
    Json,
    Verbose,
    Quiet,
    Log,
    Python,
    Global::Remote,
    RemotePassphraseFile,
    RemoteCacert,
    Lease,
    LeaseName,
    LeaseTime,
    Client,
];
/// Those that have to do with another machine's exporter.
const REMOTE: [Global; 7] =
    [Global::Remote, RemotePassphraseFile, RemoteCacert, Lease, LeaseName, LeaseTime, Client];
/// Those of them that lead there; one is enough.
const WAYS: [Global; 3] = [Global::Remote, Lease, LeaseName];
/// Those that say something about such a way, and the ways that they are for.
const ABOUT: [(Global, &[Global]); 4] = [
    (RemotePassphraseFile, &[Global::Remote]),
    (RemoteCacert, &[Global::Remote]),
    (LeaseTime, &[Lease]),
    (Client, &[Lease, LeaseName]),
];

/// Each command, and the options it honours besides `--verbose`, which sets the log of the whole process. `remote` stands for
/// all of [`REMOTE`]. A command below another one has the row of both names, or else that of the first.
const HONOURED: &[(&str, &[Global], Reach)] = &[
    ("demo", &[Json, Quiet, Log], Reach::Here(LOCAL)),
    ("init", &[], Reach::Here(LOCAL)),
    ("replay", &[Json, Quiet, Log], Reach::Here(LOCAL)),
    ("flash", &[Exporter, Json, Quiet, Log, Python], Reach::Remote),
    ("dump", &[Exporter, Json, Quiet, Log, Python], Reach::Remote),
    ("identify", &[Exporter, Json, Quiet, Log, Python], Reach::Here(KNOWN_HERE)),
    ("plan", &[Exporter, Json, Log], Reach::Remote),
    ("check", &[Exporter, Json, Log, Python], Reach::Here(A_FILE)),
    ("drivers", &[Json], Reach::Here(BUILD)),
    ("boards", &[Json], Reach::Here(BUILD)),
    ("bundle check", &[Json, Quiet, Log], Reach::Here(BUNDLES)),
    ("bundle pull", &[Json, Quiet, Log], Reach::Here(BUNDLES)),
    ("bundle push", &[Json, Quiet, Log], Reach::Here(BUNDLES)),
    ("bundle lock", &[Exporter, Json, Quiet, Log], Reach::Here(A_FILE)),
    ("bundle gc", &[Json, Log], Reach::Here(BUNDLES)),
    ("power", &[Exporter, Json, Log, Python], Reach::Remote),
    ("console", &[Exporter, Quiet, Log, Python], Reach::Remote),
    ("serve", &[Exporter, Json, Quiet, Log, Python], Reach::Here(A_FILE)),
    ("shell-env", &[], Reach::Here(ADDRESS)),
    ("attach", &[Json, Quiet, Log], Reach::Remote),
    ("cancel", &[Json, Quiet, Log], Reach::Remote),
    ("files", &[Json, Quiet, Log], Reach::Here(LOCAL)),
    ("doctor", &[Exporter, Json, Log, Python], Reach::Remote),
    ("sandbox", &[], Reach::Here(LOCAL)),
    ("history", &[Exporter, Json, Log], Reach::Here(LEDGER)),
    ("history show", &[Exporter, Log], Reach::Here(LEDGER)),
    ("history images", &[Exporter, Json, Log], Reach::Here(LEDGER)),
    ("history boards", &[Exporter, Json, Log], Reach::Here(LEDGER)),
    ("media", &[Exporter, Json, Log], Reach::Here(LEDGER)),
    ("report", &[Quiet, Log], Reach::Here(LOCAL)),
    ("verify-receipt", &[Json, Log], Reach::Here(LOCAL)),
    ("explain", &[], Reach::Here(BUILD)),
    ("schema", &[], Reach::Here(BUILD)),
    ("man", &[], Reach::Here(BUILD)),
    ("completions", &[], Reach::Here(BUILD)),
];

/// Whether a command can also go to another machine's exporter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// It works on this machine only, and why.
    Here(&'static str),
    Remote,
}

const LOCAL: &str = "it works with files and programs of this machine";
const A_FILE: &str = "it reads an exporter YAML of this machine; run it where that is";
const LEDGER: &str = "it reads the ledger of this machine; run it where the exporter is";
const KNOWN_HERE: &str = "it compares with the images that this machine knows; run it where the exporter is";
const BUILD: &str = "it tells of this build and not of a board";
const BUNDLES: &str = "it works with bundles of this machine; run it on the exporter's";
const ADDRESS: &str = "it takes the exporter's address as its argument";

impl Global {
    /// Its name in clap's definition.
    fn id(self) -> &'static str {
        match self {
            Exporter => "exporter",
            Json => "json",
            Verbose => "verbose",
            Quiet => "quiet",
            Log => "log",
            Python => "python",
            Self::Remote => "remote",
            RemotePassphraseFile => "remote_passphrase_file",
            RemoteCacert => "remote_cacert",
            Lease => "lease",
            LeaseName => "lease_name",
            LeaseTime => "lease_time",
            Client => "client",
        }
    }

    fn long(self) -> String {
        format!("--{}", self.id().replace('_', "-"))
    }

    /// Whether it stands on the command line; one out of the environment holds for every command and is nobody's mistake.
    fn is_typed(self, matches: &ArgMatches) -> bool {
        matches.value_source(self.id()) == Some(ValueSource::CommandLine)
    }

    /// Whether the command at `path`, or one below it, honours it.
    fn is_honoured_by(self, path: &str) -> bool {
        self == Verbose || rows(path).any(|row| self.is_in(row))
    }

    fn is_in(self, row: &(&str, &[Self], Reach)) -> bool {
        row.1.contains(&self) || (row.2 == Reach::Remote && REMOTE.contains(&self))
    }

    /// What to do instead of giving it to the command at `path`.
    fn advice(self, path: &str) -> String {
        let why = rows(path).find_map(|row| match row.2 {
            Reach::Here(why) if REMOTE.contains(&self) => Some(format!(": {why}")),
            _ => None,
        });
        format!("leave it out{}; these commands honour it: {}", why.unwrap_or_default(), self.commands())
    }

    /// The commands that honour it, for a message.
    fn commands(self) -> String {
        let names: Vec<_> =
            HONOURED.iter().filter(|row| self.is_in(row)).map(|row| format!("`{}`", row.0)).collect();
        names.join(", ")
    }
}

/// The rows of a command: its own, else those of the commands below it, else that of the command it is below.
fn rows(path: &str) -> impl Iterator<Item = &'static (&'static str, &'static [Global], Reach)> {
    let own = HONOURED.iter().any(|row| row.0 == path);
    let (above, below) = (path.split(' ').next().unwrap_or_default().to_owned(), format!("{path} "));
    let path = path.to_owned();
    HONOURED.iter().filter(move |row| match own {
        true => row.0 == path,
        false => row.0 == above || row.0.starts_with(&below),
    })
}

/// The whole command line, where the help of each command lists only the global options it honours.
pub(crate) fn command() -> Command {
    let whole = Args::command();
    let globals: Vec<Arg> = whole.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    hide(whole, "", &globals)
}

fn hide(command: Command, above: &str, globals: &[Arg]) -> Command {
    let names: Vec<_> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    names.iter().fold(command, |command, name| {
        let path = format!("{above} {name}").trim_start().to_owned();
        command.mut_subcommand(name, |below| {
            let refused = ALL.iter().filter(|option| !option.is_honoured_by(&path));
            let refused = refused.filter_map(|option| globals.iter().find(|arg| arg.get_id() == option.id()));
            let hidden: Vec<_> = refused.map(|arg| arg.clone().hide(true)).collect();
            examples::shown(&path, hide(below, &path, globals).args(hidden))
        })
    })
}

/// Refuses a global option on the command line that would have no effect.
///
/// # Errors
/// Class config; names the option, the command and the commands that honour it.
pub(crate) fn refuse_idle(matches: &ArgMatches) -> Result<()> {
    let (path, last) = found(matches);
    let typed: Vec<_> = ALL.into_iter().filter(|option| option.is_typed(matches)).collect();
    if let Some(option) = typed.iter().find(|option| !option.is_honoured_by(&path)) {
        let long = option.long();
        return Err(Error::config(format!(
            "`{long}` has no effect on `flasher {path}`, so nothing was done"
        ))
        .help(option.advice(&path)));
    }
    let idle = |what: String, help: &str| Err(Error::config(what).help(help));
    idle_elsewhere(&typed)?;
    let names_file = last.try_get_raw("file").is_ok_and(|file| file.is_some());
    if typed.contains(&Exporter) && names_file {
        return idle(
            format!("`--exporter` has no effect on `flasher {path} FILE`, so nothing was done"),
            "name the exporter YAML once",
        );
    }
    Ok(())
}

/// Refuses what has no effect because of where the command goes.
fn idle_elsewhere(typed: &[Global]) -> Result<()> {
    let idle = |option: Global, why: String, help: String| {
        let what = format!("`{}` has no effect {why}, so nothing was done", option.long());
        Err(Error::config(what).help(help))
    };
    let ways: Vec<_> = typed.iter().copied().filter(|option| WAYS.contains(option)).collect();
    if let [first, second, ..] = ways[..] {
        let help = "leave one of them out: a command goes to one exporter";
        return idle(second, format!("with `{}`", first.long()), help.to_owned());
    }
    let own = typed.iter().find(|option| [Exporter, Python].contains(option));
    if let (Some(way), Some(option)) = (ways.first(), own) {
        let help = "leave one of them out: the exporter at the other end has a YAML and a Python of its own";
        return idle(*option, format!("with `{}`", way.long()), help.to_owned());
    }
    for (option, of) in ABOUT.into_iter().filter(|(option, _)| typed.contains(option)) {
        if !of.iter().any(|way| ways.contains(way)) {
            let example = if of[0] == Lease { "--lease SELECTOR" } else { "--remote HOST:PORT" };
            let help = format!("give `{example}` as well, or leave it out");
            return idle(option, format!("without `{}`", of[0].long()), help);
        }
    }
    Ok(())
}

/// The names of the command that was given.
pub(crate) fn path(matches: &ArgMatches) -> String {
    found(matches).0
}

/// The same, and what was given to the last of them.
fn found(matches: &ArgMatches) -> (String, &ArgMatches) {
    let (mut names, mut matches) = (Vec::new(), matches);
    while let Some((name, below)) = matches.subcommand() {
        names.push(name);
        matches = below;
    }
    (names.join(" "), matches)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every command that does something by itself, by its names: one that has none below it, or needs none.
    pub(in crate::args) fn leaves(command: &Command, above: &str) -> Vec<String> {
        let below = command.get_subcommands().filter(|it| it.get_name() != "help");
        let deeper = |it: &Command| leaves(it, format!("{above} {}", it.get_name()).trim_start());
        let all: Vec<_> = below.flat_map(deeper).collect();
        let is_one = all.is_empty() || !(above.is_empty() || command.is_subcommand_required_set());
        let own = is_one.then(|| above.to_owned());
        own.into_iter().chain(all).collect()
    }

    /// Help of a command.
    fn help(path: &str) -> String {
        let mut command = command();
        command.build();
        let mut at = &mut command;
        for name in path.split(' ') {
            at = at.find_subcommand_mut(name).unwrap();
        }
        at.render_long_help().to_string()
    }

    /// What a command needs to be parsed.
    fn more(path: &str) -> &'static [&'static str] {
        match path {
            "flash" | "plan" | "dump" => &["os.img"],
            "bundle check" | "bundle pull" | "files" | "man" | "shell-env" | "report" | "verify-receipt" => {
                &["x"]
            }
            "bundle push" => &["x", "y"],
            "sandbox" => &["true"],
            "schema" => &["events"],
            "history show" => &["1"],
            "completions" => &["bash"],
            _ => &[],
        }
    }

    fn value(option: Global) -> &'static [&'static str] {
        match option {
            Json | Verbose | Quiet => &[],
            Exporter | Log | Python | RemotePassphraseFile | RemoteCacert | LeaseName | Client => &["file"],
            Global::Remote => &["lab:1"],
            Lease => &["board=one"],
            LeaseTime => &["1h"],
        }
    }

    fn parse(words: &[&str]) -> Result<()> {
        refuse_idle(&command().try_get_matches_from(words).unwrap_or_else(|error| panic!("{error}")))
    }

    #[test]
    fn the_table_has_every_command_and_every_global_option() {
        let whole = Args::command();
        let globals: Vec<_> = whole.get_arguments().filter(|arg| arg.is_global_set()).collect();
        let ids: Vec<_> = globals.iter().map(|arg| arg.get_id().as_str()).collect();
        assert_eq!(ids, ALL.map(Global::id));
        for path in leaves(&whole, "") {
            assert_eq!(rows(&path).count(), 1, "`{path}` has no row in HONOURED, or several");
        }
        for row in HONOURED {
            let known = leaves(&whole, "")
                .iter()
                .any(|path| path == row.0 || path.starts_with(&format!("{} ", row.0)));
            assert!(known, "`{}` is no command", row.0);
        }
        command().debug_assert();
    }

    #[test]
    fn global_options_of_every_command() {
        for path in leaves(&Args::command(), "") {
            for option in ALL {
                let long = option.long();
                let words: Vec<_> = path.split(' ').collect();
                let needs = ABOUT.iter().find(|(about, _)| *about == option).map(|(_, of)| of[0]);
                let remote: &[&str] = match needs.filter(|it| it.is_honoured_by(&path)) {
                    Some(Lease) => &["--lease", "board=one"],
                    Some(_) => &["--remote", "lab:1"],
                    None => &[],
                };
                let option_words = [&[long.as_str()], value(option)].concat();
                let before = [&["flasher"], remote, &option_words, &words, more(&path)].concat();
                let after = [&["flasher"], &words[..], remote, &option_words, more(&path)].concat();
                let shown = help(&path);
                let listed = [
                    "
", " <", "...",
                ]
                .iter()
                .any(|end| shown.contains(&format!("{long}{end}")));
                assert_eq!(listed, option.is_honoured_by(&path), "{path} {long}: {shown}");
                for line in [before, after] {
                    let refused =
                        parse(&line).map_err(|error| (error.to_string(), error.class().exit_code()));
                    let expected = match option.is_honoured_by(&path) {
                        true => Ok(()),
                        false => Err((
                            format!("`{long}` has no effect on `flasher {path}`, so nothing was done"),
                            2,
                        )),
                    };
                    assert_eq!(refused, expected, "{line:?}");
                }
            }
        }
    }

    #[test]
    fn options_that_make_each_other_idle_are_refused() {
        let check = |line: &str, expected: Option<&str>| {
            let words: Vec<_> = line.split(' ').collect();
            let refused = parse(&words).err().map(|error| error.to_string());
            assert_eq!(refused, expected.map(|text| format!("{text}, so nothing was done")), "{line}");
        };
        check("flasher --remote lab:1 flash os.img", None);
        check("flasher --exporter a check", None);
        check("flasher check a", None);
        check(
            "flasher --remote a:1 --exporter b flash os.img",
            Some("`--exporter` has no effect with `--remote`"),
        );
        check("flasher --remote a:1 --python off power on", Some("`--python` has no effect with `--remote`"));
        check(
            "flasher --remote-cacert ca flash os.img",
            Some("`--remote-cacert` has no effect without `--remote`"),
        );
        check("flasher --lease a=b --lease-time 2h --client me flash os.img", None);
        check("flasher --lease-name a --client me power on", None);
        check("flasher --lease a=b --remote c:1 power on", Some("`--lease` has no effect with `--remote`"));
        check(
            "flasher --lease a=b --lease-name c power on",
            Some("`--lease-name` has no effect with `--lease`"),
        );
        check("flasher --lease a=b --exporter b power on", Some("`--exporter` has no effect with `--lease`"));
        check(
            "flasher --lease a=b --remote-cacert b power on",
            Some("`--remote-cacert` has no effect without `--remote`"),
        );
        check(
            "flasher --lease-name a --lease-time 1h power on",
            Some("`--lease-time` has no effect without `--lease`"),
        );
        check("flasher --client me power on", Some("`--client` has no effect without `--lease`"));
        check("flasher check --exporter a b", Some("`--exporter` has no effect on `flasher check FILE`"));
        check(
            "flasher --exporter a bundle lock b",
            Some("`--exporter` has no effect on `flasher bundle lock FILE`"),
        );
        let error = parse(&["flasher", "--remote", "lab:1", "check", "a"]).unwrap_err();
        let help = "leave it out: it reads an exporter YAML of this machine; run it where that is; these commands honour it: `flash`, `dump`, `plan`, `power`, `console`, `attach`, `cancel`, `doctor`";
        assert_eq!(error.next_step(), Some(help));
        let error = parse(&["flasher", "--exporter", "a", "attach"]).unwrap_err();
        assert!(error.next_step().unwrap().starts_with("leave it out; these commands honour it: `flash`, "));
    }
}
