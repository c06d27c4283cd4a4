//! The `config:` of a TFTP server in an exporter YAML.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Where and what the server serves. The defaults are those of Jumpstarter's `Tftp`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder whose files are served; made on start when missing. A relative path is taken from the folder of the exporter YAML.
    pub root_dir: PathBuf,
    /// Address or host name to bind. None or empty: every IPv4 address of this machine.
    pub host: Option<String>,
    /// UDP port; 0 takes any free one. Boot loaders ask on 69 unless set otherwise (U-Boot: `tftpdstp`).
    pub port: u16,
    /// Whether the exporter removes what its clients put below `root_dir` when it ends. The server itself removes nothing.
    pub remove_created_on_close: bool,
    /// Largest block agreed to, bytes, 8 to 65464. None: what goes to the client without being fragmented.
    pub blksize_limit: Option<u16>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            root_dir: PathBuf::from("/var/lib/tftpboot"),
            host: None,
            port: 69,
            remove_created_on_close: true,
            blksize_limit: None,
        }
    }
}
