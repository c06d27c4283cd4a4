//! What a caller may say about a source: credentials, trust, patience and the digest it must have.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flasher_base::source_exchange::SourceExchanges;

use crate::{Cache, Digest};

/// A text that no log, message or `Debug` output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the secret text itself, for instance a bearer token without the word `Bearer`.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The secret text, for the one place that sends it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Which block map (bmap-tools) says which parts of an image are unmapped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum BlockMapChoice {
    /// The one beside an image file or URL, if there is one: `os.img.xz.bmap`, `os.img.bmap` or `os.bmap` for `os.img.xz`.
    /// Nothing is looked for beside a URL with a query. If there is none, the one beside the image in its archive.
    #[default]
    Beside,
    /// None.
    Off,
    /// The one at this path or URL.
    At(String),
}

/// What an image must be, by where it is to be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Expected {
    /// Something that a whole device can hold: a partition table, a file system, a boot loader, or zeros.
    Device,
    /// Anything but another format and a document: a partition may hold what is known to its own system alone.
    Partition,
    /// Anything: nothing is refused for what it is. For callers that only read.
    #[default]
    Anything,
}

/// Says what may be fetched, when a remote client chose the source, which may not use this machine's network access. Asked again for each
/// redirect.
pub trait FetchGuard: fmt::Debug + Send + Sync {
    /// Whether a URL with TLS, or without, may be fetched.
    ///
    /// # Errors
    /// Why not, for people.
    fn check_scheme(&self, is_https: bool) -> Result<(), String>;

    /// Those addresses of a server that may be asked: at least one.
    ///
    /// # Errors
    /// Why none of them may, for people.
    fn allowed(&self, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String>;

    /// Most bytes of one body.
    fn largest(&self) -> u64;
}

/// How to open a source.
#[derive(Clone, Default)]
pub struct SourceOptions {
    /// Header lines sent with each request, as name and value. Kept from other origins.
    pub headers: Vec<(String, String)>,
    /// Token of an `Authorization: Bearer` header (RFC 6750). Kept from other origins.
    pub bearer: Option<Secret>,
    /// PEM file of certificates to trust besides the system's own.
    pub cacert: Option<PathBuf>,
    /// Accepts any certificate.
    pub insecure: bool,
    /// What may be fetched; everything when `None`.
    pub guard: Option<Arc<dyn FetchGuard>>,
    /// Sees what is asked of servers, or answers in their place; none when `None`.
    pub exchanges: Option<Arc<dyn SourceExchanges>>,
    /// Longest wait without a byte; 30 seconds when `None`.
    pub stall: Option<Duration>,
    /// How often a server is asked again, without progress in between, when that can help; 3 times when `None`.
    pub retries: Option<u32>,
    /// Digest that the source or the decoded image must have.
    pub sha256: Option<Digest>,
    /// Length in bytes that the source or the decoded image must have.
    pub length: Option<u64>,
    /// Path or URL of a file of SHA-256 checksums that lists the image; used in place of `sha256`.
    pub checksums: Option<String>,
    /// Looks for a file of checksums beside the image, when neither it nor a digest is given: `os.img.xz.sha256`,
    /// `os.img.sha256` or `SHA256SUMS` for `os.img.xz`. Nothing is looked for beside a URL with a query.
    pub checksums_beside: bool,
    /// What the decoded image must be.
    pub expected: Expected,
    /// Which block map is used.
    pub block_map: BlockMapChoice,
    /// Keyring (as `gpg --export` writes it) of the keys one of which must have signed the block map in use.
    pub map_keyring: Option<PathBuf>,
    /// Where decoded images are kept, if they are.
    pub cache: Option<Cache>,
    /// Folder in which standard input is kept while it is needed; the one for temporary files when `None`.
    pub spool: Option<PathBuf>,
}

impl SourceOptions {
    /// Longest wait without a byte.
    pub(crate) fn stall(&self) -> Duration {
        self.stall.unwrap_or(Duration::from_secs(30))
    }

    /// How often a server is asked again.
    pub(crate) fn retries(&self) -> u32 {
        self.retries.unwrap_or(3)
    }

    /// The same for another server: nothing that was meant for the image's own.
    pub(crate) fn without_secrets(&self) -> SourceOptions {
        SourceOptions { headers: Vec::new(), bearer: None, ..self.clone() }
    }
}

impl fmt::Debug for SourceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, _)| (name.as_str(), "***")).collect();
        f.debug_struct("SourceOptions")
            .field("headers", &headers)
            .field("bearer", &self.bearer)
            .field("cacert", &self.cacert)
            .field("insecure", &self.insecure)
            .field("guard", &self.guard)
            .field("stall", &self.stall)
            .field("sha256", &self.sha256)
            .field("expected", &self.expected)
            .field("length", &self.length)
            .field("block_map", &self.block_map)
            .field("map_keyring", &self.map_keyring)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_secret() {
        let options = SourceOptions {
            headers: vec![("X-Token".into(), "hunter2".into())],
            bearer: Some("hunter3".into()),
            ..SourceOptions::default()
        };
        let shown = format!("{options:?}");
        assert!(shown.contains("X-Token") && shown.contains("bearer: Some(***)"), "{shown}");
        assert!(!shown.contains("hunter"), "{shown}");
    }
}
