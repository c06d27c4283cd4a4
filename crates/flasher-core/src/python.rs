//! A node whose driver is a Python class of which this build has no driver of its own.

mod devices;

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use crate::driver::{PowerDriver, PowerMeter, SerialDriver};
use crate::error::Error;

/// A node that only Jumpstarter's Python can run. While none does, it stands in the tree under its name, holds up nothing that does
/// not need it, and refuses every call in one sentence. As a child it stands for a power switch or a serial line.
pub struct PythonNode {
    path: String,
    class: String,
    replacement: Option<Replacement>,
    written: Option<serde_json::Value>,
    obstacle: Option<Obstacle>,
    /// Which hardware it is, as far as the file tells; holds no secret.
    hardware: String,
    state: RwLock<PythonState>,
    is_switch: AtomicBool,
    is_line: AtomicBool,
}

/// What to write in place of a Python node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The node in YAML, without its name.
    pub lines: String,
    /// What the lines do not say; empty when they say all.
    pub note: &'static str,
}

/// Why Python cannot run a node however well it is installed: a `ref` below it leads to a device of this build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Dotted path of the node with the `ref`.
    pub from: String,
    /// What it names.
    pub to: String,
}

/// Which Python runs nodes whose drivers only Python has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PythonChoice {
    /// The one whose `jmp` is in PATH.
    Auto,
    /// None.
    Off,
    /// That of the virtual environment in this folder.
    Venv(PathBuf),
}

impl FromStr for PythonChoice {
    type Err = Infallible;

    /// `auto`, `off`, or a folder.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "auto" => Self::Auto,
            "off" => Self::Off,
            folder => Self::Venv(folder.into()),
        })
    }
}

/// The Python that runs nodes of a tree.
#[async_trait]
pub trait PythonHost: fmt::Debug + Send + Sync {
    /// What became of it, to follow "Python, which runs X,"; none while it runs.
    async fn trouble(&self) -> Option<String>;

    /// Waits until it runs again, which it does soon when it has ended by itself; false when it does not in time.
    async fn revived(&self) -> bool;

    /// Ends it. May be called several times.
    async fn close(&self);
}

/// A node that Python runs.
#[derive(Clone, Debug)]
pub struct RunningNode {
    /// The switch that it can be used as here, with its meter.
    pub power: Option<(Arc<dyn PowerDriver>, Arc<dyn PowerMeter>)>,
    /// The line that it can be used as here.
    pub serial: Option<Arc<dyn SerialDriver>>,
    /// What runs it.
    pub host: Arc<dyn PythonHost>,
}

/// Whether Python runs a node.
#[derive(Debug)]
enum PythonState {
    /// It does not, and why, as far as Python was asked.
    NotAvailable(Option<String>),
    Running(RunningNode),
}

impl PythonNode {
    /// The node at the dotted `path`, whose `type` is the Python class `class`.
    pub fn new(path: impl Into<String>, class: impl Into<String>, replacement: Option<Replacement>) -> Self {
        let (path, class) = (path.into(), class.into());
        let hardware = format!("python {class} {path}");
        Self {
            path,
            class,
            replacement,
            written: None,
            obstacle: None,
            hardware,
            state: RwLock::new(PythonState::NotAvailable(None)),
            is_switch: AtomicBool::default(),
            is_line: AtomicBool::default(),
        }
    }

    /// The same with the node as it is written in the file, for Python; none for a node that is part of another one's. A config
    /// names the hardware wherever the node stands.
    #[must_use]
    pub fn as_written(mut self, written: Option<serde_json::Value>) -> Self {
        let is_empty = |value: &serde_json::Value| value.as_object().is_none_or(serde_json::Map::is_empty);
        let named = written.as_ref().map(|it| (&it["config"], &it["children"]));
        if let Some((config, children)) =
            named.filter(|(config, children)| !is_empty(config) || !is_empty(children))
        {
            // A config may hold secrets.
            let digest = Sha256::digest(format!("{config} {children}"));
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            self.hardware = format!("python {} {digest}", self.class);
        }
        self.written = written;
        self
    }

    /// The same with what keeps Python from running it.
    #[must_use]
    pub fn kept_by(mut self, obstacle: Option<Obstacle>) -> Self {
        self.obstacle = obstacle;
        self
    }

