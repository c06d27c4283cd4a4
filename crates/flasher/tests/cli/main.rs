//! The command line as its users meet it: the real binary, its two streams and its exit code.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod by_hand;
mod demo;
mod doctor;
mod flash;
mod init;
mod python;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin;
use flasher_bundles as _;
use serde_json::Value;

const HEAD: &str = "apiVersion: jumpstarter.dev/v1alpha1\nkind: ExporterConfig\nmetadata: { name: lab }\n";
const LAB: &str = "export:\n  board:\n    children:\n      power: { type: power-mock }\n      \
                   serial: { type: serial, config: { url: \"loop://\" } }\n";

/// A folder with an exporter YAML in it.
struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        Self::with(LAB)
    }

    fn with(export: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("lab.yaml"), format!("{HEAD}{export}")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command with the exporter YAML.
    fn run(&self, args: &[&str]) -> Ran {
        let yaml = self.path("lab.yaml");
        run(&[&["--exporter", yaml.to_str().unwrap()], args].concat())
    }
}

/// What a command did.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}

fn flasher() -> Command {
    let mut command = Command::new(cargo_bin("flasher"));
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache");
    command.env_remove("FLASHER_EXPORTER").env("FLASHER_CACHE_DIR", cache).stdin(Stdio::null());
    command.env("XDG_STATE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"));
    command
}

fn run(args: &[&str]) -> Ran {
    flasher().args(args).output().unwrap().into()
}

/// Every line of standard output as an object with the key `event`, and without its time.
fn events(ran: &Ran) -> Vec<Value> {
    let line = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(value["event"].is_string(), "{line}");
        let time = value.as_object_mut().unwrap().remove("time").unwrap_or_else(|| panic!("no time: {line}"));
        assert!(flasher_core::clock::parse(time.as_str().unwrap()).is_some(), "{line}");
        value
    };
    ran.out.lines().map(line).collect()
}

