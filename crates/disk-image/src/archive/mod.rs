//! Archives that hold exactly one file, which is the image.

mod tar;
mod zip;

pub(crate) use tar::{Tar, is_header as is_tar};
pub(crate) use zip::Zip;

/// The name of a file in an archive as a message may show it: hostile text made tame, and short.
fn shown(name: &[u8]) -> String {
    let name: String = String::from_utf8_lossy(name).chars().take(80).collect();
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Says which two files are one too many.
fn two_files(first: &str, second: &[u8]) -> String {
    format!("it holds more than one file: `{first}` and `{}`", shown(second))
}
