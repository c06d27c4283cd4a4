//! How registries are reached: which speak plain HTTP, whose certificates are trusted.

use std::path::PathBuf;

use super::Reference;
use crate::Architecture;

/// How registries are reached. The default is https with the system's certificates, and plain HTTP to this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Registries (`host` or `host:port`) that speak plain HTTP. Those at loopback addresses always do.
    pub plain_http: Vec<String>,
    /// PEM file with further authorities whose certificates are trusted.
    pub cacert: Option<PathBuf>,
    /// What the board is: of an index for several platforms its manifest is taken. Never what this machine is.
    pub architecture: Option<Architecture>,
}

impl Access {
    /// Whether the registry of `reference` is spoken to without TLS.
    pub fn is_plain(&self, reference: &Reference) -> bool {
        reference.is_loopback() || self.plain_http.iter().any(|registry| registry == reference.registry())
    }
}