#[test]
fn a_file_with_six_mistakes_gives_six_findings_in_one_go() {
    let lab = Lab::with(concat!(
        "export:\n",
        "  one: { type: power-mok }\n",
        "  two: { type: power-mock, config: { speed: 1 } }\n",
        "  three: { ref: nowhere }\n",
        "  four: { type: serial, config: { url: \"loop://\", baudrate: fast } }\n",
        "  five: { tpye: serial }\n",
        "  six: { ref: six }\n",
    ));
    let ran = lab.run(&["check"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert_eq!(ran.err.matches("error: ").count(), 6, "{}", ran.err);
    assert!(ran.err.contains("did you mean `power-mock`?"), "{}", ran.err);
    assert!(ran.err.ends_with("6 problems; nothing was opened, no board was touched\n"), "{}", ran.err);

    let ran = lab.run(&["--json", "check"]);
    let found = events(&ran);
    assert_eq!((ran.code, found.len()), (2, 6));
    let lines: Vec<_> = found.iter().map(|finding| finding["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [5, 6, 7, 8, 9, 10]);
}

#[test]
fn a_good_file_is_fine() {
    let lab = Lab::new();
    let ran = lab.run(&["check"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("✓ board.power   power\n"), "{}", ran.out);
    // The file can also be given to the command itself.
    assert_eq!(run(&["check", lab.path("lab.yaml").to_str().unwrap()]).code, 0);
}

/// A laptop without a network: every way out ends at a proxy that is not there. A file of Jumpstarter's names a bundle of a
/// registry by default.
#[test]
fn a_registry_out_of_reach_is_a_warning() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/jumpstarter.yaml");
    let lab = Lab::new();
    let offline = |file: &Path, command: &str| python::offline(&lab, file, command);
    let ran = offline(&file, "check");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let warned =
        "warning: `storage` could not be looked at from here: the registry `quay.io` cannot be reached";
    assert!(ran.err.starts_with(warned), "{}", ran.err);
    assert!(
        ran.out.ends_with("no board was touched\n") && ran.out.contains("as far as it could"),
        "{}",
        ran.out
    );
    // With something else wrong the registry is no excuse.
    let wrong = lab.path("wrong.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&wrong, text.replace("baudrate: 115200", "baudrate: fast")).unwrap();
    assert_eq!(offline(&wrong, "check").code, 2);
    // The same of `doctor`: the lines that this machine has not, fail; the registry alone does not.
    let ran = offline(&file, "doctor");
    assert!(ran.out.contains("! storage"), "{}", ran.out);
    assert!(ran.out.contains("look again where the registry can be reached"), "{}", ran.out);
}

#[test]
fn the_environment_can_name_the_exporter() {
    let lab = Lab::new();
    let ran: Ran = flasher()
        .args(["power", "on"])
        .env("FLASHER_EXPORTER", lab.path("lab.yaml"))
        .output()
        .unwrap()
        .into();
    assert_eq!((ran.code, ran.out.as_str()), (0, "power on, not confirmed\n"));
    let ran = run(&["power", "on"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("FLASHER_EXPORTER"), "{}", ran.err);
}

#[test]
fn drivers_and_boards_come_out_of_the_registry() {
    for (args, expected) in [
        (&["drivers"][..], "  power without hardware that records its calls\n"),
        (&["drivers", "serial"], "  baudrate  whole number, default 115200\n"),
        (&["drivers", "jumpstarter_driver_pyserial.driver.PySerial"], "serial  "),
        (&["boards"], "ti-j784s4  "),
        (&["boards", "ti-j784s4"], "  target      usd /sys/class/block#4fb0000 (default)\n"),
    ] {
        let ran = run(args);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
        assert!(ran.out.contains(expected), "{args:?}: {}", ran.out);
    }
}

#[test]
fn a_name_this_build_has_not_is_suggested() {
    for (args, expected) in [
        (["drivers", "power-mok"], "did you mean `power-mock`?"),
        (["drivers", "toaster"], "this build has: `"),
        (["boards", "ti-j784s5"], "did you mean `ti-j784s4`?"),
    ] {
        let ran = run(&args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.contains(expected), "{args:?}: {}", ran.err);
    }
}

#[test]
fn every_schema_is_json_and_knows_its_subject() {
    for (of, expected) in [
        ("exporter", "power-mock"),
        ("bundle", "preflash_commands"),
        ("events", "step-begun"),
        ("events", "finding"),
        ("receipt", "read_back_sha256"),
    ] {
        let ran = run(&["schema", of]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{of}");
        assert!(serde_json::from_str::<Value>(&ran.out).unwrap()["$schema"].is_string(), "{of}");
        assert!(ran.out.contains(expected), "{of}");
    }
}

#[test]
fn the_schemas_beside_the_examples_are_those_of_this_build() {
    for of in ["exporter", "receipt", "events"] {
        let name = format!("../../examples/{of}.schema.json");
        let stored = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
        assert!(stored == run(&["schema", of]).out, "`{of}` has changed: run `cargo xtask schemas`");
    }
}

#[test]
fn every_example_builds_a_board_that_can_be_flashed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let examples = files.filter(|path| path.extension().is_some_and(|it| it == "yaml")).collect::<Vec<_>>();
    for name in ["sim-board.yaml", "qemu-board.yaml", "real-board.yaml"] {
        assert!(examples.iter().any(|path| path.ends_with(name)), "{name}: {examples:?}");
    }
    for path in examples {
        let tree = exporter_yaml::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(tree.flasher(None).is_ok(), "{}", path.display());
        for line in ["board.power", "board.serial"] {
            assert!(tree.find(line).is_ok(), "{}: {line}", path.display());
        }
    }
}

#[test]
fn a_command_that_does_not_exist_is_a_usage_error() {
    let ran = run(&["flsh"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("'flash'"), "{}", ran.err);
    assert_eq!(run(&[]).code, 2);
    let help = run(&["--help"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
}

#[test]
fn a_global_option_is_honoured_where_the_table_says_so() {
    let exporter: &[&[&str]] = &[
        &["flash", "a"],
        &["dump", "a"],
        &["plan", "a"],
        &["check"],
        &["bundle", "lock"],
        &["power", "off"],
        &["console"],
        &["serve"],
        &["doctor"],
    ];
    for command in exporter {
        let ran = run(&[command, &["--exporter", "/nowhere.yaml"][..]].concat());
        assert_eq!(ran.code, 2, "{command:?}: {}", ran.err);
        assert!(ran.err.contains("/nowhere.yaml"), "{command:?}: {}", ran.err);
    }
    let lab = Lab::new();
    std::fs::write(lab.path("image"), "x").unwrap();
    let image = lab.path("image");
    for command in [
        &["flash", image.to_str().unwrap()][..],
        &["power", "off"],
        &["power", "read"],
        &["console"],
        &["attach"],
        &["cancel"],
        &["doctor"],
    ] {
        let remote = |more: &[&str]| run(&[command, &["--remote", "127.0.0.1:1"], more].concat());
        let ran = remote(&[]);
        assert!(ran.code == 4 && ran.err.contains("no exporter answers at 127.0.0.1:1"), "{}", ran.err);
        for option in ["--remote-passphrase-file", "--remote-cacert"] {
            let ran = remote(&[option, "/nowhere"]);
            assert!(ran.code == 2 && ran.err.contains("/nowhere"), "{command:?} {option}: {}", ran.err);
        }
    }
}

#[test]
fn a_board_elsewhere_is_never_taken_for_the_one_here() {
    let lab = Lab::new();
    let image = lab.path("image");
    std::fs::write(&image, [1; 512]).unwrap();
    let (image, out) = (image.to_str().unwrap(), lab.path("out"));
    let absent = "no exporter answers at 127.0.0.1:1";
    let idle = "`--remote` has no effect on `flasher ";
    for (command, code, told) in [
        (&["dump", out.to_str().unwrap()][..], 4, absent),
        (&["plan", image], 4, absent),
        (&["check"], 2, idle),
        (&["bundle", "lock"], 2, idle),
    ] {
        let mut flasher = flasher();
        flasher.env("FLASHER_EXPORTER", lab.path("lab.yaml")).args(["--remote", "127.0.0.1:1"]).args(command);
        let ran = Ran::from(flasher.output().unwrap());
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{command:?}: {}", ran.err);
        assert!(ran.err.contains(told), "{}", ran.err);
        assert_eq!(ran.err.contains("run it "), code == 2, "says what to do instead: {}", ran.err);
    }
    let ran = lab.run(&["power", "status", "--device", "board.power"]);
    assert_eq!(ran.code, 0, "an option of `power` may stand behind its action: {}", ran.err);
}

#[test]
fn a_reader_who_leaves_early_is_no_failure() {
    let mut child = flasher().args(["schema", "exporter"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, "{\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn secrets_are_not_shown_also_when_they_are_malformed() {
    let lab = Lab::new();
    let token = lab.path("token");
    std::fs::write(&token, "s3cr\u{e9}t\n").unwrap();
    for wrong in [
        ["--header", "s3cret"],
        ["--header", "Bad Name: s3cret"],
        ["--header", "X: s3cret\nY: s3cret"],
        ["--bearer-file", token.to_str().unwrap()],
    ] {
        for command in ["flash", "plan"] {
            let ran = lab.run(&["-vvv", "--json", command, "http://127.0.0.1:1/os.img", wrong[0], wrong[1]]);
            assert_eq!(ran.code, 2, "{wrong:?}");
            assert!(!format!("{}{}", ran.out, ran.err).contains("s3cr"), "{wrong:?}: {}{}", ran.out, ran.err);
            assert_eq!(events(&ran)[0]["class"], "config");
        }
    }
}
