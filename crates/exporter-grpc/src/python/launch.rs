//! One start of Python: its process, its answer and the connection to it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use flasher_core::leftovers::{self, InUse};
use flasher_core::{Class, Error, Result};
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};

use crate::proto::DriverInstanceReport;
use crate::proto::exporter_service_client::ExporterServiceClient;
use crate::proto::router_service_client::RouterServiceClient;

/// What Python runs; it needs Jumpstarter 0.9 or newer.
const RUNNER: &str = include_str!("runner.py");
/// How the names of folders for its socket begin.
const FOLDER: &str = "flasher-python-";
/// Bound on its start: it imports every driver of its nodes, and these may open hardware.
const START: Duration = Duration::from_secs(60);
/// Bound on its end; it gives its drivers five seconds.
const END: Duration = Duration::from_secs(8);
/// Longest answer to its start, bytes.
const LONGEST_ANSWER: u64 = 1 << 20;

/// A node as Python reports it.
#[derive(Clone, Debug)]
pub(crate) struct PythonReport {
    /// Where it stands, dotted.
    pub(crate) path: String,
    pub(crate) report: DriverInstanceReport,
}

/// What a node that Python runs can be used as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct PythonKinds {
    /// It switches on and off.
    pub power: bool,
    /// It has a stream of bytes.
    pub serial: bool,
}

/// The connection to a running Python.
#[derive(Debug)]
pub(crate) struct PythonLink {
    pub(crate) exporter: ExporterServiceClient<Channel>,
    pub(crate) router: RouterServiceClient<Channel>,
    /// UUIDs by dotted path: each start gives others.
    pub(crate) uuids: HashMap<String, String>,
}

/// How Python is started.
#[derive(Debug)]
pub(super) struct Launch {
    interpreter: PathBuf,
    /// JSON for the runner. May hold secrets: it goes through the standard input.
    nodes: String,
    /// For its socket: the same for each start. It goes with this.
    folder: (TempDir, InUse),
}

/// A running Python.
pub(super) struct PythonProcess {
    pub(super) child: Child,
    /// It ends when this is closed, also when this process is killed.
    input: ChildStdin,
    pub(super) group: Group,
    pub(super) link: Arc<PythonLink>,
    pub(super) nodes: Vec<PythonReport>,
    pub(super) failed: BTreeMap<String, String>,
    pub(super) kinds: BTreeMap<String, PythonKinds>,
}

/// What the runner says once it serves.
#[derive(Deserialize)]
struct Answer {
    failed: BTreeMap<String, String>,
    kinds: BTreeMap<String, PythonKinds>,
}

impl Launch {
    /// # Errors
    /// Class infrastructure when there is no folder for its socket.
    pub(super) fn new(interpreter: &Path, nodes: &Value) -> Result<Self> {
        let folder = folder()?;
        Ok(Self { interpreter: interpreter.to_owned(), nodes: nodes.to_string(), folder })
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.0.path().join("socket")
    }

    /// # Errors
    /// Class infrastructure when it does not start in time; then nothing of it is left.
    pub(super) async fn start(&self) -> Result<PythonProcess> {
        let late = || {
            Error::infrastructure(format!("Python did not start the drivers within {} s", START.as_secs()))
        };
        timeout(START, self.started()).await.unwrap_or_else(|_| Err(late()))
    }

    async fn started(&self) -> Result<PythonProcess> {
        let socket = self.socket();
        // That of one that was killed.
        tokio::fs::remove_file(&socket).await.ok(); // there may be none
        let mut command = python(&self.interpreter);
        command.arg(&socket);
        let Begun { child, input, group, answer } = begin(command, &self.nodes, &self.interpreter).await?;
        let (link, nodes) = connect(&socket).await?;
        let Answer { failed, kinds } = answer;
        Ok(PythonProcess { child, input, group, link: Arc::new(link), nodes, failed, kinds })
    }
}

/// The classes that Python cannot import, with its reasons.
///
/// # Errors
/// Class infrastructure when it cannot be asked.
pub(super) async fn missing(interpreter: &Path, classes: &[&str]) -> Result<BTreeMap<String, String>> {
    let late =
        || Error::infrastructure(format!("Python did not import the drivers within {} s", START.as_secs()));
    let asked = Value::from(classes).to_string();
    let begun = timeout(START, begin(python(interpreter), &asked, interpreter));
    let Begun { mut child, input, answer, group } = begun.await.unwrap_or_else(|_| Err(late()))?;
    drop(input);
    timeout(END, child.wait()).await.ok(); // what does not end is killed
    drop(group);
    Ok(answer.failed)
}

