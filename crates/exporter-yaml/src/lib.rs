//! Exporter YAML to driver tree: references, defaults, every problem of the file in one go. Touches no hardware.
//!
//! [`load`] is all that most callers need. `strict-yaml` reads the text; here is what the keys of an exporter YAML mean:
//! `written` reads the nodes, `build` makes devices of them through the registry of `flasher-core`.

mod build;
mod children;
mod controller;
mod counterpart;
mod document;
mod driver_config;
mod finding;
mod kinds;
mod ledger;
mod notes;
mod path;
mod python;
mod said;
mod schema;
mod written;

pub use controller::{
    ClientSettings, ControllerAccess, ControllerSettings, ControllerToken, HookSettings, OnFailure, client,
    controller, current_client,
};
pub use document::Document;
pub use finding::{Finding, Findings};
pub use schema::schema;

use std::path::Path;

use flasher_core::tree::{DriverTree, TreeParts};

/// Reads an exporter YAML and builds its tree. Touches no hardware.
///
/// # Errors
/// Every problem of the file, each with its position.
pub fn load(path: &Path) -> Result<DriverTree, Findings> {
    let file = path.canonicalize().ok();
    Ok(parts(&Document::read(path)?, file)?.into())
}

/// Builds the tree of a document.
///
/// # Errors
/// Every problem of the document, each with its position.
pub fn build(document: &Document) -> Result<DriverTree, Findings> {
    Ok(parts(document, None)?.into())
}

fn parts(document: &Document, file: Option<std::path::PathBuf>) -> Result<TreeParts, Findings> {
    let mut problems = Vec::new();
    let nodes = written::nodes(document.root(), &mut problems);
    let build::Built { roots, nodes: built } = build::devices(&nodes, document.folder(), &mut problems);
    let said::Said { notes, bench, motd } = said::all(document.root(), &nodes, &mut problems);
    let python = python::choice(document.root(), document.folder(), &mut problems);
    let ledger = ledger::choice(document.root(), document.folder(), &mut problems);
    controller::check(document.root(), &mut problems);
    if !problems.is_empty() {
        return Err(document.place(problems));
    }
    let name = document.name().to_owned();
    Ok(TreeParts { name, file, roots, nodes: built, notes, bench, motd, python, ledger, is_remote: false })
}

#[cfg(test)]
mod tests;
