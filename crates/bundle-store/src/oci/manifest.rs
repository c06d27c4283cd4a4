//! OCI manifests as far as bundles need them: layers with their titles, and the right manifest of an index.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::OciError;
use crate::{Architecture, Digest, confine, words::quoted};

/// What kind of artifact a flash bundle is.
pub const ARTIFACT_TYPE: &str = "application/vnd.oci.bundle.v1";
/// The annotation that holds a file's path (OCI image-spec, "Pre-Defined Annotation Keys").
pub(super) const TITLE: &str = "org.opencontainers.image.title";
/// The most layers a bundle may have.
const MOST_LAYERS: usize = 4096;
/// The most bytes the layers of a bundle may have together (16 GiB).
const LARGEST_BUNDLE: u64 = 16 << 30;
/// A folder in a bundle, packed.
const FOLDER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const LARGEST_TEXT: usize = 4 << 20; // bytes of a manifest; what registries take (OCI distribution-spec, "Pushing Manifests")

/// A manifest in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Digest of its text.
    pub digest: Digest,
    /// What kind of artifact it says it is.
    pub artifact_type: Option<String>,
    /// Its files.
    pub layers: Vec<Layer>,
    /// What it is for (`linux/arm64`), if it was taken from an index that says so.
    pub platform: Option<String>,
}

/// A file in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Where in the manifest, from 1 on; for messages.
    pub number: usize,
    /// Digest of the content.
    pub digest: Digest,
    /// Length in bytes.
    pub size: u64,
    /// Media type.
    pub media_type: String,
    /// Path as the manifest gives it; not to be trusted as a path.
    pub title: Option<String>,
    /// All annotations.
    pub annotations: BTreeMap<String, String>,
}

/// A manifest or an index, as its text says.
#[derive(Debug)]
pub(super) enum Document {
    Manifest(Manifest),
    /// The manifest to take.
    Index(Chosen),
}

/// What was taken of an index.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) digest: Digest,
    /// What it is for, if the index says so.
    pub(super) platform: Option<String>,
}

impl Manifest {
    /// Reads the text of a manifest.
    ///
    /// # Errors
    /// [`OciError::Manifest`]: an index, or no manifest at all. `reference` names it in messages.
    pub fn parse(text: &[u8], reference: &str) -> Result<Manifest, OciError> {
        match Document::parse(text, None, reference)? {
            Document::Manifest(manifest) => Ok(manifest),
            Document::Index(_) => Err(refuse(reference, "an index within an index")),
        }
    }

    /// The layers as files of a bundle: each with a path inside it, no two in each other's way.
    ///
    /// # Errors
    /// [`OciError::Manifest`] or [`OciError::Layer`] with the first that cannot be one.
    pub fn files(&self, reference: &str) -> Result<BTreeMap<String, Layer>, OciError> {
        if self.layers.is_empty() {
            return Err(refuse(reference, "it has no layers, so it is no flash bundle"));
        }
        let mut files = BTreeMap::new();
        for layer in &self.layers {
            let bad = |reason: String| OciError::Layer {
                reference: reference.into(),
                layer: layer.to_string(),
                reason,
            };
            let title = layer.title.as_deref().ok_or_else(|| {
                bad(format!("has no `{TITLE}`, so its path is not known; push with `flasher bundle push` or `oras push`"))
            })?;
            let path = path_of(title).map_err(&bad)?;
            if files.insert(path, layer.clone()).is_some() {
                return Err(bad(format!("the title {} is taken by another layer", quoted(title))));
            }
        }
        self.refuse_nested(&files, reference)?;
        Ok(files)
    }

    fn refuse_nested(&self, files: &BTreeMap<String, Layer>, reference: &str) -> Result<(), OciError> {
        for (path, layer) in files {
            let mut parents = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
            let file = parents.find(|parent| files.get(*parent).is_some_and(|other| !other.is_folder()));
            if let Some(file) = file {
                let reason = format!("its folder {} is a file of another layer", quoted(file));
                return Err(OciError::Layer {
                    reference: reference.into(),
                    layer: layer.to_string(),
                    reason,
                });
            }
        }
        Ok(())
    }
}

/// `title` as a path inside the bundle.
fn path_of(title: &str) -> Result<String, String> {
    if title.chars().any(char::is_control) || title.len() > 1024 {
        return Err(format!("the title {} has control characters or is too long", quoted(title)));
    }
    confine::relative(title).map_err(|reason| format!("the title {} {reason}", quoted(title)))
}

impl Layer {
    /// Whether it is a folder: a packed archive whose content belongs beside its title.
    pub fn is_folder(&self) -> bool {
        self.media_type == FOLDER
    }
}

