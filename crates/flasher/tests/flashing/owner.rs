//! Two jobs want one board: the second is refused before anything is touched, whatever names the board has in its file, and whichever
//! user asks.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin;
use flasher_core::flash::PowerState;
use flasher_core::{Class, Receipt};

use crate::lab::text;

/// The bundle of the simulated board.
fn bundle() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sim-bundle")
}

/// A folder for files of several labs that share one board.
struct Bench {
    folder: tempfile::TempDir,
}

/// A flash that is waiting for a board which says nothing.
struct Waiting(Child);

impl Drop for Waiting {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        self.0.wait().unwrap();
    }
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let mut image = vec![0; 1 << 20];
        image[510..512].copy_from_slice(&[0x55, 0xaa]);
        fs::write(folder.path().join("os.img"), image).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// An exporter YAML with these two children.
    fn write(&self, name: &str, board: &str, power: &str, serial: &str) {
        let bundle = bundle();
        let yaml = format!(
            "apiVersion: jumpstarter.dev/v1alpha1\nkind: ExporterConfig\nmetadata: {{ namespace: default, name: lab }}\nexport:\n{board}  \
             storage:\n    type: flasher\n    config: {{ flasher_bundle: {bundle:?}, power_off_seconds: 0.1 }}\n    children:\n      \
             serial: {serial}\n      power: {power}\n      \
             tftp: {{ type: tftp, config: {{ port: 0, root_dir: tftp }} }}\n      \
             http: {{ type: http, config: {{ port: 0, root_dir: http }} }}\n"
        );
        fs::write(self.path(name), yaml).unwrap();
    }

    fn flash(&self, yaml: &str, before: &[&str]) -> Command {
        let program = cargo_bin("flasher");
        let words = [before, &[program.to_str().unwrap()]].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["--exporter", yaml, "--json", "flash", "os.img", "--retries", "0"]);
        command.args(["--receipt", &format!("{yaml}.receipt")]).current_dir(self.folder.path());
        command.env("FLASHER_CACHE_DIR", self.path("cache")).env("XDG_STATE_HOME", self.path("state"));
        command.env_remove("FLASHER_EXPORTER").stdin(Stdio::null());
        command
    }

    /// A flash that has its board, and waits for it in the step `bootloader`.
    fn waiting(&self, yaml: &str) -> Waiting {
        let mut child = self.flash(yaml, &[]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains("step-begun") && line.contains("bootloader")), "{yaml}");
        std::thread::spawn(move || lines.for_each(drop));
        Waiting(child)
    }

    fn receipt(&self, yaml: &str) -> Receipt {
        serde_json::from_slice(&fs::read(self.path(&format!("{yaml}.receipt"))).unwrap()).unwrap()
    }

    fn assert_refused(&self, case: &str, output: &Output, first: &Waiting) {
        let complaint = text(&output.stderr);
        let owner = format!("the board is in use: `flash os.img`, process {} of user `", first.0.id());
        assert_eq!(output.status.code(), Some(4), "{case}: {complaint}");
        assert!(complaint.contains(&owner), "{case}: {complaint}");
        let receipt = self.receipt("second.yaml");
        let failure = receipt.failure.unwrap();
        assert_eq!((failure.class, receipt.power), (Class::Infrastructure, PowerState::Untouched), "{case}");
        assert!(!text(&output.stdout).contains("retrying"), "{case}");
    }
}

/// A power switch that writes down its orders.
fn switch(log: &str) -> String {
    format!(
        "{{ type: power-command, config: {{ shell: true, on: echo on >>{log}, off: echo off >>{log} }} }}"
    )
}

fn line(url: &str) -> String {
    format!("{{ type: serial, config: {{ url: \"{url}\" }} }}")
}

