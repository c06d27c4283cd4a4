//! One file of an artifact as a stream that proves itself, without a bundle or a cache around it.

use std::sync::Arc;

use async_stream::try_stream;
use futures_util::StreamExt;
use sha2::{Digest as _, Sha256};

use super::{Access, Layer, OciError, Reference, Registry, manifest::Manifest, registry::BlobStream};
use crate::{
    Digest,
    words::{listed, quoted},
};

/// Which file of an artifact is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The only one there is.
    Only,
    /// The one with this title (`org.opencontainers.image.title`).
    Title(String),
    /// The only one with this media type.
    MediaType(String),
}

/// A file in a registry, opened.
pub struct Blob {
    /// Digest its content must have; the stream checks it.
    pub digest: Digest,
    /// Length in bytes; the stream has exactly as many.
    pub length: u64,
    /// Title in the artifact, if it has one: a name for people, not to be trusted as a path.
    pub title: Option<String>,
    /// Media type.
    pub media_type: String,
    /// Digest of the manifest that names it.
    pub manifest: Digest,
    /// What the manifest is for (`linux/arm64`), if it was taken from an index that says so.
    pub platform: Option<String>,
    /// The content. Broken transfers are taken up again. **Only a stream that ends without an error was the file**:
    /// length and digest are checked at its end. An error is the last thing it gives.
    pub stream: BlobStream,
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blob")
            .field("digest", &self.digest)
            .field("length", &self.length)
            .field("title", &self.title)
            .finish_non_exhaustive()
    }
}

/// Opens one file of the artifact `reference`.
///
/// # Errors
/// [`OciError::NoPick`] when none or several fit; those of the registry, its manifest and the way there.
pub async fn open_blob(reference: &Reference, pick: &Pick, access: &Access) -> Result<Blob, OciError> {
    let registry = Arc::new(Registry::new(reference, access)?);
    let manifest = registry.manifest().await?;
    let layer = find(&manifest, pick, reference)?.clone();
    let stream = verified(&registry, &layer);
    let Layer { digest, size: length, title, media_type, .. } = layer;
    Ok(Blob {
        digest,
        length,
        title,
        media_type,
        manifest: manifest.digest,
        platform: manifest.platform,
        stream,
    })
}

fn find<'m>(manifest: &'m Manifest, pick: &Pick, reference: &Reference) -> Result<&'m Layer, OciError> {
    let fits = |layer: &&Layer| match pick {
        Pick::Only => true,
        Pick::Title(title) => layer.title.as_ref() == Some(title),
        Pick::MediaType(media_type) => layer.media_type == *media_type,
    };
    match manifest.layers.iter().filter(fits).collect::<Vec<_>>()[..] {
        [layer] => Ok(layer),
        _ => {
            let wanted = match pick {
                Pick::Only => "file".to_owned(),
                Pick::Title(title) => format!("file {}", quoted(title)),
                Pick::MediaType(media_type) => format!("file of type {}", quoted(media_type)),
            };
            let found = manifest.layers.iter().take(20).map(name).collect::<Vec<_>>();
            let found = if found.is_empty() { "nothing".to_owned() } else { listed(&found) };
            Err(OciError::NoPick { reference: reference.to_string(), wanted, found })
        }
    }
}

fn name(layer: &Layer) -> String {
    layer.title.clone().unwrap_or_else(|| layer.media_type.clone())
}

/// The bytes of a layer, hashed: the stream ends with an error when they are not the promised ones.
pub(crate) fn verified(registry: &Arc<Registry>, layer: &Layer) -> BlobStream {
    let mut raw = registry.raw(layer);
    let layer = layer.clone();
    Box::pin(try_stream! {
        let mut hash = Sha256::new();
        while let Some(piece) = raw.next().await {
            let piece = piece?;
            hash.update(&piece);
            yield piece;
        }
        let found = crate::digest::finish(hash);
        if found != layer.digest {
            Err(OciError::Digest { what: layer.to_string(), expected: layer.digest, found })?;
        }
    })
}
