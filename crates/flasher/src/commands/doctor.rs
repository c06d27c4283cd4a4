//! `flasher doctor`: what would stop a flash here, with the remedy.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use flasher_core::driver::TransferLog;
use flasher_core::tree::DeviceTree;
use flasher_core::{Class, Device, Error, FileServer, Result};

use crate::failure::Failure;
use crate::render::message::Message;
use crate::render::units::bytes;
use crate::screen::Screen;

/// Bound on looking at one thing.
const LOOK: Duration = Duration::from_secs(30);
/// Free bytes below which the temporary folder is too full for a bundle and what is unpacked of it.
const ENOUGH: u64 = 256 << 20;

/// Prints a line for each thing; gives 0, or 4 when one of them would stop a flash.
pub(super) async fn run(tree: DeviceTree, screen: &Screen) -> Result<u8, Failure> {
    let told = look(&tree, screen).await;
    super::close(&tree, screen).await;
    let healthy = told?;
    Ok(if healthy { 0 } else { Class::Infrastructure.exit_code() })
}

async fn look(tree: &DeviceTree, screen: &Screen) -> Result<bool, Failure> {
    let paths: BTreeSet<String> = tree.drivers().into_iter().map(|(path, _)| path).collect();
    let nodes = tree.all().into_iter().filter(|(path, _)| paths.contains(path)).collect::<Vec<_>>();
    let temp = std::env::temp_dir();
    let width =
        nodes.iter().map(|(path, _)| path.len()).chain([super::shown(&temp).len()]).max().unwrap_or(0);
    let mut healthy = true;
    for (path, device) in &nodes {
        let found = tokio::time::timeout(LOOK, node(device))
            .await
            .unwrap_or_else(|_| Err(Error::infrastructure(format!("no answer within {} s", LOOK.as_secs()))));
        healthy &= tell(path, found, width, screen)?;
    }
    healthy &= tell(&super::shown(&temp), disk_space(&temp), width, screen)?;
    Ok(healthy)
}

async fn node(device: &Device) -> Result<String> {
    let Some(driver) = device.driver() else { return Ok("group".to_owned()) };
    driver.probe().await?;
    match device {
        Device::FileServer(server) => bind(server.as_ref()).await,
        Device::Flasher(flasher) => flasher.describe().await.map(|boots| format!("{}, ready", boots.board)),
        Device::ContentServer(server) => bind(server.as_ref() as &dyn FileServer).await,
        other => Ok(format!("{}, ready", other.kind())),
    }
}

/// Binds and lets go again.
async fn bind(server: &dyn FileServer) -> Result<String> {
    let address = server.start(TransferLog::default()).await?;
    server.stop().await?;
    Ok(format!("binds {address} and serves {}", super::shown(&server.root())))
}

fn disk_space(folder: &std::path::Path) -> Result<String> {
    let facts = rustix::fs::statvfs(folder).map_err(|error| {
        Error::infrastructure("the temporary folder cannot be looked at")
            .help("set TMPDIR to a folder you may write")
            .because(error)
    })?;
    let free = facts.f_bavail.saturating_mul(facts.f_frsize);
    if free < ENOUGH {
        let message = format!("only {} free for temporary files, expected {}", bytes(free), bytes(ENOUGH));
        return Err(Error::infrastructure(message).help("make room, or set TMPDIR to a folder with more"));
    }
    Ok(format!("{} free for temporary files", bytes(free)))
}

fn tell(subject: &str, found: Result<String>, width: usize, screen: &Screen) -> io::Result<bool> {
    let healthy = found.is_ok();
    let (finding, help) = match found {
        Ok(finding) => (finding, None),
        Err(error) => (error.cause(), error.next_step().map(str::to_owned)),
    };
    let text = (finding.clone(), help.clone());
    let message = Message::Health { subject: subject.to_owned(), healthy, finding, help };
    screen.show(&message, |paint| {
        let (finding, help) = text;
        let mark = if healthy { paint.good("✓") } else { paint.bad("✗") };
        let indent = " ".repeat(width + 4);
        let help = help.map(|help| format!("{indent}{}\n", paint.dim(&help))).unwrap_or_default();
        format!("{mark} {subject:width$}  {finding}\n{help}")
    })?;
    Ok(healthy)
}
