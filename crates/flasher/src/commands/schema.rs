//! `flasher schema`: JSON Schemas, for editors and for programs that read our output.

use clap::ValueEnum;
use flasher_core::{Result, schema};

use crate::failure::Failure;
use crate::render::message;
use crate::screen::Screen;

/// What a schema describes.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum SchemaOf {
    /// An exporter YAML, with the config of every driver
    Exporter,
    /// A flash-bundle manifest
    Bundle,
    /// One line of `--json` output
    Events,
    /// A receipt
    Receipt,
}

/// Prints the schema.
pub(super) fn run(of: SchemaOf, screen: &Screen) -> Result<u8, Failure> {
    let schema = match of {
        SchemaOf::Exporter => exporter_yaml::schema(),
        SchemaOf::Bundle => bundle_store::schema(),
        SchemaOf::Events => message::schema(),
        SchemaOf::Receipt => schema::receipt(),
    };
    screen.text(&format!("{}\n", serde_json::to_string_pretty(&schema).map_err(std::io::Error::from)?))?;
    Ok(0)
}
