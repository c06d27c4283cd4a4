//! What was seen of an image by now.

/// Bytes from the beginning of an image that are looked at: the furthest mark is that of btrfs and of boot loaders at 128 KiB.
pub const LOOK: usize = 192 * 1024;

/// Bytes at the end of an image that are looked at: the footers of VHD and dmg.
pub(crate) const TAIL: usize = 512;

/// What is seen of an image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'s> {
    /// Its beginning.
    pub(crate) head: &'s [u8],
    /// Whether that is [`LOOK`] bytes, or all there are.
    pub(crate) complete: bool,
    /// Its last [`TAIL`] bytes, once they are known.
    pub(crate) tail: Option<&'s [u8]>,
    /// Its length in bytes, if it is known.
    pub(crate) length: Option<u64>,
}
