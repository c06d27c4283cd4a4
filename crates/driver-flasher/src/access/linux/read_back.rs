//! What is on the medium, as digests: read around the page cache, and hashed here or on the board, whichever is faster.

mod board;
mod intake;
mod list;
pub(super) mod network;

use std::collections::BTreeMap;

use disk_image::Digest;
use flasher_core::Result;
use flasher_core::flash::DigestsBy;

use super::guest::Guest;
use super::script::Answer;
use crate::access::{ReadEvidence, Target, Wanted};
use crate::config::{ReadBack, seconds};
use network::Sent;

/// So much is read over the network before the paces are compared, bytes.
const TRIAL: u64 = 32 * 1024 * 1024;
/// A network of this pace is not compared with anything, bytes a second: few boards hash faster.
const FAST: f64 = 100e6;
/// What the network moves in less time is not worth having the board measured, seconds.
const WORTH_MEASURING: f64 = 1.0;
/// MiB that the board hashes to be measured.
const PACE: u32 = 8;

/// Digests of the wanted ranges as the medium holds them, all of them. A small reading beside the proof leaves no trace in how the
/// proof is read.
///
/// # Errors
/// When a range cannot be read, or the board cannot be asked.
pub(super) async fn digests(
    guest: &mut Guest<'_>,
    target: &Target,
    wanted: Wanted<'_>,
    evidence: &mut ReadEvidence,
) -> Result<BTreeMap<usize, Digest>> {
    let sends = guest.sends;
    let read = all(guest, target, wanted, evidence).await;
    if wanted.count.is_none() {
        guest.sends = sends;
    }
    read
}

async fn all(
    guest: &mut Guest<'_>,
    target: &Target,
    wanted: Wanted<'_>,
    evidence: &mut ReadEvidence,
) -> Result<BTreeMap<usize, Digest>> {
    let mut read = over_network(guest, target, wanted, evidence).await?;
    let left: Vec<usize> = wanted.indices.iter().copied().filter(|index| !read.contains_key(index)).collect();
    if !left.is_empty() {
        evidence.made_by(DigestsBy::Board);
        let wanted = Wanted { indices: &left, ..wanted };
        read.extend(board::digests(guest, target, wanted, evidence).await?);
    }
    Ok(read)
}

/// As much as the board sends and as is worth it: the rest is the board's to hash.
async fn over_network(
    guest: &mut Guest<'_>,
    target: &Target,
    wanted: Wanted<'_>,
    evidence: &mut ReadEvidence,
) -> Result<BTreeMap<usize, Digest>> {
    let (mut read, session) = (BTreeMap::new(), guest.session);
    let (trial, rest) = wanted.indices.split_at(trial(wanted));
    for (indices, left) in [(trial, rest), (rest, &[][..])] {
        if indices.is_empty() || !guest.sends || session.flasher.config.read_back == ReadBack::Board {
            break;
        }
        let portion = Wanted { indices, ..wanted };
        let within = match network::digests(guest, target, portion, evidence).await? {
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
        evidence.made_by(DigestsBy::Exporter);
        let pace = portion.length() as f64 / within.as_secs_f64();
        let left = Wanted { indices: left, ..wanted }.length() as f64 / pace;
        if left > WORTH_MEASURING && board_is_faster(guest, pace).await? {
            guest.sends = false;
        }
    }
    Ok(read)
}

/// How many of the first ranges make up the trial; all of them when the rest is not worth a comparison.
fn trial(wanted: Wanted<'_>) -> usize {
    let mut length = 0;
    let within = wanted.indices.iter().take_while(|index| {
        length += wanted.ranges[**index].length;
        length <= TRIAL
    });
    within.count().max(1).min(wanted.indices.len())
}

/// Whether the board hashes faster than the network moves bytes, at `pace` bytes a second.
async fn board_is_faster(guest: &mut Guest<'_>, pace: f64) -> Result<bool> {
    let session = guest.session;
    if pace >= FAST || session.flasher.config.read_back == ReadBack::Network {
        return Ok(false);
    }
    let within = seconds(session.flasher.config.timeouts.command);
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

#[cfg(test)]
mod tests {
    use disk_image::{Range, RangeKind};

    use super::*;

    #[test]
    fn a_trial_is_bounded_and_never_empty() {
        let mib = 1 << 20;
        let cases = [(vec![65536, 16 * mib, 16 * mib], 2), (vec![64 * mib, mib], 1), (vec![mib], 1)];
        for (lengths, expected) in cases {
            let range = |length| Range { offset: 0, length, sha256: Digest::of(b""), kind: RangeKind::Data };
            let ranges: Vec<Range> = lengths.iter().copied().map(range).collect();
            let indices: Vec<usize> = (0..ranges.len()).collect();
            assert_eq!(trial(Wanted::quietly(&ranges, &indices)), expected, "{lengths:?}");
        }
        assert_eq!(trial(Wanted::quietly(&[], &[])), 0);
    }
}
