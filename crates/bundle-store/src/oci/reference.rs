//! Names of artifacts in registries: `quay.io/acme/bundle:v1`, `127.0.0.1:5000/bundle@sha256:…`.

use std::{fmt, net::IpAddr, str::FromStr};

use oci_client::Reference as Inner;

use super::OciError;
use crate::Digest;

/// The name of an artifact in a registry. Unlike Docker's, it always says which registry: a mistyped folder must not
/// become a request to somebody's server. Without tag and digest the tag is `latest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    inner: Inner,
    digest: Option<Digest>,
}

impl Reference {
    /// Host and port of the registry.
    pub fn registry(&self) -> &str {
        self.inner.registry()
    }

    /// The repository in the registry.
    pub fn repository(&self) -> &str {
        self.inner.repository()
    }

    /// The tag, if it has one.
    pub fn tag(&self) -> Option<&str> {
        self.inner.tag()
    }

    /// The digest it is pinned to, if it is.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The same repository, at `digest`.
    #[must_use]
    pub fn at(&self, digest: Digest) -> Reference {
        let (registry, repository) = (self.registry().to_owned(), self.repository().to_owned());
        let inner = Inner::with_digest(registry, repository, digest.prefixed());
        Reference { inner, digest: Some(digest) }
    }

    /// The same repository, with another tag.
    #[must_use]
    pub fn tagged(&self, tag: &str) -> Reference {
        let (registry, repository) = (self.registry().to_owned(), self.repository().to_owned());
        Reference { inner: Inner::with_tag(registry, repository, tag.into()), digest: None }
    }

    /// Whether the registry is this machine: plain HTTP is always fine there.
    pub fn is_loopback(&self) -> bool {
        let host = self.registry().rsplit_once(':').map_or(self.registry(), |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }
}

impl FromStr for Reference {
    type Err = OciError;

    /// Reads a reference, with or without `oci://` in front.
    fn from_str(text: &str) -> Result<Reference, OciError> {
        let refuse = |reason: &str| OciError::Reference { text: text.into(), reason: reason.into() };
        let name = text.strip_prefix("oci://").unwrap_or(text);
        let (registry, _) = name.split_once('/').ok_or_else(|| refuse("it names no registry"))?;
        if !registry.contains(['.', ':']) && registry != "localhost" {
            return Err(refuse(
                "its first part is no registry (a host has a dot, a port, or is `localhost`)",
            ));
        }
        let inner: Inner = name.parse().map_err(|fault: oci_client::ParseError| refuse(&lower(&fault)))?;
        let digest = inner.digest().map(str::parse).transpose();
        let digest = digest.map_err(|_| refuse("only sha256 digests are known"))?;
        let inner = if inner.registry() == registry { inner } else { same_registry(registry, &inner) };
        Ok(Reference { inner, digest })
    }
}

/// The library moves `docker.io` to another host; who asks for a registry gets that one in every message.
fn same_registry(registry: &str, inner: &Inner) -> Inner {
    let (repository, registry) = (inner.repository().to_owned(), registry.to_owned());
    match (inner.digest(), inner.tag()) {
        (Some(digest), _) => Inner::with_digest(registry, repository, digest.into()),
        (None, tag) => Inner::with_tag(registry, repository, tag.unwrap_or("latest").into()),
    }
}

fn lower(fault: &dyn fmt::Display) -> String {
    let text = fault.to_string();
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry(), self.repository())?;
        match (self.digest, self.tag()) {
            (Some(digest), _) => write!(f, "@{}", digest.prefixed()),
            (None, tag) => write!(f, ":{}", tag.unwrap_or("latest")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn a_reference_names_its_registry() {
        let pinned = format!("quay.io/acme/b@sha256:{HEX}");
        let cases = [
            ("quay.io/acme/bundle:v1", Some("quay.io/acme/bundle:v1")),
            ("oci://quay.io/acme/bundle", Some("quay.io/acme/bundle:latest")),
            ("localhost/bundle:a", Some("localhost/bundle:a")),
            ("127.0.0.1:5000/b:v1", Some("127.0.0.1:5000/b:v1")),
            (&pinned, Some(&*pinned)),
            ("bundle", None),
            ("acme/bundle:v1", None),
            ("./bundle", None),
            ("../bundle/x", None),
            ("/abs/bundle", None),
            ("quay.io/UPPER/x", None),
            ("quay.io/a/b@sha256:12", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let read = text.parse::<Reference>().ok().map(|reference| reference.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_refused_reference_says_what_was_expected() {
        let error = "acme/bundle:v1".parse::<Reference>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`acme/bundle:v1` is not a reference: its first part is no registry (a host has a dot, a port, or is \
             `localhost`); expected `registry/repository:tag` or `registry/repository@sha256:…`"
        );
    }

    #[test]
    fn loopback_is_told_by_the_host() {
        for (text, expected) in [
            ("127.0.0.1:5000/b", true),
            ("127.9.9.9/b", true),
            ("localhost:5000/b", true),
            ("localhost.example.org/b", false),
            ("192.0.2.1:5000/b", false),
            ("quay.io/b", false),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().is_loopback(), expected, "{text}");
        }
    }
}