    /// The node as it is written in the file, with what is below it. May hold secrets.
    pub fn written(&self) -> Option<&serde_json::Value> {
        self.written.as_ref()
    }

    /// What the driver of this node may have made below it, at the dotted path `below`.
    #[must_use]
    pub fn part(&self, below: &str) -> Self {
        let part = Self::new(format!("{}.{below}", self.path), self.class.clone(), None);
        Self { hardware: format!("{} {below}", self.hardware), obstacle: self.obstacle.clone(), ..part }
    }

    /// Where the node stands.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its Python class, by its import path.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// The driver of ours that does the same, when there is one.
    pub fn replacement(&self) -> Option<&Replacement> {
        self.replacement.as_ref()
    }

    /// What keeps Python from running it.
    pub fn obstacle(&self) -> Option<&Obstacle> {
        self.obstacle.as_ref()
    }

    /// From now on Python runs it.
    pub fn run(&self, running: RunningNode) {
        self.set(PythonState::Running(running));
    }

    /// Python was asked to run it and does not; `why` is its reason.
    pub fn refuse(&self, why: impl Into<String>) {
        self.set(PythonState::NotAvailable(Some(why.into())));
    }

    /// Whether Python runs it.
    pub fn is_running(&self) -> bool {
        self.running().is_some()
    }

    /// Whether Python runs it, and it is a power switch.
    pub fn is_power(&self) -> bool {
        self.running().is_some_and(|running| running.power.is_some())
    }

    /// Whether Python runs it, and it is a serial line.
    pub fn is_serial(&self) -> bool {
        self.running().is_some_and(|running| running.serial.is_some())
    }

    /// A parent uses it as a power switch.
    pub(crate) fn stands_for_power(&self) {
        self.is_switch.store(true, Ordering::Relaxed);
    }

    /// A parent uses it as a serial line.
    pub(crate) fn stands_for_serial(&self) {
        self.is_line.store(true, Ordering::Relaxed);
    }

    /// Why a parent cannot use it now; none when it can.
    pub fn problem(&self) -> Option<Error> {
        let Some(running) = self.running() else { return Some(self.refusal()) };
        let is_used = |by: &AtomicBool| by.load(Ordering::Relaxed);
        match () {
            () if is_used(&self.is_switch) && running.power.is_none() => Some(self.is_no("power switch")),
            () if is_used(&self.is_line) && running.serial.is_none() => Some(self.is_no("serial line")),
            () => None,
        }
    }

    /// The error of every call while Python does not run it. Class config: only another line in the file or a Python helps.
    pub fn refusal(&self) -> Error {
        let path = &self.path;
        let no_driver = || {
            format!(
                "`{path}` is not available: this build has no driver for the Python class `{}`",
                self.class
            )
        };
        if let Some(Obstacle { from, to }) = &self.obstacle {
            return Error::config(format!(
                "`{path}` is not available: `{from}` refers to `{to}`, which Python cannot reach"
            ))
            .help(format!("write the node of `{to}` itself in place of the `ref`"))
            .retryable(false);
        }
        let help = match &self.replacement {
            Some(_) => "`flasher check FILE` shows the lines to write in its place",
            None => {
                "use a driver that `flasher drivers` lists, or name a Python that has it with `--python VENV`"
            }
        };
        let why = match &*self.now() {
            PythonState::NotAvailable(Some(why)) => format!("; {why}"),
            _ => String::new(),
        };
        Error::config(no_driver() + &why).help(help).retryable(false)
    }

    /// The error of who uses it as something else.
    fn is_no(&self, what: &str) -> Error {
        Error::config(format!("`{}` is no {what}: the Python class `{}` is none", self.path, self.class))
            .help(format!("put a node there that is a {what}"))
            .retryable(false)
    }

    fn running(&self) -> Option<RunningNode> {
        match &*self.now() {
            PythonState::Running(running) => Some(running.clone()),
            PythonState::NotAvailable(_) => None,
        }
    }

    fn now(&self) -> std::sync::RwLockReadGuard<'_, PythonState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: PythonState) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

// The config that the lines were made of may hold secrets.
impl fmt::Debug for PythonNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PythonNode")
            .field("path", &self.path)
            .field("class", &self.class)
            .field("state", &*self.now())
            .finish_non_exhaustive()
    }
}
