//! YAML read strictly, for files that people write and that may be hostile.
//!
//! [`parse`] makes one document a tree of [`YamlNode`]s, each with its [`Position`]. It is bounded in length, nesting and in what
//! aliases unfold into. Keys must be text and stand once; tags have no meaning. Every problem is reported, not only the first.
//! [`read()`] makes a type of a tree, by serde and the type's JSON Schema, and again reports every problem: unknown keys with the
//! nearest known one, missing keys, and values of a wrong type, each with the path it stands at.
//!
//! `saphyr-parser` reads the text, because it has positions; `serde_yaml` says which plain scalars are numbers.

mod deserialize;
mod error;
mod load;
mod node;
mod position;
mod problem;
mod read;
mod scalar;
mod schema_keys;
mod type_mismatch;
mod words;

pub use deserialize::YamlReader;
pub use error::{DEEPEST, LARGEST_TEXT, YamlError, YamlErrorKind, YamlErrors};
pub use load::{parse, parse_one_of};
pub use node::{Entries, YamlEntry, YamlNode, YamlValue};
pub use position::Position;
pub use problem::{Problem, unknown_key};
pub use read::{read, read_with};
pub use type_mismatch::TypeMismatch;
