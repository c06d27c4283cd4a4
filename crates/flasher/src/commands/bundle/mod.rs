//! `flasher bundle`: flash bundles in folders, registries and the cache.

pub(crate) mod args;
mod check;
mod lock;
mod store;
mod transfer;

use std::path::PathBuf;

use bundle_store::Access;
use flasher_core::Result;

use crate::failure::Failure;
use crate::render::message::Message;
use crate::screen::Screen;
use args::BundleAction;
use store::{failed, store};

/// Runs one of the actions and gives its exit code.
pub(super) async fn run(
    action: &BundleAction,
    exporter: Option<PathBuf>,
    screen: &Screen,
) -> Result<u8, Failure> {
    match action {
        BundleAction::Check { bundle, manifest, strict, access } => {
            check::run(bundle, manifest, *strict, access, screen).await
        }
        BundleAction::Pull { reference, dir, key, access } => {
            transfer::pull(reference, dir.as_deref(), key.as_deref(), access, screen).await
        }
        BundleAction::Push { dir, reference, unchecked, access } => {
            transfer::push(dir, reference, *unchecked, access, screen).await
        }
        BundleAction::Lock { file } => lock::run(file.clone().or(exporter), screen).await,
        BundleAction::Gc { unused_for, dry_run, cache } => {
            let freed = store(cache, Access::default()).gc(*unused_for, *dry_run).await.map_err(failed)?;
            tell(freed, *dry_run, screen)
        }
    }
}

fn tell(freed: bundle_store::Freed, dry: bool, screen: &Screen) -> Result<u8, Failure> {
    let (bundles, files, bytes) = (freed.bundles.len(), freed.files, freed.bytes);
    let message = Message::Freed { bundles: freed.bundles, files, bytes, dry };
    screen.show(&message, |_| {
        let verb = if dry { "would remove" } else { "removed" };
        let kept = match freed.in_use {
            0 => String::new(),
            count => format!("; {count} more in use by other processes"),
        };
        format!("{verb} {bundles} bundle(s), {files} file(s), {bytes} bytes{kept}\n")
    })?;
    Ok(0)
}
