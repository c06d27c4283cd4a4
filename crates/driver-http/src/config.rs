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
    /// Take files by PUT or POST under `/upload/NAME`. None: nothing is taken.
    pub uploads: Option<Uploads>,
    /// Serve the same over https on a second port. None: only http.
    pub tls: Option<TlsConfig>,
}

/// A folder clients may put files into.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Uploads {
    /// The folder; made on start when missing. A relative path is taken from the folder of the exporter YAML.
    pub dir: PathBuf,
    /// The most bytes of all files in it; one that would not fit is refused.
    pub limit: u64,
}

/// How to serve over https.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// TCP port; 0 takes any free one.
    pub port: u16,
    /// PEM file with the certificate and those up to its CA. Without it and `key`, a certificate that signs itself is made
    /// for each start, which clients cannot check.
    pub certificate: Option<PathBuf>,
    /// PEM file with its private key.
    pub key: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            root_dir: PathBuf::from("/var/www"),
            host: None,
            port: 8080,
            timeout: 600,
            remove_created_on_close: true,
            uploads: None,
            tls: None,
        }
    }
}
