//! A node whose driver is a Python class of which this build has no driver of its own.

use std::fmt;

use async_trait::async_trait;

use crate::driver::{ByteStream, Driver, PowerDriver, SerialDriver};
use crate::error::{Error, Result};

/// A node that only Jumpstarter's Python can run. It stands in the tree under its name, holds up nothing that does not need it, and
/// refuses every call in one sentence. As a child it stands for a power switch or a serial line.
#[derive(Clone)]
pub struct PythonNode {
    path: String,
    class: String,
    replacement: Option<Replacement>,
    written: Option<serde_json::Value>,
}

/// What to write in place of a Python node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The node in YAML, without its name.
    pub lines: String,
    /// What the lines do not say; empty when they say all.
    pub note: &'static str,
}

impl PythonNode {
    /// The node at the dotted `path`, whose `type` is the Python class `class`.
    pub fn new(path: impl Into<String>, class: impl Into<String>, replacement: Option<Replacement>) -> Self {
        Self { path: path.into(), class: class.into(), replacement, written: None }
    }

    /// The same with the node as it is written in the file, for Python; none for a node that is part of another one's.
    #[must_use]
    pub fn as_written(mut self, written: Option<serde_json::Value>) -> Self {
        self.written = written;
        self
    }

    /// The node as it is written in the file, with what is below it. May hold secrets.
    pub fn written(&self) -> Option<&serde_json::Value> {
        self.written.as_ref()
    }

    /// What the driver of this node may have made below it, at the dotted path `below`.
    #[must_use]
    pub fn part(&self, below: &str) -> Self {
        Self::new(format!("{}.{below}", self.path), self.class.clone(), None)
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

    /// The error of every call. Class config: only another line in the file helps.
    pub fn refusal(&self) -> Error {
        let help = match &self.replacement {
            Some(_) => "`flasher check FILE` shows the lines to write in its place",
            None => "use a driver that `flasher drivers` lists",
        };
        Error::config(format!(
            "`{}` is not available: this build has no driver for the Python class `{}`",
            self.path, self.class
        ))
        .help(help)
        .retryable(false)
    }
}

// The config that the lines were made of may hold secrets.
impl fmt::Debug for PythonNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PythonNode")
            .field("path", &self.path)
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}

/// Looking at it finds nothing wrong: the command that needs it says so ([`crate::tree::DeviceTree::require`]).
#[async_trait]
impl Driver for PythonNode {}

#[async_trait]
impl PowerDriver for PythonNode {
    async fn on(&self) -> Result<()> {
        Err(self.refusal())
    }

    async fn off(&self) -> Result<()> {
        Err(self.refusal())
    }

    async fn state(&self) -> Result<Option<bool>> {
        Err(self.refusal())
    }
}

#[async_trait]
impl SerialDriver for PythonNode {
    async fn open(&self) -> Result<Box<dyn ByteStream>> {
        Err(self.refusal())
    }
}
