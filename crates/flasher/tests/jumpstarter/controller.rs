//! A lab under a controller: the one of `tests/python/controller`, the exporters and the clients of a test.

mod client;
mod judged;
mod leases;
mod trouble;
mod tunnels;

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::lab::Lab;
use crate::lifetime::eventually;

/// A controller with its router, ended when dropped.
pub(crate) struct Controller {
    child: Child,
    lines: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
    /// Where both write their files.
    pub(crate) lab: Lab,
}

impl Controller {
    /// Starts both, with the exporter `one` and the client `me`; none when Python's programs are not installed.
    /// `export` is what the exporter has, and `more` what else its YAML says.
    pub(crate) fn start(export: &str, more: &str) -> Option<Self> {
        let lab = Lab::with_clients(export)?;
        let mut command = lab.python("controller");
        let command = command.arg(lab.path("")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut addresses = String::new();
        out.read_line(&mut addresses).unwrap();
        assert!(addresses.starts_with('{'), "the controller said {addresses:?}");
        let lines = RefCell::new((child.stdin.take().unwrap(), out));
        let controller = Self { child, lines, lab };
        controller.exporter("one", export, more);
        controller.order(json!({ "do": "client", "name": "me" }));
        Some(controller)
    }

    /// Has the controller do something, and gives its answer.
    pub(crate) fn order(&self, order: Value) -> Value {
        let mut lines = self.lines.borrow_mut();
        writeln!(lines.0, "{order}").unwrap();
        let mut line = String::new();
        lines.1.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert!(answer.get("ok").is_some(), "{order}: {answer}");
        answer["ok"].clone()
    }

    /// An exporter resource called `name`, and its YAML.
    pub(crate) fn exporter(&self, name: &str, export: &str, more: &str) -> PathBuf {
        self.order(json!({ "do": "exporter", "name": name, "labels": { "board": name } }));
        let path = self.lab.path(&format!("exporter-{name}.yaml"));
        let head = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{head}{more}export:\n{export}")).unwrap();
        path
    }

    /// Everything that the controller knows.
    pub(crate) fn state(&self) -> Value {
        self.order(json!({ "do": "state" }))
    }

    /// What it knows of the exporter `one`.
    pub(crate) fn one(&self) -> Value {
        self.state()["exporters"]["one"].clone()
    }

    /// Waits until the exporter `one` has this status.
    pub(crate) fn until(&self, status: &str) {
        eventually(&format!("the status {status}"), || self.one()["status"] == status);
    }

    /// `jmp shell` on the board of the exporter `name`, as the client `me`.
    pub(crate) fn shell(&self, name: &str, command: &[&str]) -> Command {
        self.shell_of("me", name, command)
    }

    /// The same as another client.
    pub(crate) fn shell_of(&self, client: &str, name: &str, command: &[&str]) -> Command {
        let mut shell = Command::new("jmp");
        self.lab.equip(&mut shell);
        let client = self.lab.path(&format!("client-{client}.yaml"));
        shell.args(["shell", "--client-config"]).arg(client).args(["--selector", &format!("board={name}")]);
        shell.arg("--").args(command).current_dir(self.lab.path(""));
        shell
    }

    /// `jmp shell` on a lease that is there already.
    pub(crate) fn join(&self, client: &str, lease: &str, command: &[&str]) -> Command {
        let mut shell = Command::new("jmp");
        self.lab.equip(&mut shell);
        let client = self.lab.path(&format!("client-{client}.yaml"));
        shell.args(["shell", "--client-config"]).arg(client).args(["--lease", lease, "--"]).args(command);
        shell.current_dir(self.lab.path(""));
        shell
    }

    /// `flasher serve --controller` as the exporter `name`.
    pub(crate) fn serve(&self, name: &str) -> Command {
        let mut serve = self.lab.flasher(&["serve", "--controller"]);
        serve.env("FLASHER_EXPORTER", self.lab.path(&format!("exporter-{name}.yaml")));
        serve
    }

    /// The statuses that the exporter `one` has reported, in order.
    pub(crate) fn history(&self) -> Vec<String> {
        let one = self.one();
        let history = one["history"].as_array().unwrap().iter();
        history.map(|it| it[0].as_str().unwrap().to_owned()).collect()
    }
}

/// The statuses of a lease with both hooks.
const WHOLE_HISTORY: [&str; 4] = ["BeforeLeaseHook", "LeaseReady", "AfterLeaseHook", "Available"];

/// `flasher serve --controller` at work, killed when dropped.
pub(crate) struct Served {
    child: Child,
    log: PathBuf,
    /// How much of its log was looked at.
    read: usize,
}

impl Served {
    /// Starts it as the exporter `name`; what it says goes into a file.
    pub(crate) fn start(controller: &Controller, name: &str) -> Self {
        Self::of(controller, name, &mut controller.serve(name))
    }

    /// The same with a command of the caller.
    pub(crate) fn of(controller: &Controller, name: &str, serve: &mut Command) -> Self {
        let log = controller.lab.path(&format!("served-{name}.log"));
        let child = serve.stderr(File::create(&log).unwrap()).spawn().unwrap();
        Self { child, log, read: 0 }
    }

    /// Waits until it says something that it has not said before the last such text.
    pub(crate) fn until_said(&mut self, text: &str) {
        let found = || {
            let log = std::fs::read_to_string(&self.log).unwrap();
            log[self.read..].find(text).map(|at| self.read + at + text.len())
        };
        eventually(text, || found().is_some());
        self.read = found().unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("sh").args(["-c", "kill -s $0 $1", name, &id]).status().unwrap().success());
    }

    /// Waits for its end and gives its exit code.
    pub(crate) fn wait(mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended before.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            println!("the exporter said:\n{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // It may have ended before.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