#[test]
fn a_board_is_one_whatever_its_parts_are_called() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || server.incoming().collect::<Vec<_>>());
    let (tcp, name) =
        (line(&format!("socket://127.0.0.1:{port}")), line(&format!("rfc2217://LocalHost:{port}")));
    let other = line("loop://");
    for (case, first, second) in [
        ("one port server", (switch("one"), tcp.clone()), (switch("two"), name)),
        ("one power switch", (switch("one"), tcp), (switch("one"), other)),
    ] {
        let bench = Bench::new();
        bench.write("first.yaml", "", &first.0, &first.1);
        bench.write("second.yaml", "", &second.0, &second.1);
        let waiting = bench.waiting("first.yaml");
        let output = bench.flash("second.yaml", &[]).output().unwrap();
        bench.assert_refused(case, &output, &waiting);
        assert!(!Path::new(&bench.path("two")).exists(), "{case}: the second one switched");
        assert_eq!(fs::read_to_string(bench.path("one")).unwrap(), "off\non\n", "{case}");
        let staged: Vec<_> = fs::read_dir(bench.path("tftp")).unwrap().collect();
        assert_eq!(staged.len(), 1, "{case}: the boot files of the first one are not there");
        drop(waiting);
        assert_eq!(bench.receipt("first.yaml").power, PowerState::Off, "{case}");
    }
}

#[test]
fn another_user_meets_the_same_lock() {
    let is_root = rustix::process::geteuid().is_root();
    let bench = Bench::new();
    let setpriv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    // A tree below /root is closed to others.
    let uses = "\"$1\" --version && cat \"$2/manifest.yaml\"";
    let mut can = Command::new(setpriv[0]);
    can.args(&setpriv[1..]).args(["sh", "-c", uses, "sh"]).arg(cargo_bin("flasher")).arg(bundle());
    if !is_root || !can.output().is_ok_and(|it| it.status.success()) {
        println!("skipped: becoming another user takes root, setpriv, and a tree that all may read");
        return;
    }
    fs::create_dir(bench.path("cache")).unwrap();
    fs::set_permissions(bench.path("cache"), fs::Permissions::from_mode(0o777)).unwrap();
    for (first, second) in [(&[][..], &setpriv[..]), (&setpriv, &[])] {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("socket://{}", server.local_addr().unwrap());
        std::thread::spawn(move || server.incoming().collect::<Vec<_>>());
        for yaml in ["first.yaml", "second.yaml"] {
            bench.write(yaml, "", "{ type: power-mock }", &line(&url));
        }
        let mut child = bench.flash("first.yaml", first).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains("step-begun") && line.contains("\"power\"")));
        let waiting = Waiting(child);
        let output = bench.flash("second.yaml", second).output().unwrap();
        bench.assert_refused(&format!("{second:?}"), &output, &waiting);
        std::thread::spawn(move || lines.for_each(drop));
        drop(waiting);
        for name in ["second.yaml.receipt", "first.yaml.receipt"] {
            fs::remove_file(bench.path(name)).unwrap();
        }
        for folder in ["tftp", "http", "state"] {
            let _ = fs::remove_dir_all(bench.path(folder));
        }
    }
}

#[test]
fn one_medium_is_one_board_and_two_media_are_two() {
    let bench = Bench::new();
    let board = |medium: &str, faults: &str| {
        format!(
            "  board: {{ type: sim-board, config: {{ medium: {medium}, size: 2MiB, bootdelay: 1, faults: {{ {faults} }} }} }}\n"
        )
    };
    let write = |yaml: &str, medium: &str, faults: &str| {
        bench.write(yaml, &board(medium, faults), "{ ref: board.power }", "{ ref: board.serial }");
    };
    fs::write(bench.path("card"), "").unwrap();
    fs::hard_link(bench.path("card"), bench.path("hard")).unwrap();
    symlink(bench.path("card"), bench.path("soft")).unwrap();
    write("first.yaml", "./card", "boot_delay_ms: 600000");
    let waiting = bench.waiting("first.yaml");
    for medium in ["./card", "./hard", "soft"] {
        write("second.yaml", medium, "");
        let output = bench.flash("second.yaml", &[]).output().unwrap();
        bench.assert_refused(medium, &output, &waiting);
    }
    write("second.yaml", "./another", "");
    let output = bench.flash("second.yaml", &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}
