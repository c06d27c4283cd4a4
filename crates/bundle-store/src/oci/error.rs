//! What can go wrong between a registry, the cache and a bundle.

use std::{io, path::PathBuf};

use oci_client::errors::{OciDistributionError as Fault, OciEnvelope, OciErrorCode};

use crate::{
    Digest,
    words::{printable, quoted},
};

/// Why something could not be had from, or put into, a registry or the cache. Names no secret.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the fields are explained by the message of each")]
pub enum OciError {
    /// The text names no artifact.
    #[error("{} is not a reference: {}; expected `registry/repository:tag` or `registry/repository@sha256:…`", quoted(.text), printable(.reason))]
    Reference { text: String, reason: String },
    /// A file with credentials cannot be used.
    #[error("cannot use the credentials in {}: {}", quoted(&.place.display().to_string()), printable(.reason))]
    Credentials { place: PathBuf, reason: String },
    /// TLS or the client could not be set up.
    #[error("cannot set up a client for the registry {}: {}", quoted(.registry), printable(.reason))]
    Setup { registry: String, reason: String },
    /// There is no answer.
    #[error("the registry {} cannot be reached: {}", quoted(.registry), printable(.reason))]
    Unreachable { registry: String, reason: String },
    /// Its certificate, or what it speaks.
    #[error("the registry {} cannot be used over https: {}", quoted(.registry), printable(.reason))]
    Untrusted { registry: String, reason: String },
    /// Nothing came for too long.
    #[error("the registry {} did not answer within {seconds} s", quoted(.registry))]
    Late { registry: String, seconds: u64 },
    /// 401 or 403.
    #[error("the registry refuses {} to {who}{}", quoted(.reference), words(.said))]
    Denied { reference: String, who: String, said: Option<String> },
    /// 404.
    #[error("the registry has no {what} of {}", quoted(.reference))]
    NotFound { reference: String, what: String },
    /// Any other answer that is no success.
    #[error("the registry does not give {}: {}", quoted(.reference), printable(.reason))]
    Refused { reference: String, reason: String, lasting: bool },
    /// The manifest in the registry is not one of a bundle.
    #[error("the OCI manifest of {} cannot be used: {}", quoted(.reference), printable(.reason))]
    Manifest { reference: String, reason: String },
    /// One layer cannot become a file.
    #[error("{} of {}: {}", .layer, quoted(.reference), printable(.reason))]
    Layer { reference: String, layer: String, reason: String },
    /// Nothing, or more than one thing, is what was asked for.
    #[error("{} has no single {wanted}; it has: {}", quoted(.reference), printable(.found))]
    NoPick { reference: String, wanted: String, found: String },
    /// The bytes are not those that were promised.
    #[error("{what} has the digest {}, expected {}: it was tampered with or damaged, and nothing of it was used", .found.prefixed(), .expected.prefixed())]
    Digest { what: String, expected: Digest, found: Digest },
    /// There are fewer or more bytes than were promised.
    #[error(
        "{what} has {found} bytes, its manifest promises {expected}: it is truncated or the manifest is wrong"
    )]
    Length { what: String, expected: u64, found: String },
    /// The transfer broke off, again and again.
    #[error("the transfer of {what} broke off after {received} of {expected} bytes: {}", printable(.reason))]
    Cut { what: String, received: u64, expected: u64, reason: String },
    /// A `tar+gzip` layer cannot be unpacked safely.
    #[error("{layer} cannot be unpacked: {}", printable(.reason))]
    Unpack { layer: String, reason: String },
    /// A file operation of this machine failed.
    #[error("cannot {action} {}: {source}", quoted(&.path.display().to_string()))]
    Storage { action: &'static str, path: PathBuf, source: io::Error },
    /// The disk is too small.
    #[error("{} needs {needed} bytes in {} and {free} are free", quoted(.reference), quoted(&.path.display().to_string()))]
    Space { reference: String, path: PathBuf, needed: u64, free: u64 },
    /// Another process is at it.
    #[error("another process has held {} for {seconds} s", quoted(&.path.display().to_string()))]
    Busy { path: PathBuf, seconds: u64 },
    /// The registry is out of reach and the cache may not stand in for it.
    #[error("{source}; the cache has {} of {}, which nothing pins", .cached.prefixed(), quoted(.reference))]
    Unpinned { reference: String, cached: Digest, source: Box<OciError> },
    /// A signature was demanded and there is none.
    #[error("{} ({}) has no signature, and `require_signature` is set", quoted(.reference), .digest.prefixed())]
    Unsigned { reference: String, digest: Digest },
    /// There are signatures, none by the key.
    #[error("no signature of {} ({}) is by the key in `signature_key`: {}", quoted(.reference), .digest.prefixed(), printable(.reason))]
    BadSignature { reference: String, digest: Digest, reason: String },
    /// The public key cannot be used.
    #[error("{} is no public key: {}; expected PEM of an ECDSA P-256 or Ed25519 key, as `cosign generate-key-pair` writes", quoted(.origin), printable(.reason))]
    Key { origin: String, reason: String },
    /// A lock file cannot be used.
    #[error("the lock file {} cannot be used: {}", quoted(&.path.display().to_string()), printable(.reason))]
    LockFile { path: PathBuf, reason: String },
    /// The bundle to push, or the folder to pull into, cannot be used.
    #[error("{}: {}", quoted(&.path.display().to_string()), printable(.reason))]
    Folder { path: PathBuf, reason: String },
}

