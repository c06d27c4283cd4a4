//! How long a board may take nothing from the stream before it counts as standing still. Slow is not the same.
//!
//! What was delivered may still wait in the buffers of the connection, or, where the board writes through its page
//! cache, in its memory. Zeros hardly show in the stream at all, and are written all the same.

use std::collections::VecDeque;
use std::time::Duration;

use crate::config::DIALOGUE;

/// Most that waits in the buffers of a connection, bytes: Linux lets both sides grow to 4 to 6 MiB (tcp(7)).
const BUFFERED: u64 = 16 * 1024 * 1024;
/// Slowest medium whose last flush is waited for, bytes a second.
pub(super) const SLOWEST: u64 = 512 * 1024;
/// Slowest medium that is waited for while it writes zeros, bytes a second.
const SLOWEST_ZEROS: u64 = 4 * 1024 * 1024;
/// Longest wait for a flush, and for zeros.
const LONGEST_FLUSH: u64 = 600;
const LONGEST_ZEROS: u64 = 3600;

/// What the board may still be busy with.
pub(super) struct Patience {
    stall: Duration,
    /// Whether nothing waits in the board's memory.
    direct: bool,
    /// Bytes of the stream that were delivered, and bytes of the image that had left by then; the first pair is one that
    /// the board is done with for certain.
    course: VecDeque<(u64, u64)>,
}

impl Patience {
    /// `stall` is what a board gets that has nothing to be busy with; `direct` tells that it writes around its page cache.
    pub(super) fn new(stall: Duration, direct: bool) -> Self {
        Self { stall, direct, course: VecDeque::from([(0, 0)]) }
    }

    /// Notes how far the stream has come.
    pub(super) fn note(&mut self, delivered: u64, image: u64) {
        let beginning = self.course.len() == 1;
        match self.course.back_mut() {
            Some(last) if last.0 == delivered && !beginning => last.1 = image,
            _ => self.course.push_back((delivered, image)),
        }
        while self.course.get(1).is_some_and(|(at, _)| at + BUFFERED <= delivered) {
            self.course.pop_front();
        }
    }

    /// How long nothing may move now. Before anything was delivered the command may still be typed. `whole` tells that the whole
    /// stream was delivered: then the rest of it, the flush at its end and the board's answer are all that is left.
    pub(super) fn bound(&self, whole: bool) -> Duration {
        let (delivered, image) = self.course.back().copied().unwrap_or_default();
        let busy = image.saturating_sub(self.course.front().map_or(0, |(_, image)| *image));
        let flush = match (self.direct, whole) {
            (true, false) => 0,
            (true, true) => (busy / SLOWEST).min(LONGEST_FLUSH),
            (false, _) => (delivered / SLOWEST).min(LONGEST_FLUSH),
        };
        // Nothing was asked for yet: the command may still be on its way, on a noisy line character by character.
        let dialogue = if whole || delivered == 0 { DIALOGUE } else { Duration::ZERO };
        self.stall + dialogue + Duration::from_secs(flush + (busy / SLOWEST_ZEROS).min(LONGEST_ZEROS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// The bound after these pairs of delivered and image, MiB.
    fn bound(direct: bool, course: &[(u64, u64)], whole: bool) -> u64 {
        let mut patience = Patience::new(Duration::from_secs(20), direct);
        course.iter().for_each(|(delivered, image)| patience.note(delivered * MIB, image * MIB));
        patience.bound(whole).as_secs()
    }

    #[test]
    fn a_board_that_writes_directly_is_given_up_soon_in_the_middle() {
        let steady: Vec<(u64, u64)> = (0..=800).map(|at| (at, at)).collect();
        assert_eq!(bound(true, &[], false), 20 + 40, "the command may still be typed");
        assert_eq!(bound(true, &steady[..=4], false), 21);
        assert_eq!(bound(true, &steady, false), 24);
    }

    #[test]
    fn what_waits_at_the_end_or_in_memory_is_given_its_time() {
        let steady: Vec<(u64, u64)> = (0..=200).map(|at| (at, at)).collect();
        assert_eq!(bound(true, &steady, true), 20 + 40 + 32 + 4);
        assert_eq!(bound(false, &steady, false), 20 + 400 + 4);
        assert_eq!(bound(false, &[(1000, 1000)], true), 20 + 40 + 600 + 250);
    }

    #[test]
    fn zeros_that_the_board_still_writes_are_no_standstill() {
        let zeros = [(1, 1), (2, 2050), (9, 2057)];
        assert_eq!(bound(true, &zeros, false), 20 + 2057 / 4);
        // They become known while nothing moves.
        assert_eq!(bound(true, &[(1, 1), (1, 401)], false), 20 + 100);
        // More data than fits any buffer came after them: they are written.
        let behind: Vec<(u64, u64)> = (0..=17).map(|at| (2 + at, 2050 + at)).collect();
        assert_eq!(bound(true, &[&zeros[..1], &behind].concat(), false), 20 + 16 / 4);
    }
}
