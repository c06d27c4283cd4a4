//! Every command with every option of its own, every global option, and `--remote`: each is honoured by the exporter, or refused in one
//! sentence that names it. What there is comes from the definition of the command line, so that a new command or option fails here until
//! it is said which of both it is.

mod cases;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use clap::{Arg, Command as Clap};
use serde_json::Value;

use self::cases::{Case, Shown, dump, flash, other, plan};
use crate::lab::{BENCH, Exporter, Lab, MEDIUM, free_port, furnish, noise, sim_board};
use crate::remote::{events, image_server};

/// A command that goes to an exporter, what follows it in a line that works, and what its own options show.
type Row = (&'static str, &'static str, fn() -> Vec<Case>);

/// All of them.
const REMOTE: &[Row] = &[
    ("flash", "image", flash),
    ("dump", "out.img", dump),
    ("plan", "image", plan),
    ("power on", "", other::switch),
    ("power off", "", other::switch),
    ("power cycle", "--wait 0", other::cycle),
    ("power status", "", other::switch),
    ("power read", "", other::meter),
    ("console", "", other::console),
    ("attach", "", other::attach),
    ("cancel", "", other::cancel),
    ("doctor", "", Vec::new),
];

/// An exporter that wants a passphrase and speaks TLS, and the folder of its lab.
pub(super) struct Bench {
    pub(super) lab: Lab,
    exporter: Exporter,
}

impl Bench {
    fn new(more: &str) -> Self {
        let lab = Lab::new(&sim_board(free_port(), more));
        furnish(&lab);
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        for (name, text) in [
            ("cert.pem", pair.cert.pem()),
            ("key.pem", pair.signing_key.serialize_pem()),
            ("secret", "open sesame\n".to_owned()),
        ] {
            fs::write(lab.path(name), text).unwrap();
        }
        let safe = ["--passphrase-file", "secret", "--cert", "cert.pem", "--key", "key.pem"];
        let wide = ["--listen", "127.0.0.1:0", "--fetch-from", "127.0.0.0/8", "--fetch-from", "::1"];
        let mut exporter = lab.listen(&[&wide[..], &safe].concat());
        exporter.address = exporter.address.replace("127.0.0.1", "localhost");
        Self { lab, exporter }
    }

    /// A command line with the three options that lead to the exporter.
    fn command(&self, words: &[&str]) -> Command {
        let remote = ["--remote", &self.exporter.address, "--remote-passphrase-file", "secret"];
        let mut command = self.lab.flasher(&[&remote[..], &["--remote-cacert", "cert.pem"], words].concat());
        command.env_remove("FLASHER_EXPORTER").stdin(Stdio::null());
        command
    }

    /// Runs a command with what follows it.
    pub(super) fn run(&self, path: &str, words: &str) -> Ran {
        let words = words.replace("@EXPORTER@", &self.exporter.address);
        let words: Vec<&str> = path.split(' ').chain(words.split_whitespace()).collect();
        Ran::of(&words, self.command(&words).output().unwrap())
    }
}

/// How a command ended.
pub(super) struct Ran {
    words: String,
    pub(super) code: i32,
    out: Vec<u8>,
    pub(super) told: String,
}

impl Ran {
    fn of(words: &[&str], output: Output) -> Self {
        let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        let (words, told) = (words.join(" "), told.into_owned());
        Self { words, code: output.status.code().unwrap(), out: output.stdout, told }
    }

    /// Whether one sentence refuses the line, and names the option.
    fn assert_refused(&self, option: &str, sentence: &str) {
        let Self { words, code, told, .. } = self;
        assert_eq!(*code, 2, "{words}: {told}");
        let line = told.lines().find(|line| line.contains(&format!("`{option}`")));
        assert!(line.is_some_and(|line| line.contains(sentence)), "{words}: {told}");
    }
}

