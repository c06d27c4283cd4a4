//! Block maps of bmap-tools (format 1.0 to 2.0): which blocks of an image matter, and the checksums of those that do.

mod check;
mod find;
mod map;
mod parse;
pub(crate) mod signature;

pub(crate) use check::Checker;
pub(crate) use find::{beside, load, load_beside, of_archive};
pub(crate) use map::{BlockMap, Mapped, SumKind};
