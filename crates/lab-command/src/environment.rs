//! Where and how commands run.

use std::path::PathBuf;
use std::time::Duration;

/// What a command needs besides its words.
#[derive(Clone, Debug)]
pub struct CommandEnvironment {
    /// The device they are for, as messages name it: "power switch".
    pub device: &'static str,
    /// Names and values; the values may be secrets.
    pub env: Vec<(String, String)>,
    /// Where it runs.
    pub folder: PathBuf,
    /// How long it may take.
    pub timeout: Duration,
}
