//! Jumpstarter's Python beside this exporter: it runs the nodes whose drivers only Python has. It is started, watched, started
//! again when it ends, and ended with this process.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flasher_core::leftovers::{self, InUse};
use flasher_core::tree::DeviceTree;
use flasher_core::{Device, Error, Result};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use crate::proto::DriverInstanceReport;
use crate::proto::exporter_service_client::ExporterServiceClient;
use crate::proto::router_service_client::RouterServiceClient;

/// What Python runs; it needs Jumpstarter 0.9 or newer.
const RUNNER: &str = include_str!("python/runner.py");
/// How the names of folders for its socket begin.
const FOLDER: &str = "flasher-python-";
/// Bound on its start: it imports every driver of its nodes, and these may open hardware.
const START: Duration = Duration::from_secs(60);
/// Bound on its end; it gives its drivers five seconds.
const END: Duration = Duration::from_secs(8);
/// Between its end and its next start: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Longest answer to its start, bytes.
const LONGEST_ANSWER: u64 = 1 << 20;

/// Python with the nodes of one tree.
#[derive(Debug)]
pub struct PythonExporter {
    state: watch::Receiver<PythonState>,
    nodes: Vec<PythonReport>,
    failed: BTreeMap<String, String>,
    stop: CancellationToken,
    watcher: Mutex<Option<JoinHandle<()>>>,
}

/// A node as Python reports it.
#[derive(Clone, Debug)]
pub(crate) struct PythonReport {
    /// Where it stands, dotted.
    pub(crate) path: String,
    pub(crate) report: DriverInstanceReport,
}

/// Whether Python runs; why not.
#[derive(Clone, Debug)]
enum PythonState {
    Running(Arc<PythonLink>),
    Ended(String),
}

/// The connection to a running Python.
#[derive(Debug)]
pub(crate) struct PythonLink {
    pub(crate) exporter: ExporterServiceClient<Channel>,
    pub(crate) router: RouterServiceClient<Channel>,
    /// UUIDs by dotted path: each start gives others.
    pub(crate) uuids: HashMap<String, String>,
}

impl PythonExporter {
    /// Starts Python with the Python drivers of `tree`; none when it has none.
    ///
    /// # Errors
    /// Class infrastructure when it does not start, for example because Jumpstarter is not installed there.
    pub async fn start(interpreter: &Path, tree: &DeviceTree) -> Result<Option<Arc<Self>>> {
        let nodes = nodes_of(tree);
        if nodes.is_empty() {
            return Ok(None);
        }
        let launch = Launch { interpreter: interpreter.to_owned(), nodes: Value::Object(nodes).to_string() };
        let first = launch.start().await?;
        let (nodes, failed) = (first.nodes.clone(), first.failed.clone());
        let (report, state) = watch::channel(PythonState::Running(Arc::clone(&first.link)));
        let stop = CancellationToken::new();
        let watcher = tokio::spawn(watch_over(launch, first, report, stop.clone()));
        Ok(Some(Arc::new(Self { state, nodes, failed, stop, watcher: Mutex::new(Some(watcher)) })))
    }

    /// The nodes that Python could not make, by their paths, with its reasons.
    pub fn failed(&self) -> &BTreeMap<String, String> {
        &self.failed
    }

