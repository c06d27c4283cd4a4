//! `flasher check`: an exporter YAML and the bundles it names.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use flasher_core::python::{Obstacle, PythonNode};
use flasher_core::tree::DriverTree;
use flasher_core::{Class, Description, Device, Error, Result, safe};

use super::{driver_tree, python};
use crate::args::python::PythonOption;
use crate::failure::Failure;
use crate::render::message::Message;
use crate::render::plan;
use crate::render::units::shown;
use crate::screen::Screen;
use crate::signals;

/// Bound on looking into one bundle, which may have to be pulled first.
const LOOK: Duration = Duration::from_secs(600);

/// Prints what is fine; problems go to standard error. Gives 0, or the code of the worst thing found.
pub(super) async fn run(
    file: Option<PathBuf>,
    choice: &PythonOption,
    screen: &Screen,
) -> Result<u8, Failure> {
    let path = driver_tree::required(file)?;
    let tree = exporter_yaml::load(&path)?;
    let missing =
        signals::interruptible(async { Ok(python::not_available(choice, &tree, screen).await?) }).await?;
    let outcome = nodes(&tree, &missing, screen).await;
    driver_tree::close(&tree, screen).await;
    let CheckOutcome { code, is_whole, is_available } = outcome?;
    if code == 0 && !screen.is_json() {
        let but = match (is_whole, is_available) {
            (true, true) => "",
            (true, false) => ", but for what is not available",
            (false, _) => ", as far as it could be looked at from here",
        };
        let path = safe::line(&shown(&path));
        screen.text(&format!("{path} is fine{but}; nothing was opened, no board was touched\n"))?;
    }
    Ok(code)
}

/// How the check went.
struct CheckOutcome {
    /// 0, or the code of the worst thing found.
    code: u8,
    /// Everything could be looked at.
    is_whole: bool,
    /// Every node has a driver in this build.
    is_available: bool,
}

/// Python nodes that no Python can run, by path, and why, as far as one was asked.
type Missing = BTreeMap<String, Option<String>>;

async fn nodes(tree: &DriverTree, missing: &Missing, screen: &Screen) -> Result<CheckOutcome, Failure> {
    let nodes = tree.all();
    let width = nodes.iter().map(|(path, _)| path.len()).max().unwrap_or(0);
    let mut told = CheckOutcome { code: 0, is_whole: true, is_available: true };
    for (path, device) in nodes {
        let python = match &device {
            Device::Python(python) => missing.get(python.path()).map(|why| (python, why)),
            _ => None,
        };
        if let Some((python, why)) = python {
            told.is_available = false;
            not_available(&path, python, why.as_deref(), screen);
        }
        let is_available = python.is_none();
        let files = match device.driver() {
            Some(driver) => driver.check_files().await,
            None => Ok(()),
        };
        let description = match files {
            Ok(()) => describe(&device).await,
            Err(error) => Err(error),
        };
        match description {
            Ok(description) => node((&path, is_available), &device, description, width, screen)?,
            // A laptop need not reach the registry that the lab reaches; that says nothing about the file.
            Err(error) if error.class() == Class::Infrastructure => {
                told.is_whole = false;
                screen.aside(&format!(
                    "warning: `{path}` could not be looked at from here: {}\n",
                    error.cause()
                ));
                node((&path, is_available), &device, None, width, screen)?;
            }
            Err(error) => told.code = told.code.max(screen.fail(&error.with("node", path).into())),
        }
    }
    Ok(told)
}

/// Warns of a node that only Python can run, and shows what to write in its place.
fn not_available(path: &str, node: &PythonNode, why: Option<&str>, screen: &Screen) {
    let reason = match (node.obstacle(), why) {
        (Some(Obstacle { from, to }), _) => format!("`{from}` refers to `{to}`, which Python cannot reach"),
        (None, why) => {
            let why = why.map(|why| format!("; {why}")).unwrap_or_default();
            format!("this build has no driver for the Python class `{}`{why}", node.class())
        }
    };
    let mut text = format!("warning: `{path}` is not available, and what needs it fails: {reason}\n");
    if let Some(instead) = node.replacement() {
        text.push_str("  a driver of this build does the same; write in its place:\n");
        instead.lines.lines().for_each(|line| text.push_str(&format!("      {line}\n")));
        if !instead.note.is_empty() {
            text.push_str(&format!("  {}\n", instead.note));
        }
    }
    screen.aside(&text);
}

async fn describe(device: &Device) -> Result<Option<Description>> {
    let Device::Flasher(flasher) = device else { return Ok(None) };
    let Some(bundle) = flasher.flasher_bundle() else { return Ok(None) };
    let late = || {
        Error::new(Class::Infrastructure, format!("the bundle could not be had within {} s", LOOK.as_secs()))
    };
    tokio::time::timeout(LOOK, bundle.describe()).await.unwrap_or_else(|_| Err(late())).map(Some)
}

fn node(
    (path, is_available): (&str, bool),
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
        let below = below.as_ref().map(|boots| plan::description(boots, "    ", paint)).unwrap_or_default();
        let mark = if is_available { paint.good("✓") } else { paint.warning("!") };
        format!("{mark} {:width$}  {}\n{below}", safe::line(path), paint.dim(&kind))
    })
}
