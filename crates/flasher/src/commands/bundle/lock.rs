//! `flasher bundle lock`: every bundle of an exporter YAML, pinned by digest beside it.

use std::path::PathBuf;

use flasher_core::tree::DriverTree;
use flasher_core::{Device, Pinned, Result};

use crate::commands::driver_tree;
use crate::failure::Failure;
use crate::render::message::Message;
use crate::render::units::shown;
use crate::screen::Screen;

/// Pins one flasher's bundle after the other. The lock file is written for each, so that what was pinned stays pinned.
pub(super) async fn run(file: Option<PathBuf>, screen: &Screen) -> Result<u8, Failure> {
    let tree = exporter_yaml::load(&driver_tree::required(file)?)?;
    let outcome = pin(&tree, screen).await;
    driver_tree::close(&tree, screen).await;
    outcome
}

async fn pin(tree: &DriverTree, screen: &Screen) -> Result<u8, Failure> {
    for (path, device) in tree.all() {
        let Device::Flasher(flasher) = device else { continue };
        let Some(bundle) = flasher.flasher_bundle() else {
            screen.aside(&format!("{path}: it works without a bundle, there is nothing to pin\n"));
            continue;
        };
        match bundle.lock_bundle().await.map_err(|error| error.with("node", path.clone()))? {
            Some(pinned) => show(&pinned, screen)?,
            None => screen.aside(&format!("{path}: its bundle is a folder, there is nothing to pin\n")),
        }
    }
    Ok(0)
}

fn show(pinned: &Pinned, screen: &Screen) -> Result<(), Failure> {
    let message = Message::Bundle {
        reference: pinned.reference.clone(),
        digest: pinned.digest.clone(),
        before: pinned.before.clone(),
        place: Some(shown(&pinned.file)),
        bytes: 0,
    };
    screen.show(&message, |_| {
        let before = match &pinned.before {
            Some(before) if *before == pinned.digest => " (as before)".to_owned(),
            Some(before) => format!(" (was {before})"),
            None => String::new(),
        };
        format!("{} {}{before}\n", pinned.reference, pinned.digest)
    })?;
    Ok(())
}
