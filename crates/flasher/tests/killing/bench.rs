//! A simulated board at an outlet that scripts switch, and real processes of `flasher` that get signals.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use flasher_core::Receipt;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::chance::Chance;

const MEDIUM: usize = 1 << 20;
/// Events of a whole job, about; a job that ends before its event comes gets its signal at the end.
const EVENTS: u64 = 190;
/// What the first event of a step has.
const STEPS: [&str; 13] = [
    r#"begun","step":"resolve""#,
    r#"begun","step":"image""#,
    r#"begun","step":"plan""#,
    r#"begun","step":"services""#,
    r#"begun","step":"power""#,
    r#"begun","step":"bootloader""#,
    r#"begun","step":"shell""#,
    r#"begun","step":"target""#,
    r#"begun","step":"write""#,
    r#"begun","step":"read""#,
    r#"begun","step":"verify""#,
    r#"begun","step":"commit""#,
    r#"begun","step":"finish""#,
];
/// Far longer than a job takes to stop, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// When which signals are sent.
#[derive(Debug)]
pub(crate) struct Kill {
    /// After so many lines on standard output, or after the line that holds this.
    after: u64,
    holding: Option<&'static str>,
    /// Pauses before each signal, and the signals.
    signals: Vec<(Duration, Signal)>,
    /// To the whole process group, as a terminal does.
    group: bool,
    dump: bool,
}

impl Kill {
    /// One to three signals somewhere in the life of a job.
    pub(crate) fn at_random(chance: &mut Chance) -> Self {
        let kinds = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT];
        let count = 1 + chance.below(3);
        let signals = (0..count).map(|_| (Duration::from_millis(chance.below(300)), chance.one_of(&kinds)));
        let signals = signals.collect();
        let (group, dump) = (chance.below(2) == 0, chance.below(5) == 0);
        let (after, holding) = match chance.below(2) {
            0 => (chance.below(EVENTS), None),
            _ => (u64::MAX, Some(chance.one_of(&STEPS))),
        };
        Self { after, holding, signals, group, dump }
    }

    /// One signal once this text was printed, to a flash or a dump.
    pub(crate) fn once(told: &'static str, signal: Signal, dump: bool) -> Self {
        let signals = vec![(Duration::ZERO, signal)];
        Self { after: u64::MAX, holding: Some(told), signals, group: false, dump }
    }

    /// A job that is left alone.
    pub(crate) fn never() -> Self {
        Self { after: u64::MAX, holding: None, signals: Vec::new(), group: false, dump: false }
    }

    fn is_due(&self, line: &str, count: u64) -> bool {
        count >= self.after || self.holding.is_some_and(|text| line.contains(text))
    }
}

/// How a job ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// None when a signal killed it.
    pub(crate) code: Option<i32>,
    pub(crate) receipt: Option<Receipt>,
    /// What it printed as JSON lines.
    pub(crate) told: String,
    /// Signals that met a living process.
    pub(crate) sent: usize,
    pub(crate) errors: String,
}

