//! Where and how commands run.

use std::path::PathBuf;
use std::time::Duration;

/// What a command needs besides its words.
#[derive(Clone, Debug)]
pub(crate) struct CommandEnvironment {
    /// Names and values; the values may be secrets.
    pub(crate) env: Vec<(String, String)>,
    /// Where it runs.
    pub(crate) folder: PathBuf,
    /// How long it may take.
    pub(crate) timeout: Duration,
}
