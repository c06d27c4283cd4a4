//! The blocks sent and not yet acknowledged.

use std::collections::VecDeque;

use crate::packet::HEADER;

/// A sliding window over the packets of one transfer. Block 0 is the OACK, when there is one. Numbers here do not roll
/// over: there is one for every block of the file.
#[derive(Debug)]
pub(crate) struct Window {
    size: u64,
    /// Packets from `base` on.
    packets: VecDeque<Vec<u8>>,
    /// Packets to be used again.
    spare: Vec<Vec<u8>>,
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
pub(crate) enum Heard {
    /// Everything sent has arrived.
    All { bytes: u64 },
    /// Some has arrived, and what follows was lost.
    Some { bytes: u64 },
    /// The last acknowledgement again.
    Again,
    /// Of no block in the window: late, or made up.
    Foreign,
}

impl Window {
    /// A window of `size` blocks, beginning with `option_ack` when there is one.
    pub(crate) fn new(size: u16, option_ack: Option<Vec<u8>>) -> Self {
        let base = u64::from(option_ack.is_none());
        let packets = option_ack.into_iter().collect();
        Self { size: size.into(), packets, spare: Vec::new(), base, next: base, fresh: base, last: None }
    }

    /// The number of the block to be sent next; none when the window is used up or the file has ended.
    pub(crate) fn next(&self) -> Option<u64> {
        let size = if self.base == 0 { 1 } else { self.size };
        let in_window = self.next < self.base + size;
        let in_file = self.last.is_none_or(|last| self.next <= last);
        (in_window && in_file).then_some(self.next)
    }

    /// The packet to be sent next, when it was made before.
    pub(crate) fn made(&self) -> Option<&[u8]> {
        let at = usize::try_from(self.next - self.base).ok()?;
        self.packets.get(at).map(Vec::as_slice)
    }

    /// An empty packet to make the next block in.
    pub(crate) fn blank(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Adds the packet of the next block. `is_last` when it ends the file.
    pub(crate) fn add(&mut self, packet: Vec<u8>, is_last: bool) {
        if is_last {
            self.last = Some(self.base + self.packets.len() as u64);
        }
        self.packets.push_back(packet);
    }

    /// The next block went out; tells whether it had been sent before.
    pub(crate) fn sent(&mut self) -> bool {
        let again = self.next < self.fresh;
        self.next += 1;
        self.fresh = self.fresh.max(self.next);
        again
    }

    /// Sends again from the first block that was not acknowledged.
    pub(crate) fn rewind(&mut self) {
        self.next = self.base;
    }

    /// Takes an acknowledgement of the block whose number ends in these 16 bits.
    pub(crate) fn take(&mut self, number: u16) -> Heard {
        // At most 64 blocks are under way, so the 16 bits tell which one is meant.
        let distance = u64::from(number.wrapping_sub((self.base as u16).wrapping_sub(1)));
        if distance == 0 {
            return Heard::Again;
        }
        if self.base + distance > self.fresh {
            return Heard::Foreign;
        }
        let bytes = (0..distance).map(|_| self.drop_first()).sum();
        if self.next > self.base {
            // What follows is lost. Or an acknowledgement overtook blocks sent again: then they are sent once more.
            self.rewind();
            return Heard::Some { bytes };
        }
        self.next = self.base;
        Heard::All { bytes }
    }

    /// Whether every block of the file was acknowledged.
    pub(crate) fn is_finished(&self) -> bool {
        self.last.is_some_and(|last| self.base > last)
    }

    /// The number of the last block that was acknowledged, when any was.
    pub(crate) fn acknowledged(&self) -> Option<u64> {
        self.base.checked_sub(1)
    }

    fn drop_first(&mut self) -> u64 {
        let packet = self.packets.pop_front().unwrap_or_default();
        let bytes = if self.base == 0 { 0 } else { packet.len().saturating_sub(HEADER) as u64 };
        self.base += 1;
        self.spare.push(packet);
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
        while window.next().is_some() {
            if window.made().is_none() {
                window.add(vec![0; HEADER + 1], false);
            }
            window.sent();
        }
        window
    }

    #[test]
    fn acknowledgements_move_the_window_across_the_rollover_too() {
        for base in [1, 1000, 65_530, 65_536, 65_537, 131_070] {
            let cases = [
                (-1, Heard::Again, 0),
                (-2, Heard::Foreign, 0),
                (0, Heard::Some { bytes: 1 }, 1),
                (3, Heard::Some { bytes: 4 }, 4),
                (7, Heard::All { bytes: 8 }, 8),
                (8, Heard::Foreign, 0),
                (30_000, Heard::Foreign, 0),
            ];
            for (offset, heard, moved) in cases {
                let mut window = full(8, base);
                let number = (base as i64 + offset) as u16;
                assert_eq!(window.take(number), heard, "{base} {offset}");
                assert_eq!(window.base, base + moved, "{base} {offset}");
                let resent = matches!(heard, Heard::Some { .. } | Heard::All { .. });
                assert_eq!(window.next, if resent { window.base } else { base + 8 }, "{base} {offset}");
            }
        }
    }

    #[test]
    fn an_acknowledgement_of_blocks_being_sent_again_counts() {
        let mut window = full(4, 1);
        window.rewind();
        window.sent();
        assert_eq!(window.take(4), Heard::All { bytes: 4 });
        assert_eq!(window.next(), Some(5));
    }

    #[test]
    fn the_option_acknowledgement_goes_alone_and_is_no_payload() {
        let mut window = Window::new(16, Some(b"\0\x06tsize\x001\0".to_vec()));
        assert_eq!(window.next(), Some(0));
        assert!(!window.sent());
        assert_eq!(window.next(), None);
        assert_eq!(window.take(0), Heard::All { bytes: 0 });
        assert_eq!(window.next(), Some(1));
    }

    #[test]
    fn the_transfer_is_finished_when_the_last_block_is_acknowledged() {
        let mut window = Window::new(4, None);
        window.add(vec![0; HEADER], true);
        window.sent();
        assert_eq!((window.next(), window.is_finished()), (None, false));
        assert_eq!(window.take(1), Heard::All { bytes: 0 });
        assert!(window.is_finished());
    }
}
