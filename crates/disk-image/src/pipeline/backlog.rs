//! Extents that are decoded and not taken yet, so that decoding runs ahead of a board that boots or writes slowly: some are held
//! in memory, the others are read again from the copy that is being kept in the cache.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::pipeline::turn::Turn;
use crate::{Error, Extent, Summary};

/// Bytes of extents held in memory, at most. Without a copy it is all that decoding runs ahead.
const HELD: u64 = 4 * 1024 * 1024;

/// What the decoding thread says.
pub(crate) enum Event {
    Extent(Extent),
    End(Summary),
}

/// A new backlog: where extents go, and where they come out.
pub(crate) fn backlog() -> (Producer, Consumer) {
    let shared = Arc::new(BacklogState::default());
    (Producer(Arc::clone(&shared)), Consumer(shared))
}

/// The decoding thread's end. Dropping it ends the extents.
pub(crate) struct Producer(Arc<BacklogState>);

/// The consumer's end. Dropping it stops the decoding thread.
#[derive(Debug)]
pub(crate) struct Consumer(Arc<BacklogState>);

/// Tells how far the copy has come.
#[derive(Clone)]
pub(crate) struct CopyProgress(Arc<BacklogState>);

/// The consumer is gone.
pub(crate) struct Closed;

#[derive(Debug, Default)]
struct BacklogState {
    state: Mutex<State>,
    /// Notified when there may be room for the producer.
    room: Condvar,
    /// Notified when there is an extent or the end for the consumer.
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// So many of the first ones hold no bytes: they are in the copy only, or have none.
    copied: usize,
    /// Bytes that the others hold.
    held: u64,
    copy: Option<Copy>,
    /// Others wait for the copy, as long as one is being made.
    turn: Option<Turn>,
    end: Option<Result<Summary, Error>>,
    /// The producer has gone.
    ended: bool,
    /// The consumer has gone.
    closed: bool,
}

#[derive(Debug)]
enum Waiting {
    Held(Extent),
    Copied { offset: u64, length: u64 },
}

/// The image as it is being kept.
#[derive(Debug)]
struct Copy {
    file: Arc<File>,
    /// The file has the image's data up to here.
    written: u64,
    /// Nothing more will be written.
    failed: bool,
}

impl BacklogState {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Producer {
    /// Hands an extent over; waits while too many bytes are held.
    pub(crate) fn push(&self, extent: Extent) -> Result<(), Closed> {
        let mut state = self.0.state();
        while !state.closed && !state.has_room_for(memory(&extent)) {
            if !state.spill_to_cache() {
                state = self.0.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        if state.closed {
            return Err(Closed);
        }
        state.held += memory(&extent);
        state.waiting.push_back(Waiting::Held(extent));
        drop(state);
        self.0.news.notify_one();
        Ok(())
    }

    /// Has others wait until the copy is there or cannot be made.
    pub(crate) fn keep_turn(&self, turn: Turn) {
        self.0.state().turn = Some(turn);
    }

    /// Lets others go on: no copy is to be made.
    pub(crate) fn end_turn(&self) {
        self.0.state().turn = None;
    }

    /// Whether the consumer is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.state().closed
    }

    /// Says how it all ended.
    pub(crate) fn finish(&self, end: Result<Summary, Error>) {
        self.0.state().end = Some(end);
    }

    /// For the writer of the copy.
    pub(crate) fn copy_progress(&self) -> CopyProgress {
        CopyProgress(Arc::clone(&self.0))
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.ended = true;
        state.turn = None;
        drop(state);
        self.0.news.notify_one();
    }
}

impl CopyProgress {
    /// A copy is begun, in this file.
    pub(crate) fn begun(&self, file: Arc<File>) {
        self.0.state().copy = Some(Copy { file, written: 0, failed: false });
    }

    /// Everything up to here is in the file.
    pub(crate) fn written(&self, end: u64) {
        if let Some(copy) = &mut self.0.state().copy {
            copy.written = end;
        }
        self.0.room.notify_one();
    }

