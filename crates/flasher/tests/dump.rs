//! `flasher dump` as a user sees it: a file, a packed file, a pipe; and a disk that is full.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin;
use flasher_core::{Receipt, Verdict};

/// Length of the simulated medium, bytes.
const MEDIUM: usize = 3 << 20;

/// A simulated board with something on its medium.
struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
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

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn medium(&self) -> Vec<u8> {
        std::fs::read(self.path("medium")).unwrap()
    }

    /// Runs `flasher` in the lab's folder, below a shell that does `first`.
    fn run(&self, first: &str, args: &[&str]) -> Output {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{first}; exec \"$@\""), "sh"]).arg(cargo_bin("flasher"));
        shell.args(["--exporter", "lab.yaml"]).args(args).current_dir(self.folder.path());
        shell.env_remove("FLASHER_EXPORTER").stdin(Stdio::null()).output().unwrap()
    }

    fn receipt(&self) -> Receipt {
        serde_json::from_slice(&std::fs::read(self.path("receipt.json")).unwrap()).unwrap()
    }

    /// No file of an unfinished dump is left.
    fn assert_nothing_unfinished(&self) {
        let names = std::fs::read_dir(self.folder.path()).unwrap();
        let names: Vec<_> = names.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_medium_becomes_a_file_with_a_receipt_that_can_be_checked() {
    for (name, is_packed) in [("a.img", false), ("a.img.zst", true)] {
        let lab = Lab::new();
        let ran = lab.run("true", &["dump", name, "--receipt", "receipt.json"]);
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
        let file = std::fs::read(lab.path(name)).unwrap();
        let plain = if is_packed { zstd::decode_all(file.as_slice()).unwrap() } else { file };
        assert!(plain == lab.medium(), "{name} is something else than the medium");
        let receipt = lab.receipt();
        assert_eq!((receipt.verdict, receipt.image.source.as_str()), (Verdict::Proven, name));
        let told = text(&ran.stdout);
        let digest = receipt.image.decoded_sha256.unwrap();
        assert!(told.starts_with("proven") && told.contains(&format!("sha256:{digest}")), "{told}");
        let checked = lab.run("true", &["verify-receipt", "receipt.json", name]);
        assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
        std::fs::write(lab.path("other"), vec![1; MEDIUM]).unwrap();
        let checked = lab.run("true", &["verify-receipt", "receipt.json", "other"]);
        assert_eq!(checked.status.code(), Some(3), "{}", text(&checked.stdout));
        lab.assert_nothing_unfinished();
    }
}

#[test]
fn a_pipe_gets_the_medium_and_nothing_else() {
    let lab = Lab::new();
    let ran = lab.run("true", &["dump", "-"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    assert!(ran.stdout == lab.medium());
    assert!(text(&ran.stderr).contains("proven"), "{}", text(&ran.stderr));
    let ran = lab.run("true", &["--json", "dump", "-"]);
    assert_eq!(ran.status.code(), Some(2));
}

#[test]
fn a_disk_that_is_full_leaves_the_older_dump_and_no_other() {
    let lab = Lab::new();
    std::fs::write(lab.path("a.img"), "older").unwrap();
    // No file may grow beyond 1 MiB: a full disk for whoever does not ask why. The medium has its length already.
    let ran = lab.run("trap '' XFSZ; ulimit -f 2048", &["dump", "a.img", "--receipt", "receipt.json"]);
    assert_eq!(ran.status.code(), Some(4), "{}", text(&ran.stderr));
    assert!(text(&ran.stderr).contains("cannot write the dump `a.img`"), "{}", text(&ran.stderr));
    assert_eq!(std::fs::read(lab.path("a.img")).unwrap(), b"older");
    assert_eq!(lab.receipt().verdict, Verdict::Failed);
    lab.assert_nothing_unfinished();
}

#[test]
fn a_place_where_no_dump_can_be_is_refused_at_once() {
    let lab = Lab::new();
    for out in [".", "no/where.img", "/dev/null"] {
        assert_eq!(lab.run("true", &["dump", out]).status.code(), Some(2), "{out}");
    }
    let ran = lab.run("true", &["--remote", "127.0.0.1:1", "dump", "a.img"]);
    assert_eq!(ran.status.code(), Some(2), "{}", text(&ran.stderr));
}
