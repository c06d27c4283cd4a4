//! A folder into a registry, in exactly the layout others pull.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use oci_client::errors::OciDistributionError;
use serde_json::json;

use super::{
    Access, OciError, Reference, Registry,
    manifest::{ARTIFACT_TYPE, TITLE},
};
use crate::Digest;

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image-spec, "Guidance for an Empty Descriptor".
const EMPTY: &str = "{}";
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
/// Bound on one blob.
const UPLOAD: Duration = Duration::from_secs(3600);

/// What was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Digest of the manifest: the bundle's name for ever.
    pub digest: Digest,
    /// Paths of its files.
    pub files: Vec<String>,
    /// Bytes that went over the wire; what the registry had already is not sent again.
    pub sent: u64,
}

/// Pushes every file below `dir` as `reference`: one layer a file, its path as title, YAML as `application/yaml`.
///
/// # Errors
/// [`OciError::Folder`] for a folder that is no bundle; those of the registry.
pub async fn push(dir: &Path, reference: &Reference, access: &Access) -> Result<Pushed, OciError> {
    if reference.digest().is_some() {
        let text = reference.to_string();
        return Err(OciError::Reference { text, reason: "a push names a tag, not a digest".into() });
    }
    let registry = Arc::new(Registry::new(reference, access)?);
    let root = dir.to_owned();
    let files = tokio::task::spawn_blocking(move || gather(&root)).await;
    let files = files.map_err(|fault| folder(dir, &fault.to_string()))??;
    let mut sent = registry.send_text(EMPTY).await?;
    let mut layers = Vec::new();
    for (title, file) in &files {
        sent += registry.send_file(file).await?;
        layers.push(json!({
            "mediaType": media_type(title), "digest": file.digest.prefixed(), "size": file.size,
            "annotations": { TITLE: title },
        }));
    }
    let digest = registry.send_manifest(&layers).await?;
    Ok(Pushed { digest, files: files.into_keys().collect(), sent })
}

struct File {
    path: PathBuf,
    size: u64,
    digest: Digest,
}

/// Every file below `root` by its path, hashed. Links and special files have no place in a bundle.
fn gather(root: &Path) -> Result<BTreeMap<String, File>, OciError> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(dir) = folders.pop() {
        for entry in dir.read_dir().map_err(OciError::storage("list", &dir))? {
            let entry = entry.map_err(OciError::storage("list", &dir))?;
            let (path, kind) = (entry.path(), entry.file_type());
            let kind = kind.map_err(OciError::storage("look at", &path))?;
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            if !kind.is_file() {
                return Err(folder(
                    &path,
                    "is neither a file nor a folder; a bundle holds copies, not links",
                ));
            }
            let title = path.strip_prefix(root).ok().and_then(Path::to_str).map(str::to_owned);
            let title = title.ok_or_else(|| folder(&path, "has a name that is not UTF-8"))?;
            let (size, digest) = crate::digest::of_file(&path).map_err(OciError::storage("read", &path))?;
            files.insert(title, File { path, size, digest });
        }
    }
    if files.is_empty() {
        return Err(folder(root, "has no files; expected the folder of a flash bundle"));
    }
    Ok(files)
}

fn folder(path: &Path, reason: &str) -> OciError {
    OciError::Folder { path: path.into(), reason: reason.into() }
}

fn media_type(title: &str) -> &'static str {
    match Path::new(title).extension().and_then(|it| it.to_str()) {
        Some("yaml" | "yml") => "application/yaml",
        _ => "application/octet-stream",
    }
}

impl Registry {
    /// Sends a short blob unless the registry has it; gives the bytes sent.
    pub(super) async fn send_text(&self, text: &'static str) -> Result<u64, OciError> {
        let body = futures_util::stream::iter([Ok(Bytes::from_static(text.as_bytes()))]);
        self.send(Digest::of(text), text.len() as u64, "its config", body).await
    }

    async fn send_file(&self, file: &File) -> Result<u64, OciError> {
        let name = file.path.display().to_string();
        self.send(file.digest, file.size, &name, pieces(file.path.clone())).await
    }

    async fn send(
        &self,
        digest: Digest,
        size: u64,
        what: &str,
        body: impl Stream<Item = Result<Bytes, OciDistributionError>> + Send + 'static,
    ) -> Result<u64, OciError> {
        let (client, auth) = self.client();
        let asked = self.asked(what);
        let image = self.reference().inner();
        // Without a token for pushing, a registry that wants one answers 401 to the upload.
        let login = client.auth(image, auth, oci_client::RegistryOperation::Push);
        self.within(UPLOAD, login).await?.map_err(|fault| asked.failed(fault))?;
        let digest = digest.prefixed();
        let known = self.within(UPLOAD, client.blob_exists(image, &digest)).await?;
        if known.map_err(|fault| asked.failed(fault))? {
            return Ok(0);
        }
        let upload = client.push_blob_stream(image, body, &digest, Some(size));
        self.within(UPLOAD, upload).await?.map_err(|fault| asked.failed(fault))?;
        Ok(size)
    }

    async fn send_manifest(&self, layers: &[serde_json::Value]) -> Result<Digest, OciError> {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "artifactType": ARTIFACT_TYPE,
            "config": { "mediaType": EMPTY_TYPE, "digest": Digest::of(EMPTY).prefixed(), "size": EMPTY.len() },
            "layers": layers,
        });
        self.send_manifest_text(manifest.to_string(), MANIFEST_TYPE).await
    }

    /// Sends a manifest as it is under the tag of the reference.
    pub(super) async fn send_manifest_text(&self, text: String, kind: &str) -> Result<Digest, OciError> {
        let digest = Digest::of(&text);
        let asked = self.asked("place for the manifest");
        let kind = kind.parse().map_err(|_| OciError::Setup {
            registry: self.reference().registry().into(),
            reason: "the media type is no header".into(),
        })?;
        let push = self.client().0.push_manifest_raw(self.reference().inner(), text, kind);
        self.within(UPLOAD, push).await?.map_err(|fault| asked.failed(fault))?;
        Ok(digest)
    }
}

/// The file piece by piece, read off the runtime.
fn pieces(path: PathBuf) -> impl Stream<Item = Result<Bytes, OciDistributionError>> + Send + 'static {
    let opened = async move { tokio::fs::File::open(path).await };
    futures_util::stream::once(opened)
        .flat_map(|file| match file {
            Ok(file) => tokio_util::io::ReaderStream::with_capacity(file, 256 << 10).boxed(),
            Err(fault) => futures_util::stream::iter([Err(fault)]).boxed(),
        })
        .map(|piece: io::Result<Bytes>| piece.map_err(OciDistributionError::from))
}