fn python(interpreter: &Path) -> Command {
    let mut command = Command::new(interpreter);
    command.arg("-c").arg(RUNNER).process_group(0).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// A process that has answered.
struct Begun {
    child: Child,
    input: ChildStdin,
    group: Group,
    answer: Answer,
}

/// Starts the runner, tells it `what`, and hears its answer.
async fn begin(mut command: Command, what: &str, interpreter: &Path) -> Result<Begun> {
    let failed = |error: std::io::Error| {
        Error::infrastructure(format!("cannot start `{}`", interpreter.display())).because(error)
    };
    let mut child = command.spawn().map_err(failed)?;
    let group = Group::of(&child);
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Error::new(Class::Internal, "Python has no input or output"));
    };
    // What it thinks of its input, its answer tells.
    input.write_all(format!("{what}\n").as_bytes()).await.ok();
    let mut line = String::new();
    BufReader::new(output.take(LONGEST_ANSWER)).read_line(&mut line).await.map_err(failed)?;
    let answer = serde_json::from_str(&line).map_err(|_| no_answer(interpreter))?;
    Ok(Begun { child, input, group, answer })
}

fn no_answer(interpreter: &Path) -> Error {
    Error::infrastructure(format!("`{}` could not run Jumpstarter's drivers", interpreter.display())).help(
        "its reason stands above; Jumpstarter 0.9 or newer has to be installed there, or give `--python off`",
    )
}

/// The process group of a Python: its drivers' children are in it. All of it is killed when this is dropped.
pub(super) struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// Once: its number may be another one's later.
    pub(super) fn kill(&mut self) {
        if let Some(group) = self.0.take() {
            rustix::process::kill_process_group(group, Signal::KILL).ok(); // all of it may be gone by now
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

impl PythonProcess {
    /// Closes the input, which ends Python, and waits; what does not end by then is killed with its group.
    pub(super) async fn end(self) {
        let Self { mut child, input, group, .. } = self;
        drop(input);
        if timeout(END, child.wait()).await.is_err() {
            drop(group);
            child.wait().await.ok(); // it may be gone by now
        }
    }
}

fn folder() -> Result<(TempDir, InUse)> {
    let parent = std::env::temp_dir();
    leftovers::sweep(&parent, FOLDER);
    let make = || tempfile::Builder::new().prefix(FOLDER).tempdir_in(&parent);
    let failed =
        |error| Error::infrastructure("no folder can be made for the socket of Python").because(error);
    leftovers::made(make, |folder: &TempDir| folder.path().to_owned()).map_err(failed)
}

/// Connects to the socket, and asks for the nodes.
async fn connect(socket: &Path) -> Result<(PythonLink, Vec<PythonReport>)> {
    let path = socket.to_owned();
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    let failed = |what: &str| Error::infrastructure(format!("Python does not {what}"));
    let channel = Endpoint::from_static("http://python").connect_with_connector(connector).await;
    let channel = channel.map_err(|error| failed("take connections").because(error))?;
    let mut exporter = ExporterServiceClient::new(channel.clone());
    let report =
        exporter.get_report(()).await.map_err(|status| failed("report its nodes").because(status))?;
    let nodes = with_paths(report.into_inner().reports);
    let uuids = nodes.iter().map(|it| (it.path.clone(), it.report.uuid.clone())).collect();
    Ok((PythonLink { exporter, router: RouterServiceClient::new(channel), uuids }, nodes))
}

/// The reports with their dotted paths, without the root. A parent is the latest node before with its UUID.
fn with_paths(reports: Vec<DriverInstanceReport>) -> Vec<PythonReport> {
    let mut paths: HashMap<String, String> = HashMap::new();
    let mut nodes = Vec::new();
    for report in reports {
        let name = report.labels.get("jumpstarter.dev/name").cloned().unwrap_or_default();
        let above = report.parent_uuid.as_ref().and_then(|parent| paths.get(parent));
        let path = match above {
            Some(above) if !above.is_empty() => format!("{above}.{name}"),
            _ => name,
        };
        paths.insert(report.uuid.clone(), path.clone());
        if !path.is_empty() {
            nodes.push(PythonReport { path, report });
        }
    }
    nodes
}
