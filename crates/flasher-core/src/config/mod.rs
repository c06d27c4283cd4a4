//! Exporter YAML as written: read with bounds, every key and value with its position. The only place that names `serde_yaml`.

mod document;
mod finding;
mod section;
mod shape;
mod spots;
mod words;

pub use document::Document;
pub use finding::{Finding, Findings};
pub use section::{Problem, Section};
pub(crate) use shape::unknown_key;
