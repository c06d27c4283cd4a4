//! The board's end of the serial line: keys that arrive, text that leaves, and what gets lost between.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::counters::CounterCells;
use crate::faults::{Dice, Faults};
use crate::serial_pty::SerialPty;

/// Control C.
pub(crate) const CTRL_C: u8 = 3;

/// Where the board prints. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    serial_pty: Arc<SerialPty>,
    tally: Arc<CounterCells>,
    garble: Option<u32>,
    /// Bytes that still leave.
    left: Arc<AtomicU64>,
    dice: Arc<Mutex<Dice>>,
}

impl Screen {
    pub(crate) fn new(serial_pty: Arc<SerialPty>, tally: Arc<CounterCells>, faults: &Faults) -> Self {
        let dice = Arc::new(Mutex::new(Dice::new(faults.seed ^ 0x0b)));
        let left = Arc::new(AtomicU64::new(faults.console_dies_after.map_or(u64::MAX, |size| size.0)));
        Self { serial_pty, tally, garble: faults.garble_console, left, dice }
    }

    /// Prints text; line ends become CR LF.
    pub(crate) fn print(&self, text: &str) {
        self.write(text.replace('\n', "\r\n").into_bytes());
    }

    /// Prints bytes as they are.
    pub(crate) fn write(&self, mut bytes: Vec<u8>) {
        if self.garble.is_some() {
            self.garble(&mut bytes);
        }
        bytes.truncate(self.leaves(bytes.len()));
        if !bytes.is_empty() {
            self.serial_pty.print(&bytes);
        }
    }

    /// How many of so many bytes leave.
    fn leaves(&self, count: usize) -> usize {
        let less = |left: u64| Some(left.saturating_sub(count as u64));
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).unwrap_or_default();
        usize::try_from(left).unwrap_or(usize::MAX).min(count)
    }

    fn garble(&self, bytes: &mut [u8]) {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        for byte in bytes {
            if dice.one_in(self.garble) {
                *byte ^= 1 << dice.below(7);
                self.tally.count(|counters| counters.garbled_characters += 1);
            }
        }
    }
}

/// What is typed on the board's console.
#[derive(Debug)]
pub(crate) struct Keys {
    input: mpsc::Receiver<Vec<u8>>,
    ahead: VecDeque<u8>,
    tally: Arc<CounterCells>,
    drop: Option<u32>,
    dice: Dice,
    /// Characters to lose next.
    skip: u32,
}

impl Keys {
    pub(crate) fn new(input: mpsc::Receiver<Vec<u8>>, tally: Arc<CounterCells>, faults: &Faults) -> Self {
        Self {
            input,
            ahead: VecDeque::new(),
            tally,
            drop: faults.drop_console,
            dice: Dice::new(faults.seed),
            skip: 0,
        }
    }

    /// The next character. Nothing is lost when the wait is given up.
    pub(crate) async fn next(&mut self) -> u8 {
        loop {
            if let Some(key) = self.ahead.pop_front() {
                return key;
            }
            self.receive().await;
        }
    }

    /// Waits for control C; what was typed before it is dropped then, and kept when the wait is given up.
    pub(crate) async fn ctrl_c(&mut self) {
        loop {
            if let Some(place) = self.ahead.iter().position(|&key| key == CTRL_C) {
                self.ahead.drain(..=place);
                return;
            }
            self.receive().await;
        }
    }

    /// From now on one in so many characters is lost.
    pub(crate) fn lose(&mut self, one_in: Option<u32>) {
        self.drop = one_in;
    }

    /// The next character to come is lost.
    pub(crate) fn lose_next(&mut self) {
        self.skip = 1;
    }

    /// Forgets what was typed ahead.
    pub(crate) fn flush(&mut self) {
        while self.input.try_recv().is_ok() {}
        self.ahead.clear();
    }

    async fn receive(&mut self) {
        let Some(bytes) = self.input.recv().await else { return std::future::pending().await };
        for byte in bytes {
            if self.skip > 0 {
                self.skip -= 1;
            } else if self.dice.one_in(self.drop) {
                self.tally.count(|counters| counters.dropped_characters += 1);
            } else {
                self.ahead.push_back(byte);
            }
        }
    }
}