    /// The node at `path` and those below it, parents first.
    pub(crate) fn below(&self, path: &str) -> Vec<PythonReport> {
        let is_in = |it: &&PythonReport| {
            it.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.nodes.iter().filter(is_in).cloned().collect()
    }

    /// Whether Python runs the node at `path`.
    pub fn runs(&self, path: &str) -> bool {
        self.nodes.iter().any(|it| it.path == path)
    }

    /// The connection, while Python runs.
    pub(crate) fn link(&self) -> Result<Arc<PythonLink>, Status> {
        match &*self.state.borrow() {
            PythonState::Running(link) => Ok(Arc::clone(link)),
            PythonState::Ended(why) => Err(Status::unavailable(format!(
                "Python, which runs the driver of this node, {why}; it is started again soon"
            ))),
        }
    }

    /// Ends Python: its drivers are closed, and its processes are gone when this returns.
    pub async fn close(&self) {
        self.stop.cancel();
        if let Some(watcher) = self.watcher.lock().await.take() {
            watcher.await.ok(); // it ends by itself, and has nothing to say
        }
    }
}

impl Drop for PythonExporter {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The Python drivers of a tree as the runner wants them: groups, and nodes as they are written in the file.
fn nodes_of(tree: &DeviceTree) -> Map<String, Value> {
    let mut top = Map::new();
    for (path, device) in tree.all() {
        let Device::Python(node) = device else { continue };
        let Some(written) = node.written().filter(|_| node.path() == path) else { continue };
        let is_part = is_below_python(tree, &path);
        if is_part {
            continue;
        }
        let mut level = Some(&mut top);
        let mut parts = path.split('.').peekable();
        while let (Some(here), Some(part)) = (level.take(), parts.next()) {
            if parts.peek().is_none() {
                here.insert(part.to_owned(), json!({ "node": written }));
            } else {
                let group = here.entry(part).or_insert_with(|| json!({ "group": {} }));
                level = group.get_mut("group").and_then(Value::as_object_mut);
            }
        }
    }
    top
}

/// Whether a Python driver stands above `path`: then the node is a part of that one's.
fn is_below_python(tree: &DeviceTree, path: &str) -> bool {
    let above = path.match_indices('.').map(|(at, _)| &path[..at]);
    above.into_iter().any(|above| matches!(tree.find(above), Ok(Device::Python(_))))
}

/// How Python is started.
#[derive(Debug)]
struct Launch {
    interpreter: PathBuf,
    /// JSON for the runner. May hold secrets: it goes through the standard input.
    nodes: String,
}

/// A running Python.
struct PythonProcess {
    child: Child,
    /// It ends when this is closed, also when this process is killed.
    input: ChildStdin,
    link: Arc<PythonLink>,
    nodes: Vec<PythonReport>,
    failed: BTreeMap<String, String>,
    _folder: (TempDir, InUse),
}

/// What the runner says once it serves.
#[derive(Deserialize)]
struct Answer {
    failed: BTreeMap<String, String>,
}

impl Launch {
    async fn start(&self) -> Result<PythonProcess> {
        let late = || {
            Error::infrastructure(format!("Python did not start the drivers within {} s", START.as_secs()))
        };
        tokio::time::timeout(START, self.started()).await.unwrap_or_else(|_| Err(late()))
    }

    async fn started(&self) -> Result<PythonProcess> {
        let folder = folder()?;
        let socket = folder.0.path().join("socket");
        let mut command = Command::new(&self.interpreter);
        command.arg("-c").arg(RUNNER).arg(&socket).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let failed = |error: std::io::Error| {
            Error::infrastructure(format!("cannot start `{}`", self.interpreter.display())).because(error)
        };
        let mut child = command.spawn().map_err(failed)?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::new(flasher_core::Class::Internal, "Python has no input or output"));
        };
        // What it thinks of its input, its answer tells.
        input.write_all(format!("{}\n", self.nodes).as_bytes()).await.ok();
        let mut line = String::new();
        BufReader::new(output.take(LONGEST_ANSWER)).read_line(&mut line).await.map_err(failed)?;
        let Ok(Answer { failed }) = serde_json::from_str(&line) else {
            return Err(self.no_answer());
        };
        let (link, nodes) = connect(&socket).await?;
        Ok(PythonProcess { child, input, link: Arc::new(link), nodes, failed, _folder: folder })
    }

    fn no_answer(&self) -> Error {
        Error::infrastructure(format!("`{}` could not run Jumpstarter's drivers", self.interpreter.display()))
            .help("its reason stands above; Jumpstarter 0.9 or newer has to be installed there, or give `--python off`")
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

/// Starts Python again when it ends, ever more slowly when it does not stay.
async fn watch_over(
    launch: Launch,
    mut process: PythonProcess,
    state: watch::Sender<PythonState>,
    stop: CancellationToken,
) {
    let mut pause = PAUSE.0;
    loop {
        let begun = Instant::now();
        let ended = tokio::select! {
            ended = process.child.wait() => ended,
            () = stop.cancelled() => return end(process).await,
        };
        let why = format!(
            "has ended ({})",
            ended.map_or_else(|error| error.to_string(), |it: ExitStatus| it.to_string())
        );
        tracing::warn!("Python, which runs drivers of this exporter, {why}");
        state.send_replace(PythonState::Ended(why));
        if begun.elapsed() > PAUSE.1 {
            pause = PAUSE.0;
        }
        process = loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
            pause = (pause * 2).min(PAUSE.1);
            match launch.start().await {
                Ok(process) => break process,
                Err(error) => {
                    tracing::warn!(error = %error.cause(), "Python was not started again");
                    state.send_replace(PythonState::Ended("was not started again".to_owned()));
                }
            }
        };
        state.send_replace(PythonState::Running(Arc::clone(&process.link)));
    }
}

/// Closes the input, which ends Python, and waits; what does not end by then is killed with its group.
async fn end(process: PythonProcess) {
    let PythonProcess { mut child, input, .. } = process;
    drop(input);
    if tokio::time::timeout(END, child.wait()).await.is_err() {
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok(); // it may be gone by now
        }
        child.wait().await.ok(); // the same
    }
}
