//! What is on the medium, as digests: read around the page cache, and hashed here or on the board, whichever is faster.

mod board;
mod count;
pub(super) mod intake;
pub(super) mod network;

use std::collections::BTreeMap;
use std::sync::Arc;

use disk_image::{Digest, Range};
use flasher_core::Result;

use super::shell::Guest;
use super::target::Target;
use crate::config::ReadBack;
use crate::frames::parts;
use crate::guest::Answer;
use crate::job::Session;
pub(crate) use count::Count;
use network::Sent;

/// Where a Linux drops its page cache (Documentation/admin-guide/sysctl/vm.rst).
const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";
/// So much is read over the network before the paces are compared, bytes.
const TRIAL: u64 = 32 * 1024 * 1024;
/// A network of this pace is not compared with anything, bytes a second: few boards hash faster.
const FAST: f64 = 100e6;
/// So much the board hashes to show its pace, MiB.
const PACE: u32 = 8;

/// The wanted ranges and where they are.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) ranges: &'a [Range],
    pub(crate) indices: &'a [usize],
    /// Where it is counted; nowhere when what is read is small, and no part of a proof.
    pub(crate) count: Option<&'a Arc<Count>>,
}

impl<'a> Wanted<'a> {
    /// A small reading beside the proof.
    pub(crate) fn quietly(ranges: &'a [Range], indices: &'a [usize]) -> Self {
        Self { ranges, indices, count: None }
    }

    /// All of it was read.
    fn settle(&self) {
        if let Some(count) = self.count {
            count.settle(self.length());
        }
    }

    fn length(&self) -> u64 {
        self.indices.iter().map(|index| self.ranges[*index].length).sum()
    }

    /// How many of the first ranges make up the trial; all of them when the rest is not worth a comparison.
    fn trial(&self) -> usize {
        let mut length = 0;
        let within = self.indices.iter().take_while(|index| {
            length += self.ranges[**index].length;
            length <= TRIAL
        });
        within.count().max(1).min(self.indices.len())
    }
}

/// Digests of the wanted ranges as the medium holds them, all of them.
///
/// # Errors
/// When a range cannot be read, or the board cannot be asked.
pub(crate) async fn digests(
    session: Session<'_>,
    target: &Target,
    wanted: Wanted<'_>,
    guest: &mut Guest,
) -> Result<BTreeMap<usize, Digest>> {
    let mut read = over_network(session, target, wanted, guest).await?;
    let left: Vec<usize> = wanted.indices.iter().copied().filter(|index| !read.contains_key(index)).collect();
    if !left.is_empty() {
        by(session, "board");
        read.extend(board::digests(session, target, Wanted { indices: &left, ..wanted }, guest).await?);
    }
    Ok(read)
}

/// As much as the board sends and as is worth it: the rest is the board's to hash.
async fn over_network(
    session: Session<'_>,
    target: &Target,
    wanted: Wanted<'_>,
    guest: &mut Guest,
) -> Result<BTreeMap<usize, Digest>> {
    let mut read = BTreeMap::new();
    let (trial, rest) = wanted.indices.split_at(wanted.trial());
    for (indices, left) in [(trial, rest), (rest, &[][..])] {
        if indices.is_empty() || !guest.sends || session.flasher.config.read_back == ReadBack::Board {
            break;
        }
        let portion = Wanted { indices, ..wanted };
        let within = match network::digests(session, target, portion, guest).await? {
            Sent::All(hashed) => {
                portion.settle();
                read.extend(hashed.digests);
                hashed.within
            }
            Sent::Not(what, why) => {
                session.run.note(format!(
                    "the board does not send what it reads, so it hashes itself: {what}: {why}"
                ));
                guest.sends = false;
                break;
            }
        };
        by(session, "exporter");
        let pace = portion.length() as f64 / within.as_secs_f64();
        if !left.is_empty() && board_is_faster(session, pace, guest).await? {
            guest.sends = false;
        }
    }
    Ok(read)
}

/// Whether the board hashes faster than the network moves bytes, at `pace` bytes a second.
async fn board_is_faster(session: Session<'_>, pace: f64, guest: &mut Guest) -> Result<bool> {
    if pace >= FAST || session.flasher.config.read_back == ReadBack::Network {
        return Ok(false);
    }
    let within = crate::config::seconds(session.flasher.config.timeouts.command);
    let answers = guest.script(&["pace", &PACE.to_string()], within, None).await?;
    let Some(hundredths) = answers.iter().find_map(|answer| match answer {
        Answer::Pace(hundredths) => Some(*hundredths),
        _ => None,
    }) else {
        return Ok(false);
    };
    let board = f64::from(PACE) * 1_048_576.0 / (hundredths.max(1) as f64 / 100.0);
    if board > pace {
        let text = "the board hashes faster than the network moves bytes";
        session.run.note(format!("{text}: {:.0} and {:.0} MB/s", board / 1e6, pace / 1e6));
    }
    Ok(board > pace)
}

/// Notes on the receipt who made digests.
fn by(session: Session<'_>, who: &str) {
    session.run.medium(|medium| match &mut medium.digests_by {
        Some(before) if before == who || before == "both" => {}
        Some(before) => "both".clone_into(before),
        none => *none = Some(who.to_owned()),
    });
}

/// Notes on the receipt how the board got its page cache out of the way.
fn note_caches(session: Session<'_>, answers: &[Answer]) {
    for answer in answers {
        if let Answer::Caches(how) = answer {
            session.run.medium(|medium| medium.read_back = Some(how.clone()));
        }
    }
}

/// One line for a stretch: its number, then its runs of equal blocks.
pub(super) fn line(number: usize, offset: u64, length: u64) -> String {
    let parts = parts(offset, length).into_iter();
    let runs: String = parts.map(|part| format!(" {} {} {}", part.block, part.skip, part.count)).collect();
    format!("{number}{runs}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(offset: u64, length: u64) -> Range {
        Range { offset, length, sha256: Digest::of(b""), kind: disk_image::RangeKind::Data }
    }

    #[test]
    fn ranges_are_asked_for_in_blocks_that_dd_can_count() {
        assert_eq!(line(1, 65536, 65536 * 3), "1 65536 1 3\n");
        assert_eq!(line(2, 65536 * 4, 513), "2 512 512 1 1 262656 1\n");
    }

    #[test]
    fn a_trial_is_bounded_and_never_empty() {
        let mib = 1 << 20;
        let cases = [(vec![65536, 16 * mib, 16 * mib], 2), (vec![64 * mib, mib], 1), (vec![mib], 1)];
        for (lengths, expected) in cases {
            let ranges: Vec<Range> = lengths.iter().map(|length| range(0, *length)).collect();
            let indices: Vec<usize> = (0..ranges.len()).collect();
            assert_eq!(Wanted::quietly(&ranges, &indices).trial(), expected, "{lengths:?}");
        }
        assert_eq!(Wanted::quietly(&[], &[]).trial(), 0);
    }
}
