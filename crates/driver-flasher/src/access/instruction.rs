//! What is to be done to a medium, in order.

use disk_image::Extent;
use tokio::sync::mpsc;

/// One instruction for a medium.
#[derive(Debug)]
pub(crate) enum Instruction {
    /// Write an extent: its data as they are, its zeros in the cheapest way that reads back as zeros, and nothing where it is
    /// unmapped.
    Write(Extent),
    /// Write zeros, whatever the device promises.
    Fill {
        /// First byte.
        offset: u64,
        /// Bytes.
        length: u64,
    },
    /// Make durable what was written so far, before anything else is written.
    Flush,
    /// Nothing to do: the image is decoded up to this byte, and what lies before it was given.
    Decoded(u64),
    /// That was all. Instructions that end without it were cut, and what they say is not whole.
    End,
}

/// Instructions as they are made. An error says why there are no more of them.
pub(crate) type Instructions = mpsc::Receiver<Result<Instruction, String>>;

/// Hears how far the writing of an image is.
pub(crate) trait WriteProgress: Send + Sync {
    /// The first bytes leave: from now on some of them may be on the medium.
    fn begins(&self);

    /// The medium holds the image up to this byte.
    fn reached(&self, to: u64);
}

/// Hears nothing: a few bytes are no progress.
pub(crate) struct Unheard;

impl WriteProgress for Unheard {
    fn begins(&self) {}

    fn reached(&self, _to: u64) {}
}

/// Some bytes of a medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// First byte.
    pub(crate) offset: u64,
    /// Bytes.
    pub(crate) length: u64,
}