impl std::fmt::Display for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.title {
            Some(title) => write!(f, "layer {}", quoted(title)),
            None => write!(f, "layer {} ({})", self.number, self.digest.prefixed()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    schema_version: u32,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
    artifact_type: Option<String>,
    annotations: Option<BTreeMap<String, String>>,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    variant: Option<String>,
}

impl Document {
    /// Reads the text of either; `board` decides between the manifests of an index.
    pub(super) fn parse(
        text: &[u8],
        board: Option<&Architecture>,
        reference: &str,
    ) -> Result<Document, OciError> {
        if text.len() > LARGEST_TEXT {
            return Err(refuse(reference, "it is longer than 4 MiB"));
        }
        let read: Text = serde_json::from_slice(text)
            .map_err(|fault| refuse(reference, &format!("no OCI manifest: {fault}")))?;
        if read.schema_version != 2 {
            return Err(refuse(reference, "its schema version is not 2"));
        }
        match read.manifests {
            Some(entries) => choose(&entries, board, reference).map(Document::Index),
            None => {
                let layers = read.layers.unwrap_or_default();
                let config = read.config.map(|config| config.media_type);
                let artifact_type = read.artifact_type.or(config);
                manifest(Digest::of(text), artifact_type, layers, reference).map(Document::Manifest)
            }
        }
    }
}

fn manifest(
    digest: Digest,
    artifact_type: Option<String>,
    layers: Vec<Descriptor>,
    reference: &str,
) -> Result<Manifest, OciError> {
    let total = layers.iter().fold(0u64, |sum, layer| sum.saturating_add(layer.size));
    if layers.len() > MOST_LAYERS || total > LARGEST_BUNDLE {
        let found = format!("{} layers of {total} bytes", layers.len());
        let most = format!("at most {MOST_LAYERS} layers of {LARGEST_BUNDLE} bytes are taken");
        return Err(refuse(reference, &format!("{found}; {most}")));
    }
    let layers = layers.into_iter().enumerate().map(|(index, layer)| {
        let digest = layer.digest.starts_with("sha256:").then(|| layer.digest.parse().ok()).flatten();
        let digest = digest.ok_or_else(|| {
            refuse(reference, &format!("the digest {} is not of sha256", quoted(&layer.digest)))
        })?;
        let annotations = layer.annotations.unwrap_or_default();
        let (media_type, title) = (layer.media_type, annotations.get(TITLE).cloned());
        Ok(Layer { number: index + 1, digest, size: layer.size, media_type, title, annotations })
    });
    let layers = layers.collect::<Result<_, OciError>>()?;
    Ok(Manifest { digest, artifact_type, layers, platform: None })
}

/// The manifest of an index: the only bundle, else the one for `board`, else the only one there is.
fn choose(entries: &[Descriptor], board: Option<&Architecture>, reference: &str) -> Result<Chosen, OciError> {
    // Attestations travel in the index beside what they attest.
    let real: Vec<_> =
        entries.iter().filter(|it| it.platform.as_ref().is_none_or(|it| it.os != "unknown")).collect();
    let only = |fits: &dyn Fn(&Descriptor) -> bool| match real
        .iter()
        .filter(|it| fits(it))
        .collect::<Vec<_>>()[..]
    {
        [one] => Some(*one),
        _ => None,
    };
    let is_other = |it: &Descriptor| it.platform.as_ref().is_some_and(|it| it.is_other_than(board));
    let chosen = only(&|it| it.artifact_type.as_deref() == Some(ARTIFACT_TYPE))
        .or_else(|| only(&|_| true).filter(|it| !is_other(it)))
        .or_else(|| only(&|it| it.platform.as_ref().is_some_and(|it| it.is_for(board))));
    let chosen = chosen.ok_or_else(|| refuse(reference, &no_choice(&real, board)))?;
    let digest = chosen.digest.parse();
    let digest = digest
        .map_err(|_| refuse(reference, &format!("the digest {} is not of sha256", quoted(&chosen.digest))))?;
    Ok(Chosen { digest, platform: chosen.platform.as_ref().map(Platform::to_string) })
}

/// Why none is taken, what there is, and how to say which is meant.
fn no_choice(entries: &[&Descriptor], board: Option<&Architecture>) -> String {
    let named = entries.iter().take(10).map(|it| match &it.platform {
        Some(platform) => format!("{platform} {}", it.digest),
        None => it.digest.clone(),
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let why = match board {
        Some(board) => format!("it is an index without the one manifest for linux/{board}"),
        None => "it is an index, and the board's `architecture` is not known".to_owned(),
    };
    let what = if named.is_empty() { "nothing".to_owned() } else { named };
    format!(
        "{why}; it has: {what}; set `architecture` in the flasher's config or the bundle's manifest, or name one by its digest (`NAME@sha256:…`)"
    )
}

impl Platform {
    /// Whether it is Linux on such a board.
    fn is_for(&self, board: Option<&Architecture>) -> bool {
        self.os == "linux" && board.is_some_and(|it| it.takes(&self.architecture, self.variant.as_deref()))
    }

    /// Whether it is surely not for such a board. Some artifacts name no architecture, or none in earnest.
    fn is_other_than(&self, board: Option<&Architecture>) -> bool {
        let tells = !matches!(self.architecture.as_str(), "" | "unknown");
        tells && board.is_some_and(|it| !it.takes(&self.architecture, self.variant.as_deref()))
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

fn refuse(reference: &str, reason: &str) -> OciError {
    OciError::Manifest { reference: reference.into(), reason: reason.into() }
}

#[cfg(test)]
mod tests;
