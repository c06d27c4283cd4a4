//! Step 1: bundle, manifest, variant and target are looked up. No hardware yet.

use std::sync::Arc;

use bundle_store::{Bundle, Files};
use flasher_core::{Description, FlasherBundle, Result};

use crate::blocking::blocking;
use crate::job::Session;
use crate::trouble;

/// What is booted and where it writes.
pub(crate) struct Resolved {
    pub(crate) bundle: Arc<Bundle>,
    pub(crate) files: Files,
    /// The target's name in the manifest.
    pub(crate) target: String,
    /// What the manifest says it stands for: a device path, or `/sys/class/block#ADDRESS`.
    pub(crate) device: String,
    pub(crate) description: Description,
}

pub(crate) async fn run(session: Session<'_>) -> Result<Resolved> {
    let description = session.flasher.describe().await?;
    let bundle = Arc::new(session.flasher.bundle().await?);
    for warning in bundle.warnings() {
        session.run.warn(warning.to_string());
    }
    let (target, device) = session.flasher.target(&bundle, session.job.target.as_deref())?;
    let (variant, opened) = (session.flasher.variant(), Arc::clone(&bundle));
    let files =
        blocking(move || opened.files(variant.as_deref()).map_err(|error| trouble::bundle(&error))).await?;
    session.run.record.board(|board| {
        board.name = Some(description.board.clone());
        board.variant.clone_from(&description.variant);
        board.bundle_sha256 = Some(description.bundle_sha256.clone());
    });
    Ok(Resolved { bundle, files, target, device, description })
}
