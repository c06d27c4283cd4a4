//! Jumpstarter's Python beside this exporter: it runs the nodes whose drivers only Python has. It is started, watched, started
//! again when it ends, and ended with this process.

mod launch;
mod nodes;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flasher_core::python::{PythonHost, PythonNode};
use flasher_core::tree::DriverTree;
use flasher_core::{Result, async_trait};
use serde_json::Value;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use launch::{Launch, PythonProcess};

pub use launch::PythonKinds;
pub(crate) use launch::{PythonLink, PythonReport};
pub(crate) use nodes::is_at;

/// Between its end and its next start: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Between a failure that its end caused and the notice of that end, at most.
const NOTICE: Duration = Duration::from_millis(500);
/// Between its end and its next start that is waited for, at most.
const REVIVAL: Duration = Duration::from_secs(20);

/// Python with the nodes of one tree.
#[derive(Debug)]
pub struct PythonExporter {
    state: watch::Receiver<PythonState>,
    nodes: Vec<PythonReport>,
    failed: BTreeMap<String, String>,
    kinds: BTreeMap<String, PythonKinds>,
    socket: PathBuf,
    stop: CancellationToken,
    watcher: Mutex<Option<JoinHandle<()>>>,
}

/// Whether Python runs; why not.
#[derive(Clone, Debug)]
enum PythonState {
    Running(Arc<PythonLink>),
    Ended(String),
}

impl PythonExporter {
    /// Starts Python with `needed` and what these refer to of the Python drivers of `tree`; none when there is nothing to run.
    ///
    /// # Errors
    /// Class infrastructure when it does not start, for example because Jumpstarter is not installed there.
    pub async fn start(
        interpreter: &Path,
        tree: &DriverTree,
        needed: &[Arc<PythonNode>],
    ) -> Result<Option<Arc<Self>>> {
        let nodes = nodes::for_runner(tree, needed);
        if nodes.is_empty() {
            return Ok(None);
        }
        let launch = Launch::new(interpreter, &Value::Object(nodes))?;
        let first = launch.start().await?;
        let socket = launch.socket();
        let (nodes, failed, kinds) = (first.nodes.clone(), first.failed.clone(), first.kinds.clone());
        let (report, state) = watch::channel(PythonState::Running(Arc::clone(&first.link)));
        let stop = CancellationToken::new();
        let watcher = Mutex::new(Some(tokio::spawn(watch_over(launch, first, report, stop.clone()))));
        Ok(Some(Arc::new(Self { state, nodes, failed, kinds, socket, stop, watcher })))
    }

    /// The Python classes of `classes` that the interpreter cannot import, with its reasons. Opens no hardware.
    ///
    /// # Errors
    /// Class infrastructure when it cannot be asked, for example because Jumpstarter is not installed there.
    pub async fn missing(interpreter: &Path, classes: &[&str]) -> Result<BTreeMap<String, String>> {
        launch::missing(interpreter, classes).await
    }

    /// Its unix socket; the same for each start.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What the node at `path` can be used as.
    pub fn kinds(&self, path: &str) -> PythonKinds {
        self.kinds.get(path).copied().unwrap_or_default()
    }

    /// Why Python could not make the node at `path`, or the one that it is a part of; none when it could.
    pub fn failed_at(&self, path: &str) -> Option<&str> {
        self.failed.iter().find(|(at, _)| is_at(path, at)).map(|(_, why)| why.as_str())
    }

    /// The node at `path` and those below it, parents first.
    pub(crate) fn below(&self, path: &str) -> Vec<PythonReport> {
        self.nodes.iter().filter(|it| is_at(&it.path, path)).cloned().collect()
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
}

#[async_trait]
impl PythonHost for PythonExporter {
    async fn trouble(&self) -> Option<String> {
        let mut state = self.state.clone();
        let has_ended = |state: &PythonState| matches!(state, PythonState::Ended(_));
        match &*timeout(NOTICE, state.wait_for(has_ended)).await.ok()?.ok()? {
            PythonState::Ended(why) => Some(why.clone()),
            PythonState::Running(_) => None,
        }
    }

    async fn revived(&self) -> bool {
        let mut state = self.state.clone();
        let runs = |state: &PythonState| matches!(state, PythonState::Running(_));
        matches!(timeout(REVIVAL, state.wait_for(runs)).await, Ok(Ok(_)))
    }

    /// Its drivers are closed, and its processes are gone when this returns.
    async fn close(&self) {
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
            () = stop.cancelled() => return process.end().await,
        };
        process.group.kill();
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
