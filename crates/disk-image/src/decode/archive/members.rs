//! The files of an archive: which only accompany the image, and what messages say of them.

use crate::Error;
use crate::archive_map::LONGEST;
use crate::recognise::is_document;

/// Decoded bytes of a file that tell whether it is an image.
pub(super) const LOOK: usize = 4096;

/// Names that are listed, at most.
const LISTED: usize = 10;

/// Whether a file that begins with `head` only accompanies an image: a text, a document, a signature, a block map, or what
/// macOS puts beside every file. `whole` when there is no more of it.
pub(super) fn is_companion(head: &[u8], whole: bool) -> bool {
    let apple = [&b"\0\x05\x16\x07"[..], b"\0\0\0\x01Bud1"];
    (whole && head.len() < 512) || apple.iter().any(|mark| head.starts_with(mark)) || is_document(head)
}

/// Says that there are only files that accompany an image.
pub(super) fn no_image(companions: &[String]) -> String {
    match companions.split_first() {
        None => "it holds no file".to_owned(),
        Some((first, rest)) => {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            format!("it holds no image, only `{first}`{more}")
        }
    }
}

/// The name of a file in an archive as a message may show it: hostile text made tame, and short.
pub(super) fn shown(name: &[u8]) -> String {
    flasher_base::safe::short(&String::from_utf8_lossy(name), 80)
}

/// A member that is called a block map and is none.
pub(super) fn too_long(name: String) -> Error {
    Error::TooLong { label: name, longest: LONGEST }
}

/// Says which files are too many.
pub(super) fn several_images(first: &str, others: &[String]) -> String {
    let all = std::iter::once(first).chain(others.iter().map(String::as_str));
    let mut names: Vec<String> = all.map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    let last = if more > 0 { format!("{more} more") } else { names.pop().unwrap_or_default() };
    format!(
        "it holds more than one image: {} and {last}; unpack it and flash the one that is meant",
        names.join(", ")
    )
}