/// A board, its outlet and its image in folders of their own.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("flasher-killing-").tempdir().unwrap();
        let bench = Self { folder };
        open_to_all(bench.folder.path());
        for (name, mode) in [("tmp", 0o1777), ("run", 0o700), ("state", 0o700), ("lab", 0o755)] {
            fs::create_dir(bench.path(name)).unwrap();
            fs::set_permissions(bench.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sim-bundle");
        let switch = |word: &str| {
            format!("'sleep 0.05; echo {word} >>log; sleep 0.05; echo {word} >outlet; sleep 0.05'")
        };
        let yaml = format!(
            "apiVersion: jumpstarter.dev/v1alpha1\nkind: ExporterConfig\nmetadata: {{ namespace: default, name: lab }}\nexport:\n  \
             board: {{ type: sim-board, config: {{ medium: ./medium, size: {MEDIUM}, bootdelay: 1, outlet: ./outlet }} }}\n  \
             power: {{ type: power-command, config: {{ shell: true, on: {}, off: {} }} }}\n  \
             storage:\n    type: flasher\n    config: {{ flasher_bundle: {bundle:?}, power_off_seconds: 0.1 }}\n    children:\n      \
             serial: {{ ref: board.serial }}\n      power: {{ ref: power }}\n      \
             tftp: {{ type: tftp, config: {{ port: 0, root_dir: tftp }} }}\n      \
             http: {{ type: http, config: {{ port: 0, root_dir: http }} }}\n",
            switch("on"),
            switch("off"),
        );
        fs::write(bench.path("lab/lab.yaml"), yaml).unwrap();
        fs::write(bench.path("lab/image"), image()).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a job that gets its signals.
    pub(crate) fn run(&self, kill: &Kill) -> Ended {
        self.run_below("true", kill)
    }

    /// The same, below a shell that does `first`.
    pub(crate) fn run_below(&self, first: &str, kill: &Kill) -> Ended {
        for name in ["log", "outlet", "receipt.json", "dump.img"] {
            drop(fs::remove_file(self.path("lab").join(name)));
        }
        fs::write(self.path("lab/medium"), vec![0xa5; MEDIUM]).unwrap();
        fs::set_permissions(self.path("lab/medium"), fs::Permissions::from_mode(0o666)).unwrap();
        let mut child = self.job(first, kill).spawn().unwrap();
        let (told, sent) = send(&mut child, kill);
        let errors = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || text(errors));
        let status = wait(&mut child).unwrap_or_else(|| panic!("it does not end: {kill:?}"));
        let receipt = fs::read(self.path("lab/receipt.json")).ok();
        let receipt = receipt.map(|bytes| serde_json::from_slice(&bytes).unwrap());
        Ended { code: status.code(), receipt, told, sent, errors: errors.join().unwrap() }
    }

    fn job(&self, first: &str, kill: &Kill) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{first}; exec \"$@\""), "sh"]).arg(cargo_bin("flasher"));
        shell.args(["--json", "--exporter", "lab.yaml"]);
        shell.args(if kill.dump { ["dump", "dump.img"] } else { ["flash", "image"] });
        shell.args(["--receipt", "receipt.json"]).process_group(0);
        self.surround(&mut shell);
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        shell
    }

    /// Runs another command to its end; gives all that it printed.
    pub(crate) fn say(&self, args: &[&str]) -> String {
        let mut command = Command::new(cargo_bin("flasher"));
        command.args(["--exporter", "lab.yaml"]).args(args);
        self.surround(&mut command);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    fn surround(&self, command: &mut Command) {
        command.current_dir(self.path("lab"));
        command.env_remove("FLASHER_EXPORTER").env("FLASHER_CACHE_DIR", self.path("cache"));
        command.env("TMPDIR", self.path("tmp")).env("XDG_RUNTIME_DIR", self.path("run"));
        command.env("XDG_STATE_HOME", self.path("state"));
    }

    /// What the outlet says now; one that was never switched is off.
    pub(crate) fn outlet(&self) -> String {
        fs::read_to_string(self.path("lab/outlet")).map_or("off".to_owned(), |it| it.trim().to_owned())
    }

    /// Whether the switch got any order.
    pub(crate) fn was_switched(&self) -> bool {
        self.path("lab/log").exists()
    }

    /// Files and processes that should be gone.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let expected =
            ["lab.yaml", "image", "medium", "outlet", "log", "receipt.json", "dump.img", "tftp", "http"];
        let mut left: Vec<String> =
            names(&self.path("lab")).into_iter().filter(|name| !expected.contains(&name.as_str())).collect();
        for folder in ["tmp", "run", "lab/tftp", "lab/http", "cache/tmp"] {
            left.extend(names(&self.path(folder)).into_iter().map(|name| format!("{folder}/{name}")));
        }
        left.extend(self.processes());
        left
    }

    /// Processes at work in the bench; one that was just killed gets a moment to be gone.
    fn processes(&self) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.processes_now();
            if found.is_empty() || Instant::now() > deadline {
                return found;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn processes_now(&self) -> Vec<String> {
        let here = |path: PathBuf| {
            let at = fs::read_link(path.join("cwd")).is_ok_and(|at| at.starts_with(self.folder.path()));
            at.then(|| fs::read_to_string(path.join("cmdline")).unwrap_or_default().replace('\0', " "))
        };
        let all = fs::read_dir("/proc").unwrap().flatten();
        all.filter_map(|entry| here(entry.path())).collect()
    }
}

/// Sends the signals when they are due; gives what was printed, and how many met a living process.
fn send(child: &mut Child, kill: &Kill) -> (String, usize) {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut count, mut told) = (0, String::new());
    while !kill.is_due("", count) {
        let Some(Ok(line)) = lines.next() else { break };
        count += 1;
        told.push_str(&line);
        if kill.is_due(&line, count) {
            break;
        }
    }
    let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
    let mut sent = 0;
    for (pause, signal) in &kill.signals {
        std::thread::sleep(*pause);
        // Until it is waited for below, its id is its own.
        let met = match kill.group {
            true => kill_process_group(pid, *signal),
            false => kill_process(pid, *signal),
        };
        sent += usize::from(met.is_ok());
    }
    // A job must not be kept waiting for a reader.
    let more = std::thread::spawn(move || lines.map_while(Result::ok).collect::<String>());
    told.push_str(&more.join().unwrap());
    (told, sent)
}

fn wait(child: &mut Child) -> Option<std::process::ExitStatus> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    None
}

fn text(mut from: impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    text
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// Started by root, the simulated board runs as another user, who must get through.
fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A disk with a partition table and something in its partition.
fn image() -> Vec<u8> {
    let mut image: Vec<u8> = (0..MEDIUM / 2).map(|at| (at * 7 % 251) as u8).collect();
    image[..512].fill(0);
    image[446..462].copy_from_slice(&[0, 0, 0, 0, 0x83, 0, 0, 0, 64, 0, 0, 0, 128, 0, 0, 0]);
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    image
}