impl OciError {
    /// Whether the registry could not be asked, or could not answer: a pinned copy may then stand in for it.
    pub fn is_offline(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Untrusted { .. }
                | Self::Late { .. }
                | Self::Refused { .. }
                | Self::Setup { .. }
        )
    }

    pub(crate) fn storage(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> OciError {
        let path = path.into();
        move |source| OciError::Storage { action, path, source }
    }
}

/// What a failed request was for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) registry: String,
    pub(super) reference: String,
    pub(super) what: String,
    pub(super) who: String,
    /// What to say of a proxy when the registry cannot be reached; empty without one.
    pub(super) proxy: String,
}

impl Asked {
    /// The library's fault in our words, without URLs: those can carry tokens.
    pub(super) fn failed(&self, fault: Fault) -> OciError {
        match fault {
            Fault::RequestError(fault) if fault.is_timeout() => self.unreachable("it did not answer in time"),
            Fault::RequestError(fault) => match (fault.status(), untrusted(&fault)) {
                (Some(status), _) => self.status(status.as_u16()),
                (None, Some(reason)) => OciError::Untrusted { registry: self.registry.clone(), reason },
                (None, None) => self.unreachable(&chain(&fault.without_url())),
            },
            Fault::UnauthorizedError { .. } => self.denied(),
            // The library says so of a token server that refuses, and puts that server's page into the text.
            Fault::AuthenticationFailure(_) => self.denied(),
            Fault::ImageManifestNotFoundError(_) => self.not_found(),
            Fault::ServerError { code, message, .. } => self.answered(code, &message),
            Fault::RegistryError { envelope, .. } => self.envelope(&envelope.errors),
            Fault::DigestError(fault) => {
                let reason = format!("the registry's digest does not fit: {fault}");
                OciError::Manifest { reference: self.reference.clone(), reason }
            }
            fault => self.refused(fault.to_string(), false),
        }
    }

    /// An answer that is no success, with its body: the errors that OCI's distribution-spec ("Error Codes") describes, or anything.
    fn answered(&self, code: u16, body: &str) -> OciError {
        let errors = serde_json::from_str::<OciEnvelope>(body).map(|it| it.errors).unwrap_or_default();
        match errors.is_empty() {
            true => self.status(code),
            false => self.envelope(&errors),
        }
    }

    /// An answer that is no success and says nothing.
    fn status(&self, code: u16) -> OciError {
        match code {
            401 | 403 => self.denied(),
            404 => self.not_found(),
            // Those two mean "later" (RFC 9110 section 15.5.9, RFC 6585 section 4).
            408 | 429 => self.refused(format!("it answers with status {code}"), false),
            code => self.refused(format!("it answers with status {code}"), code < 500),
        }
    }

    fn envelope(&self, errors: &[oci_client::errors::OciError]) -> OciError {
        use OciErrorCode as Code;
        match errors.first().map(|error| &error.code) {
            Some(Code::Unauthorized | Code::Denied) => {
                let said = errors.iter().map(|error| error.message.trim()).find(|it| !it.is_empty());
                OciError::Denied {
                    reference: self.reference.clone(),
                    who: self.who.clone(),
                    said: said.map(str::to_owned),
                }
            }
            Some(
                Code::ManifestUnknown
                | Code::NameUnknown
                | Code::NotFound
                | Code::BlobUnknown
                | Code::NameInvalid,
            ) => self.not_found(),
            code => {
                let words = errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join(", ");
                let lasting =
                    [Code::DigestInvalid, Code::ManifestInvalid, Code::TagInvalid, Code::Unsupported];
                self.refused(words, code.is_some_and(|code| lasting.contains(code)))
            }
        }
    }

    pub(super) fn unreachable(&self, reason: &str) -> OciError {
        let reason = format!("{reason}{}", self.proxy);
        OciError::Unreachable { registry: self.registry.clone(), reason }
    }

    fn denied(&self) -> OciError {
        OciError::Denied { reference: self.reference.clone(), who: self.who.clone(), said: None }
    }

    fn not_found(&self) -> OciError {
        OciError::NotFound { reference: self.reference.clone(), what: self.what.clone() }
    }

    /// An answer that is no success; `lasting` when asking again gives the same.
    fn refused(&self, reason: String, lasting: bool) -> OciError {
        OciError::Refused { reference: self.reference.clone(), reason, lasting }
    }
}

/// A registry's own words.
fn words(said: &Option<String>) -> String {
    said.as_ref().map_or(String::new(), |said| format!(", it says: {}", quoted(said)))
}

/// What is wrong with a registry's certificate, or with what it speaks, if that is why a request failed.
fn untrusted(fault: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = Some(fault);
    while let Some(fault) = cause {
        let mut inner = fault;
        // An error of the system may hold one of TLS, and does not give it as its source.
        while let Some(held) = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            inner = held;
        }
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return Some(tls.to_string());
        }
        cause = fault.source();
    }
    None
}

/// The innermost reason of a failed transfer.
pub(crate) fn io_reason(fault: &io::Error) -> String {
    chain(fault)
}

fn chain(fault: &dyn std::error::Error) -> String {
    let mut innermost = fault.source();
    let mut text = fault.to_string();
    while let Some(next) = innermost {
        text = next.to_string();
        innermost = next.source();
    }
    text
}
