//! A simulated board in a folder of its own, and the command line beside it.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin;
use flasher_core::Receipt;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Length of the simulated medium, bytes.
pub(crate) const MEDIUM: usize = 3 << 20;

/// Gives an image the partition table, with no partition in it, without which it is refused for a whole device.
pub(crate) fn make_disk(image: &mut [u8]) {
    image[446..510].fill(0);
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
}

/// A simulated board with something on its medium.
pub(crate) struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Started by root, the simulated board runs as another user, who must get through.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sim-bundle");
        let yaml = format!(
            "apiVersion: jumpstarter.dev/v1alpha1\nkind: ExporterConfig\nmetadata: {{ namespace: default, name: lab }}\nexport:\n  \
             board: {{ type: sim-board, config: {{ medium: ./medium, size: {MEDIUM}, bootdelay: 1 }} }}\n  \
             storage:\n    type: flasher\n    config: {{ flasher_bundle: {bundle:?}, power_off_seconds: 0.1 }}\n    children:\n      \
             serial: {{ ref: board.serial }}\n      power: {{ ref: board.power }}\n      \
             tftp: {{ type: tftp, config: {{ port: 0, root_dir: tftp }} }}\n      \
             http: {{ type: http, config: {{ port: 0, root_dir: http }} }}\n"
        );
        std::fs::write(folder.path().join("lab.yaml"), yaml).unwrap();
        let lab = Self { folder };
        let mut medium: Vec<u8> = (0..MEDIUM).map(|at| (at * 7 % 251) as u8).collect();
        medium[1 << 20..2 << 20].fill(0);
        std::fs::write(lab.path("medium"), medium).unwrap();
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn medium(&self) -> Vec<u8> {
        std::fs::read(self.path("medium")).unwrap()
    }

    /// Runs `flasher` in the lab's folder, below a shell that does `first`.
    pub(crate) fn run(&self, first: &str, args: &[&str]) -> Output {
        self.shell(first, args).output().unwrap()
    }

    /// The same, to be run by the caller.
    pub(crate) fn shell(&self, first: &str, args: &[&str]) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{first}; exec \"$@\""), "sh"]).arg(cargo_bin("flasher"));
        shell.args(args).current_dir(self.folder.path());
        shell
            .env("FLASHER_EXPORTER", "lab.yaml")
            .env("FLASHER_CACHE_DIR", self.path("cache"))
            .env("XDG_STATE_HOME", self.path("state"))
            .stdin(Stdio::null());
        shell
    }

    pub(crate) fn receipt(&self) -> Receipt {
        serde_json::from_slice(&std::fs::read(self.path("receipt.json")).unwrap()).unwrap()
    }

    /// No file of an unfinished dump is left.
    pub(crate) fn assert_nothing_unfinished(&self) {
        let names = std::fs::read_dir(self.folder.path()).unwrap();
        let names: Vec<_> = names.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The lines of `--json` output.
pub(crate) fn events(ran: &Output) -> Vec<Value> {
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text(&ran.stdout).lines().map(line).collect()
}

/// When an event happened, seconds since 1970.
pub(crate) fn time(event: &Value) -> f64 {
    let time = event["time"].as_str().unwrap_or_else(|| panic!("no time: {event}"));
    flasher_core::clock::parse(time).unwrap_or_else(|| panic!("no RFC 3339: {time}")) as f64 / 1000.0
}

/// Events of a job come in the order in which things happen: an attempt begins first, one step runs at a time, what a step has
/// done grows, and the end is the last.
pub(crate) fn assert_in_order(events: &[Value]) {
    let (mut step, mut done, mut attempt) = (None, 0, 0);
    for (index, event) in events.iter().enumerate() {
        let before = index.checked_sub(1).map_or(0.0, |before| time(&events[before]));
        assert!(time(event) >= before, "{event} comes behind a later one");
        match event["event"].as_str().unwrap() {
            "attempt-begun" => {
                attempt += 1;
                assert_eq!((event["attempt"].as_u64(), &step), (Some(attempt), &None), "{event}");
            }
            "step-begun" => {
                assert!(attempt > 0 && step.is_none(), "{event} while {step:?} runs");
                (step, done) = (event["step"].as_str().map(str::to_owned), 0);
            }
            "step-done" => {
                assert_eq!(step.as_deref(), event["step"].as_str(), "{event}");
                step = None;
            }
            "advanced" => {
                assert!(step.as_deref() == event["step"].as_str(), "{event} while {step:?} runs");
                let now = event["done"].as_u64().unwrap();
                assert!(now >= done || step.as_deref() == Some("verify"), "{event} after {done}");
                done = now;
            }
            "retrying" => step = None,
            "finished" => {
                let rest: Vec<_> = events[index + 1..].iter().map(|event| &event["event"]).collect();
                assert!(rest.iter().all(|event| **event == "receipt"), "{rest:?} behind the end");
            }
            _ => {}
        }
    }
    assert!(events.iter().any(|event| event["event"] == "finished"), "no end");
}

/// The folder `site` of a lab on a server of its own.
pub(crate) struct Site {
    server: Child,
    /// Host and port.
    pub(crate) address: String,
}

impl Site {
    pub(crate) fn new(lab: &Lab) -> Self {
        let root = lab.path("site");
        std::fs::create_dir_all(&root).unwrap();
        let mut server = Command::new(cargo_bin("flasher"));
        server.args(["--json", "files", "--tftp", "off", "--http", "127.0.0.1:0"]).arg(root);
        let mut server = server.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.split('"').find(|word| word.starts_with("127.0.0.1:")).unwrap().to_owned();
        Self { server, address }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