/// The commands that have none below them, each with the commands that it is below.
fn leaves<'c>(command: &'c Clap, above: &[&'c Clap]) -> Vec<Vec<&'c Clap>> {
    let here = [above, &[command]].concat();
    let below: Vec<_> = command.get_subcommands().filter(|it| it.get_name() != "help").collect();
    match below.is_empty() {
        true => vec![here],
        false => below.into_iter().flat_map(|it| leaves(it, &here)).collect(),
    }
}

fn path(chain: &[&Clap]) -> String {
    chain[1..].iter().map(|command| command.get_name()).collect::<Vec<_>>().join(" ")
}

/// The global options of the whole program.
fn globals(whole: &Clap) -> Vec<&Arg> {
    whole.get_arguments().filter(|arg| arg.is_global_set()).collect()
}

/// What the last command takes, and what those above it take for it.
fn own<'c>(chain: &[&'c Clap], globals: &[&Arg]) -> Vec<&'c Arg> {
    let is_global = |arg: &Arg| globals.iter().any(|global| global.get_id() == arg.get_id());
    let last = chain.len() - 1;
    let all = chain[1..].iter().enumerate().flat_map(|(at, command)| {
        command.get_arguments().filter(move |arg| at + 1 == last || arg.is_global_set())
    });
    all.filter(|arg| !is_global(arg) && arg.get_id() != "help").collect()
}

/// A command's row, when it goes to an exporter.
fn row(path: &str) -> Option<&'static Row> {
    REMOTE.iter().find(|row| row.0 == path)
}

#[test]
fn no_option_of_a_remote_command_is_forgotten() {
    let whole = flasher::command_line();
    for chain in leaves(&whole, &[]) {
        let Some((path, _, cases)) = row(&path(&chain)) else { continue };
        let ids: BTreeSet<_> =
            own(&chain, &globals(&whole)).iter().map(|arg| arg.get_id().to_string()).collect();
        let cases = cases();
        let shown: BTreeSet<_> =
            cases.iter().flat_map(|case| &case.shows).map(|(id, _)| (*id).to_owned()).collect();
        assert_eq!(ids, shown, "what `{path}` takes, and what is shown of it");
    }
    for (path, ..) in REMOTE {
        let is_known = leaves(&whole, &[]).iter().any(|chain| self::path(chain) == *path);
        assert!(is_known, "`{path}` is no command");
    }
}

/// Commands that do not go to an exporter refuse `--remote`, whatever else they are given, and do nothing.
#[test]
fn commands_without_an_exporter_refuse_every_line() {
    let lab = Lab::new("  power: { type: power-mock }\n");
    let whole = flasher::command_line();
    let globals = globals(&whole);
    for chain in leaves(&whole, &[]).iter().filter(|chain| row(&path(chain)).is_none()) {
        let path = path(chain);
        let needed: Vec<String> = own(chain, &globals)
            .iter()
            .filter(|arg| arg.is_positional() && arg.is_required_set())
            .map(|arg| value(arg))
            .collect();
        let own = own(chain, &globals).into_iter().filter(|arg| !arg.is_positional());
        let more = own.map(|arg| [option(arg), companions(&path, arg.get_id().as_str())].concat());
        let more = more.chain([Vec::new()]);
        for more in more {
            let mut words = vec!["--remote".to_owned(), "localhost:1".to_owned()];
            words.extend(path.split(' ').map(str::to_owned));
            words.extend(more.into_iter().chain(needed.clone()));
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let ran = Ran::of(&words, lab.flasher(&words).stdin(Stdio::null()).output().unwrap());
            ran.assert_refused("--remote", &format!("has no effect on `flasher {path}`"));
            assert!(ran.told.contains("leave it out: it "), "it is not said why: {}", ran.told);
        }
    }
}

/// An option with a value that it takes, if it takes one.
fn option(arg: &Arg) -> Vec<String> {
    let long = format!("--{}", arg.get_long().unwrap());
    match arg.get_action().takes_values() {
        true => vec![format!("{long}={}", value(arg))],
        false => vec![long],
    }
}

