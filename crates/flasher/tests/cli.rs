//! The command line as its users meet it: the real binary, its two streams and its exit code.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

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
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/jumpstarter.yaml");
    let lab = Lab::new();
    let offline = |file: &Path, command: &str| -> Ran {
        let mut flasher = flasher();
        flasher.arg("--exporter").arg(file).args([command]).env("XDG_CACHE_HOME", lab.path("cache"));
        for proxy in ["HTTPS_PROXY", "https_proxy"] {
            flasher.env(proxy, format!("http://{closed}"));
        }
        flasher.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap().into()
    };
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
        let tree =
            flasher_core::tree::DeviceTree::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
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
    for command in [&["flash", image.to_str().unwrap()][..], &["console"], &["attach"], &["cancel"]] {
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
    for command in [&["power", "off"][..], &["power", "status"], &["dump", "a"], &["doctor"]] {
        let mut flasher = flasher();
        flasher.env("FLASHER_EXPORTER", lab.path("lab.yaml")).args(["--remote", "127.0.0.1:1"]).args(command);
        let ran = Ran::from(flasher.output().unwrap());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{command:?}: {}", ran.err);
        assert!(ran.err.contains("`--remote` has no effect on `flasher "), "{}", ran.err);
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
fn a_meter_is_read() {
    let lab = Lab::new();
    let ran = lab.run(&["power", "read"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "0.000 V  0.000 A  0.000 W\n5.000 V  2.000 A  10.000 W\n"));
    let readings = events(&lab.run(&["--json", "power", "read"]));
    assert_eq!(readings[1], serde_json::json!({ "event": "reading", "voltage": 5.0, "current": 2.0 }));
}

#[test]
fn a_meter_is_read_as_often_as_asked() {
    let lab = Lab::new();
    let ran = lab.run(&["power", "read", "-n", "3", "-i", "0.01"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 6), "{}", ran.out);
    let readings = events(&lab.run(&["--json", "power", "read", "--count", "2", "--interval", "0"]));
    assert!(readings.len() == 4 && readings.iter().all(|it| it["event"] == "reading"), "{readings:?}");
    let ran = lab.run(&["power", "read", "-i", "soon"]);
    assert!(ran.code == 2 && ran.err.contains("soon"), "{}", ran.err);
    let ran = Lab::with("export:\n  relay: { type: power-command, config: { on: 'true', off: 'true' } }\n")
        .run(&["power", "read"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("power with a meter"), "{}", ran.err);
}

#[test]
fn power_is_asked_for_and_cycled_by_a_switch_that_knows() {
    let lab = Lab::new();
    let ran = lab.run(&["power", "status"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "power unknown: the switch cannot tell\n"));
    let file = lab.path("relay");
    let yaml = format!(
        "{HEAD}export:\n  relay:\n    type: power-command\n    config:\n      shell: true\n      on: \"echo on >> {0}\"\n      \
         off: \"echo off >> {0}\"\n      status: \"tail -n 1 {0}\"\n",
        file.display()
    );
    std::fs::write(lab.path("lab.yaml"), yaml).unwrap();
    std::fs::write(&file, "off\n").unwrap();
    assert_eq!(lab.run(&["power", "status"]).out, "power off, as the switch reports\n");
    assert_eq!(lab.run(&["power", "cycle", "--wait", "0.1"]).out, "power on, as the switch reports\n");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "off\noff\non\n");
    let status = events(&lab.run(&["--json", "power", "status"]));
    assert_eq!(status, [serde_json::json!({ "event": "power", "on": true, "confirmed": true })]);
}

#[test]
fn power_is_switched_and_a_path_that_is_no_switch_is_refused() {
    let lab = Lab::new();
    assert_eq!(
        lab.run(&["power", "--device", "board.power", "cycle", "--wait", "0"]).out,
        "power on, not confirmed\n"
    );
    assert_eq!(lab.run(&["power", "off"]).out, "power off, not confirmed\n");
    let ran = lab.run(&["power", "--device", "board.serial", "on"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("`board.serial` is of kind serial, expected power"), "{}", ran.err);
}

#[test]
fn a_pipe_as_console_with_power_cycle() {
    let lab = Lab::with(
        "export:\n  board: { type: sim-board, config: { medium: medium.img, size: 1MiB, bootdelay: 5 } }\n",
    );
    let mut command = flasher();
    command.args(["--exporter", lab.path("lab.yaml").to_str().unwrap(), "console", "--power-cycle"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"version\n").unwrap();
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert!(ran.code == 0 && ran.out.contains("U-Boot 2023.01-sim"), "{} {}{}", ran.code, ran.out, ran.err);
}

#[test]
fn leaving_during_a_power_cycle() {
    let lab = Lab::with(
        "export:\n  board:\n    children:\n      power:\n        type: power-command\n        \
         config: { on: [sh, -c, \"echo on >>switched\"], off: [sh, -c, \"echo off >>switched\"] }\n      \
         serial: { type: serial, config: { url: \"loop://\" } }\n",
    );
    let mut command = flasher();
    command.current_dir(lab.folder.path()).args(["--exporter", "lab.yaml", "console", "--power-cycle"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let switched = || std::fs::read_to_string(lab.path("switched")).unwrap_or_default();
    let begun = std::time::Instant::now();
    while switched() != "off\n" {
        assert!(begun.elapsed().as_secs() < 30 && child.try_wait().unwrap().is_none(), "never switched off");
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, switched().as_str()), (130, "off\non\n"), "{}", ran.err);
}

#[test]
fn a_console_takes_its_input_from_a_pipe_and_ends_with_it() {
    let lab = Lab::new();
    let yaml = lab.path("lab.yaml");
    let mut command = flasher();
    command.args(["--exporter", yaml.to_str().unwrap(), "console"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"printenv\r\n").unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "printenv\r\n", ""));
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

#[test]
fn receipts_of_flashes_that_cannot_begin() {
    let lab = Lab::new();
    let receipt = lab.path("receipt.json");
    std::fs::write(&receipt, "{\"verdict\": \"proven\"}").unwrap();
    let flash =
        ["flash", "https://user:s3cret@host/os.img?sig=s3cret", "--receipt", receipt.to_str().unwrap()];
    let ran = lab.run(&flash);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    let text = std::fs::read_to_string(&receipt).unwrap();
    let kept: flasher_core::Receipt = serde_json::from_str(&text).unwrap();
    assert_eq!((kept.verdict, kept.exit_code()), (flasher_core::Verdict::Failed, 2));
    assert!(!text.contains("s3cret"), "{text}");
    let ran = lab.run(&[&["--json"], &flash[..]].concat());
    let last = events(&ran).pop().unwrap();
    assert_eq!((ran.code, &last["event"]), (2, &Value::from("receipt")));
}

#[test]
fn unwritable_receipts_stop_the_job() {
    let lab = Lab::new();
    for place in [lab.path("gone/receipt.json"), lab.folder.path().to_path_buf()] {
        let ran = lab.run(&["flash", "os.img", "--receipt", place.to_str().unwrap()]);
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains("--receipt FILE"), "{}", ran.err);
    }
}

#[test]
fn doctor_says_what_is_missing_and_what_to_do() {
    let healthy = Lab::new().run(&["doctor"]);
    assert_eq!(healthy.code, 0, "{}", healthy.out);
    let lab = Lab::with("export:\n  serial: { type: serial, config: { url: /dev/no-such-port } }\n");
    let ran = lab.run(&["doctor"]);
    assert_eq!(ran.code, 4);
    assert!(ran.out.contains("✗ serial") && ran.out.contains("/dev/no-such-port"), "{}", ran.out);
    assert!(ran.out.contains("✓ clock") && ran.out.contains("free for temporary files"), "{}", ran.out);
    let health = events(&lab.run(&["--json", "doctor"]));
    assert_eq!((&health[0]["event"], &health[0]["healthy"]), (&Value::from("health"), &Value::from(false)));
}

#[test]
fn doctor_names_every_fault_of_a_broken_set_up_with_its_remedy() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let lab = Lab::with(&format!(
        "export:\n  button: {{ type: power-gpio, config: {{ device: /dev/gpiochip99, line: 4 }} }}\n  \
         console: {{ type: serial, config: {{ url: /dev/no-such-port }} }}\n  \
         hub: {{ type: power-command, config: {{ on: no-such-relay 1, off: no-such-relay 0 }} }}\n  \
         files: {{ type: http, config: {{ host: 127.0.0.1, port: {port}, root_dir: . }} }}\n  \
         remote: {{ type: serial, config: {{ url: 'rfc2217://127.0.0.1:1' }} }}\n  \
         socket: {{ type: power-http, config: {{ preset: tasmota, host: '127.0.0.1:1' }} }}\n"
    ));
    let ran = lab.run(&["doctor"]);
    assert_eq!(ran.code, 4, "{}", ran.out);
    for (subject, finding, remedy) in [
        ("button", "there is no GPIO chip `/dev/gpiochip99`", "this machine has"),
        ("console", "there is no serial port `/dev/no-such-port`", "this machine has"),
        ("hub", "needs `no-such-relay`, which is not in the PATH", "install what brings `no-such-relay`"),
        ("files", "is in use", ""),
        ("remote", "cannot connect to `rfc2217://127.0.0.1:1`", "is the port server running"),
        ("socket", "the power switch at `http://127.0.0.1:1/cm` cannot be reached", "is this its address?"),
    ] {
        let at = ran.out.find(&format!("✗ {subject}")).unwrap_or_else(|| panic!("no {subject}: {}", ran.out));
        let mut lines = ran.out[at..].lines();
        let (found, help) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        assert!(found.contains(finding), "{found}");
        assert!(help.contains(remedy) && help.starts_with("    "), "{help}");
    }
    assert!(ran.out.contains("✓ clock"), "{}", ran.out);
}

#[test]
fn doctor_tells_whether_a_board_is_in_reach() {
    let doctor = |network: &str, children: &str, board: &str| {
        let config = format!("{{ flasher_bundle: ./b, tftp_dir: ./t, http_dir: ./h{network} }}");
        let flasher = format!("type: flasher, config: {config}, children: {{ {children} }}");
        Lab::with(&format!("export:\n  storage: {{ {flasher} }}\n{board}")).run(&["doctor"])
    };
    let real = "serial: { type: serial, config: { url: 'loop://' } }, power: { type: power-mock }";
    let ran = doctor(", network: { address: 203.0.113.7 }", real, "");
    // A machine in a sandbox has no network at all.
    let away = ["board's network 203.0.113.0/24", "no network interface but loopback"];
    assert!(ran.code == 4 && away.iter().any(|it| ran.out.contains(it)), "{}", ran.out);
    let virtual_board = "serial: { ref: board.serial }, power: { ref: board.power }";
    let ran = doctor("", virtual_board, "  board: { type: sim-board, config: { size: 64MiB } }\n");
    assert!(ran.out.contains("the board lives on this machine"), "{}", ran.out);
}

#[test]
fn a_wrong_escape_is_refused_with_the_forms() {
    for (key, why) in [("x", ""), ("ctrl-m", "keyboards send the same for Enter; ")] {
        let ran = Lab::new().run(&["console", "--escape", key]);
        let forms =
            "expected `ctrl-` and a letter or one of `]`, `\\`, `^`, `_` (as in `ctrl-a`), `~.`, or `none`";
        let said = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(ran.code == 2 && said.contains(&format!("{why}{forms}")), "{key}: {} {said}", ran.code);
    }
}

#[test]
fn several_may_watch_a_line_and_one_may_type() {
    let folder = tempfile::tempdir().unwrap();
    let echo = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let lab = Lab::with(&format!(
        "export:\n  serial: {{ type: serial, config: {{ url: 'socket://{}' }} }}\n",
        echo.local_addr().unwrap()
    ));
    let yaml = lab.path("lab.yaml");
    let console = |args: &[&str]| {
        let mut command = flasher();
        command.args(["--exporter", yaml.to_str().unwrap(), "console"]).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut watcher = console(&["--watch"]);
    let mut told = BufReader::new(watcher.stderr.take().unwrap()).lines().map(Result::unwrap);
    let name = format!("`socket://{}`", echo.local_addr().unwrap());
    let waits = format!("waiting for a flash or a `console` without `--watch` that opens {name}");
    assert_eq!(told.next().unwrap(), format!("watching {name}; power: unknown; ^C leaves"));
    assert_eq!(told.next().unwrap(), waits);
    let log = folder.path().join("console.log");
    let mut owner = console(&["--log", log.to_str().unwrap(), "--timestamps"]);
    let (mut board, _) = echo.accept().unwrap();
    board.write_all(b"U-Boot 2023.01\n").unwrap();
    let mut heard = BufReader::new(owner.stdout.take().unwrap());
    let mut line = String::new();
    heard.read_line(&mut line).unwrap();
    assert!(line.starts_with("20") && line.ends_with("Z U-Boot 2023.01\n"), "{line}");
    assert_eq!(told.next().unwrap(), format!("{name} is open"));
    let mut watched = BufReader::new(watcher.stdout.take().unwrap());
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let talking = std::thread::spawn(move || {
        while stopped.recv_timeout(std::time::Duration::from_millis(20)).is_err() {
            board.write_all(b"=> \n").unwrap();
        }
        board
    });
    // Who watched from the beginning may have heard the first line too.
    line.clear();
    watched.read_line(&mut line).unwrap();
    if line == "U-Boot 2023.01\n" {
        line.clear();
        watched.read_line(&mut line).unwrap();
    }
    assert_eq!(line, "=> \n");
    stop.send(()).unwrap();
    drop(talking.join().unwrap());
    // The board hung up: an error for the owner, and who watches waits for the next.
    assert_eq!(owner.wait().unwrap().code(), Some(4));
    assert_eq!(told.next().unwrap(), waits);
    let killed = Command::new("kill").args(["-INT", &watcher.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(watcher.wait().unwrap().code(), Some(130));
    assert!(std::fs::read_to_string(&log).unwrap().contains("Z U-Boot 2023.01\n"));
}

#[test]
fn the_demo_proves_a_flash_and_leaves_only_its_receipt() {
    let lab = Lab::new();
    let receipt = lab.path("receipt.json");
    let temp = lab.path("temp");
    std::fs::create_dir(&temp).unwrap();
    // Started by root, the simulated board runs as another user, who must get through.
    let everyone = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(lab.folder.path(), everyone).unwrap();
    let mut demo = flasher();
    demo.args(["--json", "demo", "--receipt", receipt.to_str().unwrap()]).env("TMPDIR", &temp);
    let ran = Ran::from(demo.output().unwrap());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let events = events(&ran);
    let compared = events.last().unwrap();
    let kept: flasher_core::Receipt = serde_json::from_slice(&std::fs::read(&receipt).unwrap()).unwrap();
    assert_eq!((kept.verdict, kept.failure), (flasher_core::Verdict::Proven, None));
    assert_eq!(compared["event"], "compared");
    assert_eq!(compared["medium_sha256"].as_str(), kept.image.decoded_sha256.as_deref());
    assert_eq!(std::fs::read_dir(&temp).unwrap().count(), 0);
}

#[test]
fn a_flash_that_is_interrupted_says_so_and_keeps_its_receipt() {
    let lab = Lab::new();
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sim-bundle");
    let yaml = format!(
        "{HEAD}export:\n  board: {{ type: sim-board, config: {{ medium: medium.img, bootdelay: 60 }} }}\n  \
         storage:\n    type: flasher\n    config: {{ flasher_bundle: {bundle:?}, power_off_seconds: 60 }}\n    children:\n      \
         serial: {{ ref: board.serial }}\n      power: {{ ref: board.power }}\n      \
         tftp: {{ type: tftp, config: {{ port: 0, root_dir: tftp }} }}\n      \
         http: {{ type: http, config: {{ port: 0, root_dir: http }} }}\n"
    );
    std::fs::write(lab.path("lab.yaml"), yaml).unwrap();
    std::fs::write(lab.path("os.img"), vec![0; 1 << 20]).unwrap();
    let text = |name: &str| lab.path(name).to_str().unwrap().to_owned();
    let mut child = flasher()
        .args([
            "--exporter",
            &text("lab.yaml"),
            "--json",
            "flash",
            &text("os.img"),
            "--receipt",
            &text("receipt.json"),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    // Power stays off for a minute: this is the moment to change one's mind.
    assert!(lines.any(|line| line.contains("step-begun") && line.contains("power")));
    for device in ["board.power", "storage.power"] {
        for action in [&["off"][..], &["on"], &["cycle", "--wait", "0"]] {
            let ran = lab.run(&[&["power", "--device", device], action].concat());
            assert_eq!((ran.code, ran.out.as_str()), (4, ""));
            let owner = format!("the board is in use: `flash {}`, process {} of", text("os.img"), child.id());
            assert!(ran.err.contains(&owner) && ran.err.contains("`--force`"), "{}", ran.err);
        }
    }
    assert_eq!(lab.run(&["power", "--device", "board.power", "--force", "off"]).code, 0);
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert!(lines.any(|line| line.contains("stopping in good order")));
    lines.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(
        lab.run(&["power", "--device", "board.power", "off"]).out,
        "power off, as the switch reports\n"
    );
    let kept: flasher_core::Receipt =
        serde_json::from_slice(&std::fs::read(lab.path("receipt.json")).unwrap()).unwrap();
    assert_eq!(kept.class(), Some(flasher_core::Class::Interrupted));
}
