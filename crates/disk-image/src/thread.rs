//! Threads that work on what they are handed, one thing after the other, while decoding goes on.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::Digest;

/// Things that wait for a thread.
const QUEUE: usize = 2;

/// A thread with a queue.
pub(crate) struct Worker<Q, T> {
    queue: SyncSender<Q>,
    thread: JoinHandle<T>,
}

impl<Q: Send + 'static, T: Send + 'static> Worker<Q, T> {
    /// Starts `work` on a thread of its own.
    pub(crate) fn start(
        name: &str,
        work: impl FnOnce(Receiver<Q>) -> T + Send + 'static,
    ) -> io::Result<Worker<Q, T>> {
        let (queue, receiver) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || work(receiver))?;
        Ok(Worker { queue, thread })
    }

    /// Hands something over; `false` if the thread died.
    pub(crate) fn push(&self, item: Q) -> bool {
        self.queue.send(item).is_ok()
    }

    /// What the thread found out; `None` if it died.
    pub(crate) fn finish(self) -> Option<T> {
        drop(self.queue);
        self.thread.join().ok()
    }
}

/// The digest of all chunks.
pub(crate) fn sha256(chunks: Receiver<Bytes>) -> Digest {
    let mut hash = Sha256::new();
    chunks.iter().for_each(|chunk| hash.update(&chunk));
    <[u8; 32]>::from(hash.finalize()).into()
}