    /// Nothing more will be written.
    pub(crate) fn failed(&self) {
        let mut state = self.0.state();
        if let Some(copy) = &mut state.copy {
            copy.failed = true;
        }
        state.turn = None;
        state.drop_failed_copy();
    }
}

impl Consumer {
    /// The next extent or the end; `None` when the producer died. May be cancelled without loss.
    ///
    /// # Errors
    ///
    /// The producer's own, and why the copy cannot be read, which is this machine's failure.
    pub(crate) async fn next(&mut self) -> Result<Option<Result<Event, Error>>, io::Error> {
        loop {
            match self.look() {
                Seen::Event(event) => return Ok(Some(event)),
                Seen::Copied { offset, length, file } => {
                    // It waits in its place until it is read, should this be cancelled.
                    let bytes = read(file, offset, length).await?;
                    self.0.state().take();
                    return Ok(Some(Ok(Event::Extent(Extent::Data { offset, bytes }))));
                }
                Seen::Dead => return Ok(None),
                Seen::Nothing => self.0.news.notified().await,
            }
        }
    }

    /// Why decoding failed, when it has already; then nothing is left.
    pub(crate) fn failure(&mut self) -> Option<Error> {
        let mut state = self.0.state();
        let error = state.end.take_if(|end| end.is_err())?.err()?;
        *state = State { ended: true, ..State::default() };
        Some(error)
    }

    /// Takes what is first, unless it must be read from the copy.
    fn look(&self) -> Seen {
        let mut state = self.0.state();
        match (state.waiting.front(), &state.copy) {
            (Some(Waiting::Copied { offset, length }), Some(copy)) => {
                Seen::Copied { offset: *offset, length: *length, file: Arc::clone(&copy.file) }
            }
            (Some(_), _) => {
                let extent = state.take();
                drop(state);
                self.0.room.notify_one();
                extent.map_or(Seen::Dead, |extent| Seen::Event(Ok(Event::Extent(extent))))
            }
            (None, _) if !state.ended => Seen::Nothing,
            (None, _) => match state.end.take() {
                Some(end) => Seen::Event(end.map(Event::End)),
                None => Seen::Dead,
            },
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        *self.0.state() = State { closed: true, ..State::default() };
        self.0.room.notify_one();
    }
}

/// What the consumer finds.
enum Seen {
    Event(Result<Event, Error>),
    Copied { offset: u64, length: u64, file: Arc<File> },
    Nothing,
    Dead,
}

impl State {
    fn has_room_for(&self, more: u64) -> bool {
        self.held == 0 || self.held + more <= HELD
    }

    /// Lets go of the first extent that is held, if the copy has it.
    fn spill_to_cache(&mut self) -> bool {
        let Some(copy) = self.copy.as_ref().filter(|copy| !copy.failed) else { return false };
        let Some(first) = self.waiting.get_mut(self.copied) else { return false };
        if let Waiting::Held(extent @ Extent::Data { .. }) = first {
            let (offset, length) = (extent.offset(), extent.length());
            if offset + length > copy.written {
                return false;
            }
            *first = Waiting::Copied { offset, length };
            self.held -= length;
        }
        self.copied += 1;
        true
    }

    /// Takes the first one out; gives it if it is held.
    fn take(&mut self) -> Option<Extent> {
        let first = self.waiting.pop_front();
        self.copied = self.copied.saturating_sub(1);
        self.drop_failed_copy();
        match first? {
            Waiting::Held(extent) => {
                self.held -= memory(&extent);
                Some(extent)
            }
            Waiting::Copied { .. } => None,
        }
    }

    /// What failed is without a name already; closing it gives its room back.
    fn drop_failed_copy(&mut self) {
        if self.copied == 0 {
            self.copy.take_if(|copy| copy.failed);
        }
    }
}

/// Bytes of memory an extent holds.
fn memory(extent: &Extent) -> u64 {
    match extent {
        Extent::Data { bytes, .. } => bytes.len() as u64,
        Extent::Zero { .. } | Extent::Unmapped { .. } => 0,
    }
}

async fn read(file: Arc<File>, offset: u64, length: u64) -> io::Result<Bytes> {
    let reading = tokio::task::spawn_blocking(move || {
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, offset).map(|()| bytes.into())
    });
    reading.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests;
