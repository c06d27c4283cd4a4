//! The blocks sent and not yet acknowledged.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

/// A sliding window over the blocks of one transfer. Block 0 is the OACK, when there is one. Numbers here do not roll
/// over: there is one for every block of the file.
#[derive(Debug)]
pub(crate) struct Window {
    size: u64,
    /// Payloads from `base` on; that of block 0 is the whole OACK.
    blocks: VecDeque<Bytes>,
    /// First block not acknowledged.
    base: u64,
    /// Next block to be sent.
    next: u64,
    /// First block never sent.
    fresh: u64,
    /// Last block of the file, once it is known.
    last: Option<u64>,
}

/// What an acknowledgement means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AckMeaning {
    /// Everything sent has arrived.
    All { bytes: u64 },
    /// So many blocks have arrived; of what follows, something was lost, or is still under way.
    Some { bytes: u64, blocks: u64 },
    /// The last acknowledgement again.
    Again,
    /// Of no block in the window: late, or made up.
    Foreign,
}

impl Window {
    /// A window of `size` blocks, beginning with `option_ack` when there is one.
    pub(crate) fn new(size: u16, option_ack: Option<Vec<u8>>) -> Self {
        let base = u64::from(option_ack.is_none());
        let blocks = option_ack.into_iter().map(Bytes::from).collect();
        Self { size: size.into(), blocks, base, next: base, fresh: base, last: None }
    }

    /// The numbers of the blocks that may be sent now, at most so many; empty when the window is used up or the file has
    /// ended.
    pub(crate) fn due(&self, most: u16) -> Range<u64> {
        let size = if self.base == 0 { 1 } else { self.size };
        let end = (self.base + size).min(self.next + u64::from(most));
        let end = self.last.map_or(end, |last| end.min(last + 1));
        self.next..end.max(self.next)
    }

    /// Whether there is nothing to be sent now.
    pub(crate) fn is_used_up(&self) -> bool {
        self.due(1).is_empty()
    }

    /// The first block that was not made yet.
    pub(crate) fn unmade(&self) -> u64 {
        self.base + self.blocks.len() as u64
    }

    /// Payloads of blocks that were made.
    pub(crate) fn made(&self, numbers: Range<u64>) -> Vec<Bytes> {
        let skipped = usize::try_from(numbers.start - self.base).unwrap_or(usize::MAX);
        self.blocks.iter().skip(skipped).take((numbers.end - numbers.start) as usize).cloned().collect()
    }

    /// Adds the payload of the next block. `is_last` when it ends the file.
    pub(crate) fn add(&mut self, payload: Bytes, is_last: bool) {
        if is_last {
            self.last = Some(self.unmade());
        }
        self.blocks.push_back(payload);
    }

    /// The next `count` blocks went out; gives how many of them had been sent before.
    pub(crate) fn sent(&mut self, count: u64) -> u64 {
        let again = self.fresh.saturating_sub(self.next).min(count);
        self.next += count;
        self.fresh = self.fresh.max(self.next);
        again
    }

    /// Sends again from the first block that was not acknowledged.
    pub(crate) fn rewind(&mut self) {
        self.next = self.base;
    }

    /// Takes an acknowledgement of the block whose number ends in these 16 bits.
    pub(crate) fn take(&mut self, number: u16) -> AckMeaning {
        // At most 64 blocks are under way, so the 16 bits tell which one is meant.
        let distance = u64::from(number.wrapping_sub((self.base as u16).wrapping_sub(1)));
        if distance == 0 {
            return AckMeaning::Again;
        }
        if self.base + distance > self.fresh {
            return AckMeaning::Foreign;
        }
        let bytes = (0..distance).map(|_| self.drop_first()).sum();
        self.next = self.next.max(self.base);
        if self.next > self.base {
            AckMeaning::Some { bytes, blocks: distance }
        } else {
            AckMeaning::All { bytes }
        }
    }

    /// The numbers of the blocks under way: sent and not acknowledged.
    pub(crate) fn under_way(&self) -> Range<u64> {
        self.base..self.next
    }