/// What an option is not taken without.
fn companions(path: &str, id: &str) -> Vec<String> {
    let words: &[&str] = match (path, id) {
        ("serve", "cert") => &["--key=1", "--listen=127.0.0.1:0"],
        ("serve", "key") => &["--cert=1", "--listen=127.0.0.1:0"],
        ("serve", "insecure") => &["--listen=127.0.0.1:0"],
        ("verify-receipt", "bmap" | "no_bmap") => &["1"],
        ("report", "attest") => &["--key=1"],
        ("report", "key") => &["--attest=1"],
        ("report", "kcidb_origin") => &["--kcidb=1"],
        _ => &[],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A value that the argument takes.
fn value(arg: &Arg) -> String {
    let possible = arg.get_possible_values();
    let first = possible.first().map(|value| value.get_name().to_owned());
    first
        .or_else(|| arg.get_default_values().first().map(|it| it.to_string_lossy().into_owned()))
        .unwrap_or_else(|| match arg.get_long().unwrap_or_default() {
            "listen" | "tftp" | "http" => "127.0.0.1:0".to_owned(),
            "sha256" => "0".repeat(64),
            "unused-for" | "deadline" => "1h".to_owned(),
            "fetch-from" => "10.0.0.0/8".to_owned(),
            "fetch-max" => "1MB".to_owned(),
            _ => "1".to_owned(),
        })
}

/// Global options: hidden ones are refused by name, the others do what they say.
#[test]
fn global_options_of_remote_commands() {
    let bench = Bench::new("");
    fs::write(bench.lab.path("image"), noise(300_000, 3)).unwrap();
    let whole = flasher::command_line();
    for (path, words, _) in REMOTE {
        let chain = leaves(&whole, &[]).into_iter().find(|chain| self::path(chain) == *path).unwrap();
        let plain = bench.run(path, words);
        for global in globals(&whole) {
            let last = chain[chain.len() - 1].get_arguments().find(|arg| arg.get_id() == global.get_id());
            let is_hidden = last.is_some_and(Arg::is_hide_set);
            if *path == "cancel" && !is_hidden {
                continue; // there is no job to stop: see `other::cancel`
            }
            global_option(&bench, (path, words, plain.code), (global.get_id().as_str(), is_hidden));
        }
    }
}

/// `code` is how the command ends without the option.
fn global_option(bench: &Bench, (path, words, code): (&str, &str, i32), (id, is_hidden): (&str, bool)) {
    let long = format!("--{}", id.replace('_', "-"));
    let given = match id {
        // They are on every line here.
        "remote" | "remote_passphrase_file" | "remote_cacert" => {
            assert!(!is_hidden, "{path} {id}");
            return;
        }
        "json" | "verbose" | "quiet" => long.clone(),
        "lease_time" => format!("{long} 1h"),
        _ => format!("{long} kept"),
    };
    fs::remove_file(bench.lab.path("kept")).ok();
    let ran = bench.run(path, &format!("{given} {words}"));
    match id {
        _ if is_hidden => ran.assert_refused(&long, &format!("has no effect on `flasher {path}`")),
        "exporter" | "python" | "lease" | "lease_name" => {
            ran.assert_refused(&long, "has no effect with `--remote`");
        }
        "lease_time" | "client" => ran.assert_refused(&long, "has no effect without `--lease`"),
        "json" => {
            assert_eq!(ran.code, code, "{}: {}", ran.words, ran.told);
            assert!(!events(&String::from_utf8(ran.out).unwrap()).is_empty(), "{}", ran.words);
        }
        "quiet" => {
            let few = ran.told.lines().filter(|line| line.starts_with('[')).count();
            assert!(ran.code == code && few == 0, "{}: {}", ran.words, ran.told);
        }
        "log" => {
            assert_eq!(ran.code, code, "{}: {}", ran.words, ran.told);
            assert!(bench.lab.path("kept").exists(), "{}", ran.words);
        }
        "verbose" => assert_eq!(ran.code, code, "{}: {}", ran.words, ran.told),
        other => panic!("it is not said what `{other}` does with `--remote`"),
    }
}

/// Plays the cases of a command.
fn play(bench: &Bench, path: &str, cases: Vec<Case>) {
    for case in cases {
        fs::remove_file(bench.lab.path("receipt.json")).ok();
        (case.prepare)(&bench.lab);
        let ran = bench.run(path, &case.words);
        assert_eq!(ran.code, case.code, "{}: {}", ran.words, ran.told);
        for (id, shown) in &case.shows {
            check(bench, &ran, id, shown);
        }
    }
}

fn check(bench: &Bench, ran: &Ran, id: &str, shown: &Shown) {
    let complain = |found: &str| panic!("`{id}` does not show in `{}`: {found}\n{}", ran.words, ran.told);
    match shown {
        Shown::Said(text) if !ran.told.contains(text) => complain(text),
        Shown::NotSaid(text) if ran.told.contains(text) => complain(text),
        Shown::Refused(option, sentence) => ran.assert_refused(option, sentence),
        Shown::Receipt(pointer, expected) => {
            let receipt = fs::read_to_string(bench.lab.path("receipt.json")).unwrap_or_default();
            let receipt: Value = serde_json::from_str(&receipt).unwrap_or_default();
            let found = receipt.pointer(pointer).cloned().unwrap_or_default();
            let expected: Value = serde_json::from_str(expected).unwrap();
            if found != expected {
                complain(&format!("{pointer} is {found}"));
            }
        }
        Shown::File(name, text) => {
            let file = fs::read(bench.lab.path(name)).unwrap_or_default();
            let has = file.windows(text.len().max(1)).any(|part| part == text.as_bytes());
            if !has {
                complain(&format!("{name} does not hold {text}"));
            }
        }
        Shown::Medium(name)
            if fs::read(bench.lab.path(name)).unwrap() != fs::read(bench.lab.path("medium")).unwrap() =>
        {
            complain(&format!("{name} is not the medium"));
        }
        Shown::AsHere => {
            let words: Vec<&str> = ran.words.split(' ').collect();
            let here = Ran::of(&words, bench.lab.flasher(&words).stdin(Stdio::null()).output().unwrap());
            assert_eq!(
                (ran.code, ran.out == here.out),
                (here.code, true),
                "{}\n{}\n{}",
                ran.words,
                ran.told,
                here.told
            );
        }
        Shown::Said(_) | Shown::NotSaid(_) | Shown::Medium(_) | Shown::Elsewhere => {}
    }
}

#[test]
fn options_of_flash() {
    let bench = Bench::new("");
    let port = image_server(noise(300_000, 3));
    let cases = flash()
        .into_iter()
        .map(|case| Case { words: case.words.replace("@PORT@", &port.to_string()), ..case });
    play(&bench, "flash", cases.collect());
    assert_eq!(bench.lab.uploads(), 0, "what was sent is gone");
}

#[test]
fn timestamps_of_a_remote_console() {
    let lab = Lab::new(BENCH);
    let exporter = lab.listen(&["--listen", "127.0.0.1:0"]);
    let mut console = lab.flasher(&["--remote", &exporter.address, "console", "--timestamps"]);
    let mut console = console.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    console.stdin.take().unwrap().write_all(b"version\n").unwrap();
    let told = String::from_utf8(console.wait_with_output().unwrap().stdout).unwrap();
    assert!(told.starts_with("20") && told.ends_with("Z version\n"), "{told}");
}

#[test]
fn options_of_plan() {
    play(&Bench::new(""), "plan", plan());
}

#[test]
fn options_of_dump() {
    let bench = Bench::new("");
    fs::write(bench.lab.path("medium"), [noise(5_000_000, 8), vec![0; MEDIUM - 5_000_000]].concat()).unwrap();
    play(&bench, "dump", dump());
}

#[test]
fn options_of_other_remote_commands() {
    let bench = Bench::new("");
    for (path, _, cases) in REMOTE.iter().filter(|row| !["flash", "dump", "plan"].contains(&row.0)) {
        play(&bench, path, cases());
    }
}
