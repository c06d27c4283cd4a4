//! The last entries of a record, kept in memory.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use console_record::{ConsoleEntry, Direction, Sink};

/// What is kept, in bytes.
pub(super) const KEPT: usize = 1024 * 1024;

/// Longer lines are cut in [`Memory::tail`], in characters.
pub(super) const TAIL_WIDTH: usize = 200;

/// A sink that keeps the last 1 MiB.
#[derive(Default)]
pub(super) struct Memory {
    recent: Mutex<Recent>,
}

#[derive(Default)]
struct Recent {
    entries: VecDeque<ConsoleEntry>,
    bytes: usize,
}

impl Memory {
    /// The last `lines` lines that the board printed, of which `unfinished` is the newest, oldest first. `own` gives what of a line is the
    /// board's own; blank lines are left out, and equal lines in a row are shown once.
    pub(super) fn tail(
        &self,
        unfinished: &str,
        lines: usize,
        own: impl for<'l> Fn(&'l str) -> Option<&'l str>,
    ) -> Vec<String> {
        let recent = self.recent();
        let received = recent.entries.iter().rev().filter(|entry| entry.direction == Direction::Received);
        let newest_first = std::iter::once(unfinished).chain(received.map(|entry| entry.text.as_str()));
        let mut boards = newest_first.filter_map(own).map(str::trim_end);
        let mut tail: Vec<&str> = Vec::new();
        while let Some(line) = boards.next().filter(|_| tail.len() < lines) {
            if tail.last() != Some(&line) {
                tail.push(line);
            }
        }
        tail.into_iter().rev().map(shortened).collect()
    }

    /// All entries, one a line.
    pub(super) fn render(&self) -> String {
        self.recent().entries.iter().map(|entry| format!("{entry}\n")).collect()
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.recent().bytes
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Memory {
    fn take(&self, entry: &ConsoleEntry) {
        let mut recent = self.recent();
        recent.bytes += bytes_of(entry);
        recent.entries.push_back(entry.clone());
        while recent.bytes > KEPT {
            let Some(oldest) = recent.entries.pop_front() else { return };
            recent.bytes -= bytes_of(&oldest);
        }
    }
}

fn bytes_of(entry: &ConsoleEntry) -> usize {
    entry.text.len() + size_of::<ConsoleEntry>()
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(TAIL_WIDTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
