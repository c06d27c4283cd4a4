//! One artifact's registry: what its tag points to, its manifest, and its blobs as streams that go on after a break.

use std::{fs, future::Future, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use oci_client::{
    Client,
    client::{BlobResponse, Certificate, CertificateEncoding, ClientConfig, ClientProtocol},
    errors::OciDistributionError,
    secrets::RegistryAuth,
};

use super::{
    Access, Layer, OciError, Reference, credentials,
    error::{Asked, io_reason},
    manifest::{Document, Manifest},
    proxy,
};
use crate::{Architecture, Digest};

/// Bytes that come piece by piece. An error is the last thing it gives.
pub(crate) type BlobStream = Pin<Box<dyn Stream<Item = Result<Bytes, OciError>> + Send>>;

const CONNECT: Duration = Duration::from_secs(10);
/// Longest silence within an answer.
const SILENCE: Duration = Duration::from_secs(30);
/// Bound on one question that has a short answer.
const QUESTION: Duration = Duration::from_secs(60);
/// How often a transfer that broke off is taken up again.
const RESUMES: u32 = 3;
/// The most referrers that are looked at.
const MOST_REFERRERS: usize = 20;
const PAUSE: Duration = Duration::from_millis(300);
const ACCEPTED: &[&str] = &[
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// The registry of one reference.
#[derive(Clone)]
pub struct Registry {
    client: Client,
    auth: RegistryAuth,
    who: String,
    /// What to say of a proxy when the registry cannot be reached.
    proxy: String,
    reference: Reference,
    board: Option<Architecture>,
}

impl Registry {
    /// Prepares to ask for `reference`: reads credentials and certificates, sends nothing.
    ///
    /// # Errors
    /// [`OciError::Credentials`], [`OciError::Storage`] for the CA's file, [`OciError::Setup`].
    pub fn new(reference: &Reference, access: &Access) -> Result<Registry, OciError> {
        let found = credentials::of(reference)?;
        // An error says that the process has a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let plain = access.is_plain(reference).then(|| reference.registry().to_owned());
        let config = ClientConfig {
            protocol: ClientProtocol::HttpsExcept(plain.into_iter().collect()),
            extra_root_certificates: authorities(access)?,
            platform_resolver: None, // the index is resolved here
            read_timeout: Some(SILENCE),
            connect_timeout: Some(CONNECT),
            use_monolithic_push: true,
            user_agent: concat!("flasher/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let setup = |fault: OciDistributionError| OciError::Setup {
            registry: reference.registry().into(),
            reason: fault.to_string(),
        };
        let client = Client::try_from(config).map_err(setup)?;
        Ok(Registry {
            client,
            auth: found.auth,
            who: found.who,
            proxy: proxy::told(reference.registry(), access.is_plain(reference)),
            reference: reference.clone(),
            board: access.architecture.clone(),
        })
    }

    /// What is asked for.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The digest that the tag (or the digest of the reference) stands for now, within `deadline`.
    ///
    /// # Errors
    /// Those of the registry and of the way to it.
    pub async fn resolve(&self, deadline: Duration) -> Result<Digest, OciError> {
        let question = self.client.fetch_manifest_digest(self.reference.inner(), &self.auth);
        let asked = self.asked("manifest");
        let digest = self.within(deadline, question).await?.map_err(|fault| asked.failed(fault))?;
        digest.parse().map_err(|_| OciError::Manifest {
            reference: self.reference.to_string(),
            reason: "its digest is not of sha256".into(),
        })
    }

    /// Text of the manifest as it stands in the registry, index or not, its digest checked when the reference has one.
    ///
    /// # Errors
    /// As [`Registry::resolve`]; [`OciError::Digest`].
    pub async fn text(&self) -> Result<Bytes, OciError> {
        let question = self.client.pull_manifest_raw(self.reference.inner(), &self.auth, ACCEPTED);
        let asked = self.asked("manifest");
        let answer = self.within(QUESTION, question).await?;
        let text = match answer {
            Err(OciDistributionError::DigestError(fault)) => return Err(self.other_manifest(&fault)),
            answer => answer.map_err(|fault| asked.failed(fault))?.0,
        };
        match self.reference.digest() {
            Some(expected) if expected != Digest::of(&text) => {
                let what = format!("the manifest of `{}`", self.reference);
                Err(OciError::Digest { what, expected, found: Digest::of(&text) })
            }
            _ => Ok(text),
        }
    }

    /// The manifest; of an index, the manifest to take.
    ///
    /// # Errors
    /// As [`Registry::text`]; [`OciError::Manifest`].
    pub async fn manifest(&self) -> Result<Manifest, OciError> {
        let name = self.reference.to_string();
        match Document::parse(&self.text().await?, self.board.as_ref(), &name)? {
            Document::Manifest(manifest) => Ok(manifest),
            Document::Index(chosen) => {
                let manifest = Manifest::parse(&self.at(chosen.digest).text().await?, &name)?;
                Ok(Manifest { platform: chosen.platform, ..manifest })
            }
        }
    }

    /// The same registry, asked for another digest of the repository.
    #[must_use]
    pub fn at(&self, digest: Digest) -> Registry {
        Registry { reference: self.reference.at(digest), ..self.clone() }
    }

    /// The same registry, asked for another tag of the repository.
    #[must_use]
    pub(crate) fn tagged(&self, tag: &str) -> Registry {
        Registry { reference: self.reference.tagged(tag), ..self.clone() }
    }

    /// Digests of the manifests that refer to the one of the reference, by the registry's list or by its tag.
    pub(crate) async fn referrers(&self) -> Result<Vec<Digest>, OciError> {
        let asked = self.asked("list of referrers");
        let question = self.client.pull_referrers(self.reference.inner(), None);
        let index = self.within(QUESTION, question).await?.map_err(|fault| asked.failed(fault))?;
        let digests =
            index.manifests.iter().take(MOST_REFERRERS).filter_map(|entry| entry.digest.parse().ok());
        Ok(digests.collect())
    }

    /// The bytes of a layer: exactly as many as its manifest promises, **not hashed**. Goes on after a break.
    pub(crate) fn raw(self: &Arc<Self>, layer: &Layer) -> BlobStream {
        let (registry, layer) = (Arc::clone(self), layer.clone());
        Box::pin(async_stream::try_stream! {
            let mut received = 0u64;
            let mut breaks = 0;
            while received < layer.size {
                let mut part = registry.part(&layer, received).await?;
                let mut reason = "the registry ended it early".to_owned();
                while let Some(piece) = part.next().await {
                    let piece = match piece {
                        Ok(piece) => piece,
                        Err(fault) => { reason = fault; break } // never polled again: it would fail for ever
                    };
                    received += piece.len() as u64;
                    if received > layer.size {
                        Err(wrong_length(&layer, "more".into()))?;
                    }
                    yield piece;
                }
                if received < layer.size {
                    breaks += 1;
                    if breaks > RESUMES {
                        Err(broken(&layer, received, reason))?;
                    }
                    tokio::time::sleep(PAUSE * breaks).await;
                }
            }
        })
    }

    /// The rest of a layer from `offset` on.
    async fn part(
        &self,
        layer: &Layer,
        offset: u64,
    ) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes, String>> + Send>>, OciError> {
        self.client.store_auth_if_needed(self.reference.inner().resolve_registry(), &self.auth).await;
        let digest = layer.digest.prefixed();
        let asked = self.asked(&layer.to_string());
        let question =
            self.client.pull_blob_stream_partial(self.reference.inner(), digest.as_str(), offset, None);
        let answer = self.within(QUESTION, question).await?.map_err(|fault| asked.failed(fault))?;
        let (stream, skip) = match answer {
            BlobResponse::Full(stream) => (stream, offset),
            BlobResponse::Partial(stream) => (stream, 0),
        };
        Ok(Box::pin(without_first(stream.map(|piece| piece.map_err(|fault| io_reason(&fault))), skip)))
    }

    pub(super) fn client(&self) -> (&Client, &RegistryAuth) {
        (&self.client, &self.auth)
    }

    pub(super) fn asked(&self, what: &str) -> Asked {
        Asked {
            registry: self.reference.registry().into(),
            reference: self.reference.to_string(),
            what: what.into(),
            who: self.who.clone(),
            proxy: self.proxy.clone(),
        }
    }

    pub(super) async fn within<T>(
        &self,
        deadline: Duration,
        question: impl Future<Output = T>,
    ) -> Result<T, OciError> {
        let late =
            || OciError::Late { registry: self.reference.registry().into(), seconds: deadline.as_secs() };
        tokio::time::timeout(deadline, question).await.map_err(|_| late())
    }

    /// The library has compared the digests already, and says it in its own words.
    fn other_manifest(&self, fault: &oci_client::errors::DigestError) -> OciError {
        let reason = format!("its digest is not the one that was asked for: {fault}");
        OciError::Manifest { reference: self.reference.to_string(), reason }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("reference", &self.reference).finish_non_exhaustive()
    }
}

/// The stream without its first `skip` bytes: a registry that knows no ranges sends everything again.
fn without_first(
    stream: impl Stream<Item = Result<Bytes, String>> + Send,
    skip: u64,
) -> impl Stream<Item = Result<Bytes, String>> + Send {
    let mut left = skip;
    stream.map(move |piece| {
        let mut piece = piece?;
        let cut = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        left -= cut as u64;
        Ok(piece.split_off(cut))
    })
}

fn broken(layer: &Layer, received: u64, reason: String) -> OciError {
    OciError::Cut { what: layer.to_string(), received, expected: layer.size, reason }
}

fn wrong_length(layer: &Layer, found: String) -> OciError {
    OciError::Length { what: layer.to_string(), expected: layer.size, found }
}

fn authorities(access: &Access) -> Result<Vec<Certificate>, OciError> {
    let Some(path) = &access.cacert else { return Ok(Vec::new()) };
    let data = fs::read(path).map_err(OciError::storage("read the CA certificate", path))?;
    Ok(vec![Certificate { encoding: CertificateEncoding::Pem, data }])
}
