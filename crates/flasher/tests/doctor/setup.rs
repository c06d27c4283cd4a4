//! A lab with a simulated board, one part of it broken, and the three commands that meet it.

use std::fs::{self, File};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use assert_cmd::cargo::cargo_bin;
use flasher_bundles as _;
use flasher_core::owner::{Board, Held};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// One set-up.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Parts of the exporter YAML that differ: `power`, `serial`, and what is added to the config of `tftp`, `http`, `flasher`, `sim`.
    pub(crate) parts: &'static [(&'static str, &'static str)],
    /// A shell script that breaks what else is to be broken, run in the lab's folder.
    pub(crate) prepare: &'static str,
    /// What the shell that starts the commands does before.
    pub(crate) before: &'static str,
    /// The commands are run by a user who may do nothing.
    pub(crate) as_nobody: bool,
    /// Exit code of `check`, which opens nothing.
    pub(crate) check: i32,
    /// Exit code of `flash`, and of `doctor` unless that only warns.
    pub(crate) code: i32,
    /// `doctor` warns and ends with 0: a registry is out of reach.
    pub(crate) doctor_warns: bool,
    /// What both say.
    pub(crate) says: &'static str,
}

impl Case {
    /// Works, until something is changed.
    pub(crate) const GOOD: Self = Self {
        name: "",
        parts: &[],
        prepare: "",
        before: "true",
        as_nobody: false,
        check: 0,
        code: 0,
        doctor_warns: false,
        says: "",
    };
}

/// Runs as a user who may do nothing.
const NOBODY: [&str; 5] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];

/// The lab of a case, and what is in use on this machine meanwhile.
pub(crate) struct Setup {
    folder: tempfile::TempDir,
    tcp: TcpListener,
    udp: UdpSocket,
    /// A free line, one that this program has open, and one that it has locked as well.
    ptys: [Pty; 3],
    _open: [File; 2],
}

/// A line whose board says nothing.
struct Pty {
    _board: OwnedFd,
    path: String,
}

impl Pty {
    fn new() -> Self {
        let board = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&board).unwrap();
        unlockpt(&board).unwrap();
        let path = ptsname(&board, Vec::new()).unwrap().into_string().unwrap();
        Self { _board: board, path }
    }

    fn open(&self) -> File {
        File::options().read(true).write(true).open(&self.path).unwrap()
    }
}