    /// Whether the last block of the file is among those under way.
    pub(crate) fn ends_the_file(&self) -> bool {
        self.last.is_some_and(|last| self.under_way().contains(&last))
    }

    /// Whether every block of the file was acknowledged.
    pub(crate) fn is_finished(&self) -> bool {
        self.last.is_some_and(|last| self.base > last)
    }

    /// The number of the last block that was acknowledged, when any was; 0 is the OACK.
    pub(crate) fn acknowledged(&self) -> Option<u64> {
        self.base.checked_sub(1)
    }

    fn drop_first(&mut self) -> u64 {
        let payload = self.blocks.pop_front().unwrap_or_default();
        let bytes = if self.base == 0 { 0 } else { payload.len() as u64 };
        self.base += 1;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window of `size` at block `base`, all of it sent, payloads of one byte.
    fn full(size: u16, base: u64) -> Window {
        let mut window = Window::new(size, None);
        (window.base, window.next, window.fresh) = (base, base, base);
        while !window.is_used_up() {
            window.add(Bytes::from_static(b"x"), false);
            assert_eq!(window.sent(1), 0);
        }
        window
    }

    #[test]
    fn acknowledgements_move_the_window_across_the_rollover_too() {
        for base in [1, 1000, 65_530, 65_536, 65_537, 131_070] {
            let cases = [
                (-1, AckMeaning::Again, 0),
                (-2, AckMeaning::Foreign, 0),
                (0, AckMeaning::Some { bytes: 1, blocks: 1 }, 1),
                (3, AckMeaning::Some { bytes: 4, blocks: 4 }, 4),
                (7, AckMeaning::All { bytes: 8 }, 8),
                (8, AckMeaning::Foreign, 0),
                (30_000, AckMeaning::Foreign, 0),
            ];
            for (offset, heard, moved) in cases {
                let mut window = full(8, base);
                let number = (base as i64 + offset) as u16;
                assert_eq!(window.take(number), heard, "{base} {offset}");
                assert_eq!(window.base, base + moved, "{base} {offset}");
                assert_eq!(window.under_way(), base + moved..base + 8, "{base} {offset}");
            }
        }
    }

    #[test]
    fn an_acknowledgement_of_blocks_being_sent_again_counts() {
        let mut window = full(4, 1);
        window.rewind();
        assert_eq!(window.sent(1), 1);
        assert_eq!(window.take(4), AckMeaning::All { bytes: 4 });
        assert_eq!(window.due(100), 5..9);
    }

    #[test]
    fn the_option_acknowledgement_goes_alone_and_is_no_payload() {
        let mut window = Window::new(16, Some(b"\0\x06tsize\x001\0".to_vec()));
        assert_eq!(window.due(100), 0..1);
        assert_eq!(window.sent(1), 0);
        assert!(window.is_used_up());
        assert_eq!(window.take(0), AckMeaning::All { bytes: 0 });
        assert_eq!((window.due(100), window.due(3), window.unmade()), (1..17, 1..4, 1));
    }

    #[test]
    fn the_last_ack_finishes_the_transfer() {
        let mut window = Window::new(4, None);
        window.add(Bytes::new(), true);
        assert_eq!(window.due(100), 1..2);
        window.sent(1);
        assert_eq!((window.is_used_up(), window.is_finished()), (true, false));
        assert_eq!(window.take(1), AckMeaning::All { bytes: 0 });
        assert!(window.is_finished());
    }

    #[test]
    fn what_was_sent_before_is_counted_as_sent_again() {
        let mut window = full(4, 1);
        assert_eq!(window.take(2), AckMeaning::Some { bytes: 2, blocks: 2 });
        assert_eq!(window.due(100), 5..7);
        window.rewind();
        window.add(Bytes::from_static(b"x"), false);
        window.add(Bytes::from_static(b"x"), false);
        assert_eq!((window.due(100), window.made(3..7).len()), (3..7, 4));
        assert_eq!(window.sent(4), 2);
        assert!(window.is_used_up());
    }
}
