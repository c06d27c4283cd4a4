//! Exporter YAML as written: read with bounds, every key and value with its position. The only place that names `serde_yaml`.

mod document;
mod finding;
mod section;
mod spots;

pub use document::Document;
pub use finding::{Finding, Findings};
pub(crate) use section::unknown_key;
pub use section::{Problem, Section};
