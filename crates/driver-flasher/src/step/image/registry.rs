//! Images in OCI registries: `oci://REGISTRY/REPOSITORY:TAG`, with `#TITLE` or `#type=MEDIATYPE` when the artifact has several files.

use std::sync::Arc;

use bundle_store::{Access, Blob, OciError, Pick, Reference, open_blob};
use disk_image::{ExternalError, ExternalSource, ExternalStream};
use flasher_core::{Blame, Blamed, Class, Result};
use futures_util::TryStreamExt;

use crate::job::Session;
use crate::trouble;

/// What stands before the name of an artifact.
pub(super) const SCHEME: &str = "oci://";

/// The file that `source` names, and for which platform it is where the registry has several. What a tag stands for is looked up once, so that it stays the same.
pub(super) async fn find(session: Session<'_>, source: &str) -> Result<(ExternalSource, Option<String>)> {
    let (name, pick) = parts(source);
    let reference: Reference = name.parse().map_err(|error| trouble::registry(&error))?;
    let access = access(session).await?;
    let blob = open_blob(&reference, &pick, &access).await.map_err(|error| trouble::registry(&error))?;
    let (length, sha256) = (blob.length, (*blob.digest.as_bytes()).into());
    let pinned = reference.at(blob.manifest);
    let platform = blob.platform.map(|platform| format!("{platform} ({})", blob.manifest.prefixed()));
    let open = move || {
        let (pinned, pick, access) = (pinned.clone(), pick.clone(), access.clone());
        Box::pin(async move { open_blob(&pinned, &pick, &access).await.map(stream).map_err(failed) })
            as disk_image::ExternalFuture
    };
    Ok((ExternalSource { label: source.to_owned(), length, sha256, open: Arc::new(open) }, platform))
}

/// The artifact, and which of its files.
fn parts(source: &str) -> (&str, Pick) {
    match source.split_once('#') {
        None => (source, Pick::Only),
        Some((name, file)) => match file.strip_prefix("type=") {
            Some(media_type) => (name, Pick::MediaType(media_type.to_owned())),
            None => (name, Pick::Title(file.to_owned())),
        },
    }
}

async fn access(session: Session<'_>) -> Result<Access> {
    let config = &session.flasher.config;
    let cacert = session.job.cacert.clone().or_else(|| config.cacert.clone());
    let architecture = match &config.architecture {
        Some(told) => Some(told.clone()),
        None => session.flasher.bundle().await?.manifest().spec.architecture.clone(),
    };
    Ok(Access { plain_http: config.insecure_registries.clone(), cacert, architecture })
}

fn stream(blob: Blob) -> ExternalStream {
    Box::pin(blob.stream.map_err(failed))
}

fn failed(error: OciError) -> ExternalError {
    // What was pushed, and the name that was given for it, are the image.
    let blame = match error.blame() {
        of_the_config if of_the_config.class == Class::Config => {
            Blame { class: Class::Source, ..of_the_config }
        }
        other => other,
    };
    ExternalError { message: error.to_string(), blame }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifact_names_with_a_file() {
        for (source, name, pick) in [
            ("oci://host:5000/os:1", "oci://host:5000/os:1", Pick::Only),
            ("oci://host/os:1#a/os.img.xz", "oci://host/os:1", Pick::Title("a/os.img.xz".into())),
            ("oci://host/os:1#type=a/b+xz", "oci://host/os:1", Pick::MediaType("a/b+xz".into())),
        ] {
            assert_eq!(parts(source), (name, pick));
        }
    }
}
