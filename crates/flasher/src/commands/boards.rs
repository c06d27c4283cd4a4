//! `flasher boards`: out of the registry, with what their manifests say.

use std::fmt::Write;

use bundle_store::{Manifest, Spec};
use flasher_core::{BundleEntry, Error, Result, registry};

use super::listing;
use crate::failure::Failure;
use crate::render::message::Message;
use crate::render::paint::Paint;
use crate::screen::Screen;

/// Lists all boards, or explains the one that answers to `name`.
pub(super) fn run(name: Option<&str>, screen: &Screen) -> Result<u8, Failure> {
    let boards = registry::boards();
    match name {
        Some(name) => {
            let known: Vec<_> = boards.iter().map(|it| (it.name, it.aliases)).collect();
            let board = registry::board(name).ok_or_else(|| listing::unknown("board", name, &known))?;
            let manifest = manifest(board)?;
            screen.show(&message(board, &manifest)?, |paint| explain(board, &manifest.spec, paint))?;
        }
        None if screen.is_json() => {
            boards.iter().try_for_each(|board| {
                Ok::<_, Failure>(screen.message(&message(board, &manifest(board)?)?)?)
            })?;
        }
        None => {
            let rows =
                boards.iter().map(|board| Ok((board.name.to_owned(), summary(&manifest(board)?.spec))));
            screen.text(&listing::columns(&rows.collect::<Result<Vec<_>>>()?))?;
        }
    }
    Ok(0)
}

fn manifest(board: &BundleEntry) -> Result<Manifest> {
    let text_of = |name: &str| registry::board(name).map(|board| board.manifest.to_owned());
    let parsed = Manifest::parse_with(board.manifest, board.name, &text_of);
    let (manifest, _) = parsed.map_err(|error| {
        Error::config(format!("the manifest of the board `{}` cannot be used", board.name)).because(error)
    })?;
    Ok(manifest)
}

fn message(board: &BundleEntry, manifest: &Manifest) -> Result<Message, Failure> {
    Ok(Message::Board {
        name: board.name.to_owned(),
        aliases: board.aliases.iter().map(|&alias| alias.to_owned()).collect(),
        driver: board.driver.to_owned(),
        manifest: serde_json::to_value(manifest).map_err(std::io::Error::from)?,
    })
}

fn summary(spec: &Spec) -> String {
    let targets = spec.targets.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    format!("{}; writes {targets}", spec.manufacturer)
}

fn explain(board: &BundleEntry, spec: &Spec, paint: Paint) -> String {
    let mut text = format!("{}  {}\n", paint.bold(board.name), spec.manufacturer);
    let mut fact = |key: &str, value: &str| {
        let _ = writeln!(text, "{} {value}", paint.dim(&format!("  {key:<11}"))); // into memory
    };
    spec.link.iter().for_each(|link| fact("described", link));
    board.aliases.iter().for_each(|alias| fact("also called", alias));
    fact("flashed by", board.driver);
    spec.bundle.iter().for_each(|bundle| fact("bundle", bundle));
    for (name, device) in &spec.targets {
        let default = if spec.default_target.as_ref() == Some(name) { " (default)" } else { "" };
        fact("target", &format!("{name} {device}{default}"));
    }
    fact("kernel", &format!("{} at {}", spec.kernel.file, spec.kernel.address));
    spec.initram.iter().for_each(|file| fact("initramfs", &format!("{} at {}", file.file, file.address)));
    fact("boots with", spec.bootcmd.trim());
    for (name, variant) in spec.dtb.iter().flat_map(|dtb| &dtb.variants) {
        let default = spec.dtb.as_ref().is_some_and(|dtb| dtb.default == *name);
        let default = if default { " (default)" } else { "" };
        fact("variant", &format!("{name}{default}"));
        let address = spec.dtb.as_ref().map(|dtb| dtb.address.to_string()).unwrap_or_default();
        let file = variant.file.iter().filter(|file| !file.is_empty());
        file.for_each(|file| fact("", &format!("{file} at {address}")));
        let own = variant.bootcmd.iter().filter(|command| !command.is_empty());
        own.for_each(|command| fact("", command.trim()));
    }
    if spec.medium_holds_bootloader {
        fact("note", "the medium can hold the boot loader: its first block is not wiped before writing");
    }
    text + &format!("\nexample\n{}", example(board.name))
}

fn example(name: &str) -> String {
    format!(
        "  type: {name}\n  children:\n    serial: {{ ref: board.serial }}\n    power: {{ ref: board.power }}\n"
    )
}
