//! Archives that hold one image, and perhaps what accompanies it.

mod maps;
mod members;
mod tar;
mod zip;

pub(crate) use maps::ArchiveMaps;
pub(crate) use tar::{Tar, is_header as is_tar};
pub(crate) use zip::Zip;
