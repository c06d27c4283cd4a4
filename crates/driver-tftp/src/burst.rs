//! How many blocks go out at once to one client, and what is remembered of each client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Losses after the same number of blocks that show a limit on the way; fewer may be chance.
const ALIKE: u8 = 2;
/// Windows without loss before more goes out at once again.
const CLEAN: u8 = 4;
/// Clients remembered.
const REMEMBERED: usize = 1024;

/// How many blocks go out at once. Loss by chance changes nothing, for smaller bursts would not help; losses after the same
/// number of blocks again and again are a receive ring or a switch that overflows, and that number becomes the burst. It
/// doubles after some windows without loss, and after a loss all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Burst {
    size: u16,
    windowsize: u16,
    /// Blocks that came before the last loss.
    run: Option<u16>,
    alike: u8,
    clean: u8,
}

impl Burst {
    /// Pause between bursts of one window.
    pub(crate) const PAUSE: Duration = Duration::from_millis(1);

    /// A burst of a whole window.
    pub(crate) fn new(windowsize: u16) -> Self {
        Self { size: windowsize, windowsize, run: None, alike: 0, clean: 0 }
    }

    pub(crate) fn size(self) -> u16 {
        self.size
    }

    /// `blocks` of a window that was sent for the first time came, the next one did not.
    pub(crate) fn lost_after(&mut self, blocks: u64) {
        let run = (blocks % u64::from(self.size)) as u16;
        let is_alike = run > 0 && self.run.is_some_and(|before| before.abs_diff(run) <= 1);
        self.alike = if is_alike { self.alike.saturating_add(1) } else { 0 };
        (self.run, self.clean) = (Some(run), 0);
        if self.size < self.windowsize {
            self.grow(); // smaller bursts did not help
        } else if self.alike >= ALIKE {
            (self.size, self.alike) = (run, 0);
        }
    }

    /// Nothing was heard `times` times in a row; once may be one lost acknowledgement.
    pub(crate) fn nothing_heard(&mut self, times: u32) {
        self.clean = 0;
        if times > 1 {
            self.size = (self.size / 2).max(1);
        }
    }

    /// A whole window came.
    pub(crate) fn arrived(&mut self) {
        self.clean = self.clean.saturating_add(1);
        if self.clean >= CLEAN && self.size < self.windowsize {
            self.grow();
        }
    }

    fn grow(&mut self) {
        self.size = self.size.saturating_mul(2).min(self.windowsize);
        (self.clean, self.alike) = (0, 0);
    }
}

/// What the networks of clients took at once, so that the second file does not learn it anew.
#[derive(Debug, Default)]
pub(crate) struct BurstMemory(Mutex<HashMap<IpAddr, u16>>);

impl BurstMemory {
    /// The burst to begin with.
    pub(crate) fn recall(&self, peer: IpAddr, windowsize: u16) -> Burst {
        let size = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&peer).copied();
        let whole = Burst::new(windowsize);
        Burst { size: size.unwrap_or(windowsize).min(windowsize), ..whole }
    }

    /// Keeps what was learnt; whole windows need not be remembered.
    pub(crate) fn keep(&self, peer: IpAddr, burst: Burst) {
        let mut sizes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if burst.size == burst.windowsize {
            sizes.remove(&peer);
        } else if sizes.len() < REMEMBERED || sizes.contains_key(&peer) {
            sizes.insert(peer, burst.size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes of a burst of 16 when windows suffer: `Some(n)` loses after n blocks, none arrives whole.
    fn check(windows: &[Option<u64>], sizes: &[u16]) {
        let mut burst = Burst::new(16);
        let mut found = Vec::new();
        for window in windows {
            match window {
                Some(blocks) => burst.lost_after(*blocks),
                None => burst.arrived(),
            }
            found.push(burst.size());
        }
        assert_eq!(found, sizes, "{windows:?}");
    }

    #[test]
    fn a_limit_on_the_way_is_found_and_chance_is_not_taken_for_one() {
        check(&[Some(8), Some(8), Some(8)], &[16, 16, 8]);
        check(&[Some(8), Some(9), None, Some(8)], &[16, 16, 16, 8]);
        check(&[Some(3), Some(11), Some(5), Some(14), Some(1)], &[16; 5]);
        check(&[Some(0), Some(0), Some(0), Some(0)], &[16; 4]);
        check(&[Some(4), Some(4), Some(4), Some(2), Some(1), Some(7)], &[16, 16, 4, 8, 16, 16]);
        check(
            &[Some(4), Some(4), Some(4), None, None, None, None, None, None, None, None],
            &[16, 16, 4, 4, 4, 4, 8, 8, 8, 8, 16],
        );
    }

    #[test]
    fn silence_shrinks_it_to_single_blocks() {
        let mut burst = Burst::new(16);
        let sizes = (1..=6).map(|times| {
            burst.nothing_heard(times);
            burst.size()
        });
        assert_eq!(sizes.collect::<Vec<_>>(), [16, 8, 4, 2, 1, 1]);
    }

    #[test]
    fn the_next_file_of_a_client_begins_where_the_last_one_ended() {
        let (memory, peer) = (BurstMemory::default(), IpAddr::from([10, 0, 0, 2]));
        let mut burst = memory.recall(peer, 16);
        assert_eq!(burst, Burst::new(16));
        (0..3).for_each(|_| burst.lost_after(5));
        memory.keep(peer, burst);
        assert_eq!((memory.recall(peer, 16).size(), memory.recall(peer, 4).size()), (5, 4));
        assert_eq!(memory.recall([10, 0, 0, 3].into(), 16).size(), 16);
        memory.keep(peer, Burst::new(16));
        assert_eq!(memory.recall(peer, 16).size(), 16);
        for peer in 0..REMEMBERED as u32 + 10 {
            memory.keep(std::net::Ipv4Addr::from(peer).into(), burst);
        }
        assert_eq!(memory.0.lock().unwrap().len(), REMEMBERED);
    }
}
