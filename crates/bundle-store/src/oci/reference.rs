//! Names of artifacts in registries: `quay.io/acme/bundle:v1`, `127.0.0.1:5000/bundle@sha256:…`.

use std::{fmt, net::IpAddr, str::FromStr};

use oci_client::Reference as Inner;

use super::OciError;
use crate::Digest;

/// The name of an artifact in a registry. Unlike Docker's, it always says which registry: a mistyped folder must not
/// become a request to a stranger's server. Without tag and digest the tag is `latest`.
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

    /// Whether `text` begins as the name of a registry does, and not as a folder.
    pub fn has_registry(text: &str) -> bool {
        let name = text.strip_prefix("oci://").unwrap_or(text);
        name.split_once('/').is_some_and(|(registry, _)| is_registry(registry))
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
        if let Some(shown) = without_user(text) {
            let reason = "a user or password stands in it, which belongs into OCI_USERNAME and OCI_PASSWORD, or `docker login`";
            return Err(OciError::Reference { text: shown, reason: reason.into() });
        }
        let name = text.strip_prefix("oci://").unwrap_or(text);
        let (registry, rest) = name.split_once('/').ok_or_else(|| refuse("it names no registry"))?;
        if !is_registry(registry) {
            return Err(refuse(
                "its first part is no registry (a host has a dot, a port, or is `localhost`)",
            ));
        }
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (rest, None),
        };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, tag),
            None => (rest, "latest"),
        };
        if !repository.split('/').all(is_path_part) || registry.len() + repository.len() > 255 {
            return Err(refuse(
                "its repository is not of small letters and digits, with `.`, `_` or `-` between",
            ));
        }
        if !is_tag(tag) {
            return Err(refuse("its tag is not of at most 128 letters, digits, `_`, `.` and `-`"));
        }
        let prefixed = |text: &str| text.strip_prefix("sha256:").and_then(|_| text.parse().ok());
        let digest: Option<Digest> = match digest {
            Some(digest) => Some(prefixed(digest).ok_or_else(|| refuse("only sha256 digests are known"))?),
            None => None,
        };
        let (registry, repository) = (registry.to_owned(), repository.to_owned());
        let inner = match digest {
            Some(digest) => Inner::with_digest(registry, repository, digest.prefixed()),
            None => Inner::with_tag(registry, repository, tag.to_owned()),
        };
        Ok(Reference { inner, digest })
    }
}

/// The text as it may be shown when it has something before an `@` that is no digest's: that may be a password.
fn without_user(text: &str) -> Option<String> {
    let name = text.split_once("@sha256:").map_or(text, |(name, _)| name);
    let (user, _) = name.rsplit_once('@')?;
    let scheme = if user.starts_with("oci:") { "oci://" } else { "" };
    Some(format!("{scheme}***{}", text.get(user.len()..)?))
}

// The grammar is that of the OCI distribution-spec, "Pulling manifests". The library's own reader compiles a dozen
// regular expressions first, which alone takes longer than a cached bundle may.

fn is_registry(text: &str) -> bool {
    let port = text.rsplit_once(':').map(|(_, port)| port);
    let host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    let has_mark = text.contains(['.', ':']) || text == "localhost";
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    has_mark && starts && text.chars().all(host) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_part(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let joins = text.split(is_word).filter(|it| !it.is_empty());
    let good_join = |it: &str| matches!(it, "." | "_" | "__") || it.bytes().all(|byte| byte == b'-');
    text.starts_with(is_word) && text.ends_with(is_word) && joins.into_iter().all(good_join)
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
fn is_tag(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(is_word) && text.len() <= 128 && text.chars().all(|c| is_word(c) || ".-".contains(c))
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
            ("quay.io/a_b/c__d/e-f.g--h:V_1.2-x", Some("quay.io/a_b/c__d/e-f.g--h:V_1.2-x")),
            ("[::1]:5000/b:v1", Some("[::1]:5000/b:v1")),
            (&pinned.replace("@", ":v1@"), Some(&*pinned)),
            ("quay.io/a..b/c", None),
            ("quay.io/-a", None),
            ("quay.io//a", None),
            ("quay.io/a/", None),
            ("quay.io:port/a", None),
            ("quay.io/a:", None),
            ("quay.io/a:b:c", None),
            ("quay.io/a:v1 ", None),
            ("quay.io/a?x", None),
            ("user@quay.io/a", None),
            (&pinned.replace("sha256:", ""), None),
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
    fn a_password_in_a_reference_is_refused_and_not_shown() {
        let pinned = format!("oci://me:hunter2@quay.io/a@sha256:{HEX}");
        for (text, shown) in [
            ("oci://me:hunter2@quay.io/a:v1", "oci://***@quay.io/a:v1"),
            ("me:hunter2@quay.io/a:v1", "***@quay.io/a:v1"),
            ("oci:/me:hunter2@quay.io/a", "oci://***@quay.io/a"),
            ("oci://me:hun/ter2@quay.io/a", "oci://***@quay.io/a"),
            (&pinned, &format!("oci://***@quay.io/a@sha256:{HEX}")),
        ] {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("`{shown}` is not a reference: a user or password")),
                "{error}"
            );
            assert!(!error.contains("ter2"), "{error}");
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
