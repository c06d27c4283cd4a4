//! Why a comparison ends early, in words.

/// The medium cannot be read.
pub(super) fn unreadable(cause: &str) -> String {
    format!("what the medium holds cannot be read: {cause}")
}

/// The image is at a server, and no block map says what it is made of.
pub(super) fn no_index() -> String {
    "the image is not at hand unpacked".to_owned()
}

/// The way to the medium sends nothing.
pub(super) fn cannot_send() -> String {
    "the image is fetched as a whole: the boot loader cannot send what the medium holds".to_owned()
}

/// Reading all of the medium would save little traffic.
pub(super) fn little_held(held: usize, looked_for: usize) -> String {
    format!(
        "the image is fetched as a whole: of {looked_for} stretches that were looked for the medium holds {held}"
    )
}

/// There is no room for the image in the cache.
pub(super) fn unwritable(error: &std::io::Error) -> String {
    format!("the image is fetched as a whole: it cannot be put together in the cache: {error}")
}
