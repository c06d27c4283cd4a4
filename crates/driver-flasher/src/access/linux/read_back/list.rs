//! Which bytes the script is to read: one line for a stretch, in blocks that `dd` can count.

use flasher_core::flash::CacheBypass;

use super::super::frames::parts;
use super::super::script::Answer;
use crate::access::Stretch;

/// Where a Linux drops its page cache (Documentation/admin-guide/sysctl/vm.rst).
pub(super) const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";

/// One line for a stretch: its number, then its runs of equal blocks.
pub(super) fn line(number: usize, Stretch { offset, length }: Stretch) -> String {
    let parts = parts(offset, length).into_iter();
    let runs: String = parts.map(|part| format!(" {} {} {}", part.block, part.skip, part.count)).collect();
    format!("{number}{runs}\n")
}

/// How the board got its page cache out of the way, if it says so.
pub(super) fn cache_bypass(answers: &[Answer]) -> Option<CacheBypass> {
    answers.iter().rev().find_map(|answer| match answer {
        Answer::Caches(how) => Some(*how),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_asked_for_in_blocks_that_dd_can_count() {
        assert_eq!(line(1, Stretch { offset: 65536, length: 65536 * 3 }), "1 65536 1 3\n");
        assert_eq!(line(2, Stretch { offset: 65536 * 4, length: 513 }), "2 512 512 1 1 262656 1\n");
    }
}
