//! The `config:` of an HTTP server in an exporter YAML.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Where and what the server serves. The defaults are those of Jumpstarter's `HttpServer`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder whose files are served; made on start when missing. A relative path is taken from the folder of the exporter YAML.
    pub root_dir: PathBuf,
    /// Address or host name to bind. None or empty: every IPv4 address of this machine.
    pub host: Option<String>,
    /// TCP port; 0 takes any free one.
    pub port: u16,
    /// Accepted for compatibility, seconds; nothing uses it, as in Jumpstarter.
    pub timeout: u64,
    /// Whether the exporter removes what its clients put below `root_dir` when it ends. The server itself removes nothing.
    pub remove_created_on_close: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            root_dir: PathBuf::from("/var/www"),
            host: None,
            port: 8080,
            timeout: 600,
            remove_created_on_close: true,
        }
    }
}
