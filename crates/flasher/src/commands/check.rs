//! `flasher check`: an exporter YAML and the bundles it names.

use std::path::PathBuf;
use std::time::Duration;

use flasher_core::tree::DeviceTree;
use flasher_core::{Class, Description, Device, Error, Result};

use crate::failure::Failure;
use crate::render::message::Message;
use crate::render::plan;
use crate::screen::Screen;

/// Bound on looking into one bundle, which may have to be pulled first.
const LOOK: Duration = Duration::from_secs(600);

/// Prints what is fine; problems go to standard error. Gives 0, or the code of the worst thing found.
pub(super) async fn run(file: Option<PathBuf>, screen: &Screen) -> Result<u8, Failure> {
    let path = super::required(file)?;
    let tree = DeviceTree::load(&path)?;
    let outcome = nodes(&tree, screen).await;
    super::close(&tree, screen).await;
    let code = outcome?;
    if code == 0 && !screen.is_json() {
        screen
            .text(&format!("{} is fine; nothing was opened, no board was touched\n", super::shown(&path)))?;
    }
    Ok(code)
}

async fn nodes(tree: &DeviceTree, screen: &Screen) -> Result<u8, Failure> {
    let nodes = tree.all();
    let width = nodes.iter().map(|(path, _)| path.len()).max().unwrap_or(0);
    let mut code = 0;
    for (path, device) in nodes {
        match describe(&device).await {
            Ok(description) => node(&path, &device, description, width, screen)?,
            Err(error) => code = code.max(screen.fail(&error.with("node", path).into())),
        }
    }
    Ok(code)
}

async fn describe(device: &Device) -> Result<Option<Description>> {
    let Device::Flasher(flasher) = device else { return Ok(None) };
    let late = || {
        Error::new(Class::Infrastructure, format!("the bundle could not be had within {} s", LOOK.as_secs()))
    };
    tokio::time::timeout(LOOK, flasher.describe()).await.unwrap_or_else(|_| Err(late())).map(Some)
}

fn node(
    path: &str,
    device: &Device,
    description: Option<Description>,
    width: usize,
    screen: &Screen,
) -> std::io::Result<()> {
    let below = description.clone();
    let kind = device.kind().to_string();
    let message =
        Message::Node { path: path.to_owned(), kind: kind.clone(), description: description.map(Box::new) };
    screen.show(&message, |paint| {
        let below = below.map(|boots| plan::description(&boots, "    ", paint)).unwrap_or_default();
        format!("{} {path:width$}  {}\n{below}", paint.good("✓"), paint.dim(&kind))
    })
}
