//! How far the decoding side is ahead of the board, so that progress tells of the board.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use flasher_core::flash::Wire;
use tokio::sync::mpsc;

use super::wire;

/// The stream of frames as it comes, packed or not.
pub(super) type FrameStream = mpsc::Receiver<io::Result<Bytes>>;

/// How far the stream has come, as the decoding side sees it; the board is a little behind.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Bytes of the image that are decoded and framed.
    image: AtomicU64,
    /// Bytes of the stream that are handed over, packed as they travel.
    stream: AtomicU64,
    /// Whether another part of the job counts those.
    packed: AtomicBool,
}

impl Ahead {
    /// Where frames go on their way to the network.
    pub(super) fn pack(self: &Arc<Self>, wire: Wire, frames: FrameStream) -> FrameStream {
        self.packed.store(wire::is_packed(wire), Ordering::Relaxed);
        let ahead = Arc::clone(self);
        wire::packed(wire, frames, move |more| {
            ahead.stream.fetch_add(more, Ordering::Relaxed);
        })
    }

    /// Notes that the image is decoded and framed up to here.
    pub(super) fn decoded(&self, end: u64) {
        self.image.store(end, Ordering::Relaxed);
    }

    /// Notes that so many bytes of frames were handed over.
    pub(super) fn framed(&self, more: u64) {
        if !self.packed.load(Ordering::Relaxed) {
            self.stream.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// Bytes of the image that have left, when `delivered` bytes of the stream have.
    pub(super) fn done(&self, delivered: u64) -> u64 {
        let waiting = self.stream.load(Ordering::Relaxed).saturating_sub(delivered);
        self.image.load(Ordering::Relaxed).saturating_sub(waiting)
    }
}
