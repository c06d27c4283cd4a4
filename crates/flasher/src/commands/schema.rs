//! `flasher schema`: JSON Schemas, for editors and for programs that read our output.

use flasher_core::{Result, schema};

use crate::args::SchemaOf;
use crate::failure::Failure;
use crate::render::message;
use crate::screen::Screen;

/// Prints the schema.
pub(super) fn run(of: SchemaOf, screen: &Screen) -> Result<u8, Failure> {
    let schema = match of {
        SchemaOf::Exporter => schema::exporter(),
        SchemaOf::Bundle => bundle_store::schema(),
        SchemaOf::Events => message::schema(),
        SchemaOf::Receipt => schema::receipt(),
    };
    screen.text(&format!("{}\n", serde_json::to_string_pretty(&schema).map_err(std::io::Error::from)?))?;
    Ok(0)
}
