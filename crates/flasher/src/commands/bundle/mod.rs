//! `flasher bundle`: flash bundles in folders, registries and the cache.

mod check;
mod lock;
mod transfer;

use std::path::PathBuf;

use bundle_store::{Access, Blame, OciError, Reference, Store};
use flasher_core::{Error, Result, registry};

use crate::bundle_args::{AccessArgs, BundleAction, CacheArgs};
use crate::failure::Failure;
use crate::render::message::Message;
use crate::screen::Screen;

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

fn access(args: &AccessArgs) -> Access {
    Access { plain_http: args.plain_http.clone(), cacert: args.cacert.clone(), architecture: None }
}

fn store(args: &CacheArgs, access: Access) -> Store {
    Store::new(&args.cache_dir, access)
}

fn reference(text: &str) -> Result<Reference, Failure> {
    text.parse().map_err(failed)
}

/// The manifest of a board of this build, for bundles that inherit from one.
fn text_of_board(name: &str) -> Option<String> {
    registry::board(name).map(|board| board.manifest.to_owned())
}

/// An error of the library with its class.
fn failed(error: OciError) -> Failure {
    let error = match error.blame() {
        Blame::Content => Error::config(error.to_string()),
        Blame::Network | Blame::Access => Error::infrastructure(error.to_string()),
        Blame::Machine => Error::infrastructure(error.to_string()).help("`--cache-dir` names another folder"),
    };
    error.into()
}