impl Setup {
    pub(crate) fn new(case: &Case) -> Self {
        let folder = tempfile::Builder::new().prefix("flasher-doctor-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let ptys = [Pty::new(), Pty::new(), Pty::new()];
        let open = [ptys[1].open(), ptys[2].open()];
        rustix::fs::flock(&open[1], rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
        let tcp = TcpListener::bind("0.0.0.0:0").unwrap();
        let udp = UdpSocket::bind("0.0.0.0:0").unwrap();
        let setup = Self { folder, tcp, udp, ptys, _open: open };
        setup.write(case);
        setup
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, case: &Case) {
        let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sim-bundle");
        self.shell(&format!("cp -r '{}' bundle && chmod -R a+rX bundle", bundle.display()));
        fs::write(self.path("os.img"), vec![0; 1 << 20]).unwrap();
        fs::write(self.path("medium"), vec![0xa5; 2 << 20]).unwrap();
        fs::set_permissions(self.path("medium"), fs::Permissions::from_mode(0o666)).unwrap();
        self.shell(&self.filled(case.prepare));
        let part = |name: &str, default: &str| {
            let given = case.parts.iter().find(|(part, _)| *part == name).map(|(_, text)| *text);
            self.filled(given.unwrap_or(default))
        };
        let yaml = format!(
            "apiVersion: jumpstarter.dev/v1alpha1\nkind: ExporterConfig\nmetadata: {{ name: lab }}\nexport:\n  \
             board: {{ type: sim-board, config: {{ size: 2MiB, bootdelay: 1, {sim} }} }}\n  \
             storage:\n    type: flasher\n    config: {{ power_off_seconds: 0.1, {flasher} }}\n    children:\n      \
             serial: {serial}\n      power: {power}\n      \
             tftp: {{ type: tftp, config: {{ {tftp} }} }}\n      http: {{ type: http, config: {{ {http} }} }}\n{more}",
            sim = part("sim", "medium: ./medium"),
            flasher = part("flasher", "flasher_bundle: ./bundle, cache_dir: ./bundles"),
            serial = part("serial", "{ ref: board.serial }"),
            power = part("power", "{ ref: board.power }"),
            tftp = part("tftp", "port: 0, root_dir: tftp"),
            http = part("http", "port: 0, root_dir: http"),
            more = part("more", ""),
        );
        fs::write(self.path("lab.yaml"), yaml).unwrap();
    }

    /// The text with what is in use on this machine in place of its names.
    fn filled(&self, text: &str) -> String {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let ports = [self.tcp.local_addr().unwrap().port(), self.udp.local_addr().unwrap().port()];
        text.replace("@FREE@", &self.ptys[0].path)
            .replace("@OPEN@", &self.ptys[1].path)
            .replace("@LOCKED@", &self.ptys[2].path)
            .replace("@TCP@", &ports[0].to_string())
            .replace("@UDP@", &ports[1].to_string())
            .replace("@CLOSED@", &closed)
    }

    fn shell(&self, script: &str) {
        let status =
            Command::new("sh").args(["-ec", script]).current_dir(self.folder.path()).status().unwrap();
        assert!(status.success(), "{script}");
    }

    /// Plays the case; gives what was not as it should be.
    pub(crate) fn play(&self, case: &Case) -> Option<String> {
        if case.as_nobody && !can_be_nobody() {
            println!(
                "skipped: `{}`: becoming another user takes root, setpriv, and a program that all may run",
                case.name
            );
            return None;
        }
        let _owner = case.name.starts_with("a board that another job has").then(|| self.hold());
        let check = self.run(case, &["check"]);
        let doctor = self.run(case, &["doctor"]);
        let flash = self.run(case, &["flash", "os.img", "--retries", "0"]);
        let of_doctor = if case.doctor_warns { 0 } else { case.code };
        let codes = (check.0, doctor.0, flash.0) == (case.check, of_doctor, case.code);
        let words = [&doctor, &flash].iter().all(|(_, said)| said.contains(case.says));
        let in_check = case.check == 0 || check.1.contains(case.says);
        let all = [("check", check), ("doctor", doctor), ("flash", flash)];
        let left: Vec<String> = ["tftp", "http"].into_iter().flat_map(|name| self.left_in(name)).collect();
        if codes && words && in_check && left.is_empty() {
            return None;
        }
        let all = all.map(|(name, (code, said))| format!("--- {name}: exit code {code}\n{said}"));
        let Case { name, check, code, says, .. } = case;
        Some(format!(
            "=== {name}: expected {check}, {of_doctor}, {code} and `{says}`; left {left:?}\n{}",
            all.concat()
        ))
    }

    /// What a command left in a folder; nothing where it cannot be looked into.
    fn left_in(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(name)).into_iter().flatten().flatten();
        let ours = entries.map(|it| it.file_name().into_string().unwrap());
        ours.filter(|it| it.starts_with("flasher-job-")).collect()
    }

    /// The board, held by this program.
    fn hold(&self) -> Held {
        let tree = exporter_yaml::load(&self.path("lab.yaml")).unwrap();
        let board = Board::below(&tree, &tree.flasher(None).unwrap());
        let runtime = Arc::new(tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
        runtime.block_on(board.hold("console")).unwrap()
    }

    /// Exit code and all that was said.
    fn run(&self, case: &Case, args: &[&str]) -> (i32, String) {
        let user: &[&str] = if case.as_nobody { &NOBODY } else { &[] };
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{}; exec \"$@\"", case.before), "sh"]).args(user);
        command.arg(cargo_bin("flasher")).args(["--exporter", "lab.yaml"]).args(args);
        command.current_dir(self.folder.path()).stdin(Stdio::null()).env_remove("FLASHER_EXPORTER");
        for (name, folder) in
            [("FLASHER_CACHE_DIR", "cache"), ("XDG_CACHE_HOME", "."), ("XDG_STATE_HOME", ".")]
        {
            command.env(name, self.path(folder));
        }
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (output.status.code().unwrap_or(-1), said.concat())
    }
}

fn can_be_nobody() -> bool {
    let mut command = Command::new(NOBODY[0]);
    let tried = command.args(&NOBODY[1..]).arg(cargo_bin("flasher")).arg("--version").output();
    tried.is_ok_and(|it| it.status.success())
}
