//! A dump's place of write, verify and commit: the board sends its medium, sends or digests it a second time, and the file
//! gets its name once both are equal.
//!
//! One reading proves nothing: a medium may give something else each time, and the sums of a network are weak.

use std::sync::Arc;

use disk_image::{BLOCK, Digest, RANGE, Range, RangeKind};
use flasher_core::flash::RangeFacts;
use flasher_core::{Class, DumpJob, DumpSink, Error, Event, Progress, Result, RootCause, Step};
use sha2::{Digest as _, Sha256};

use super::{read_back, verify, write};
use crate::access::{Broken, Incoming, MediumAccess, Stretch, Target, Wanted};
use crate::blocking::blocking;
use crate::job::{Count, Proof, Session};
use crate::range_text::bytes_of_all;

/// What was read, and given to the sink.
pub(crate) struct Taken {
    sha256: Digest,
    length: u64,
    ranges: Vec<Range>,
}

/// A second reading was equal, as far as it was asked for. Made by [`again`] alone.
pub(crate) struct Checked(());

/// Reads the whole target into the job's sink.
pub(crate) async fn all(
    session: Session<'_>,
    dump: &DumpJob,
    target: &Target,
    access: &mut dyn MediumAccess,
) -> Result<Taken> {
    let (sink, length) = (Arc::clone(&dump.sink), target.size);
    blocking(move || sink.begin(length)).await?;
    let (sink, progress) = (Arc::clone(&dump.sink), session.run.progress());
    let take = move |incoming| take(incoming, length, sink.as_ref(), progress.as_ref());
    let taken = read_back::bytes(session, target, &[Stretch { offset: 0, length }], take, access).await?;
    record(session, &taken);
    Ok(taken)
}

fn record(session: Session<'_>, taken: &Taken) {
    session.run.record.image(|facts| {
        facts.decoded_length = Some(taken.length);
        facts.decoded_sha256 = Some(taken.sha256.to_string());
    });
    session.run.record.medium(|medium| medium.ranges = taken.ranges.iter().map(facts).collect());
}

fn facts(range: &Range) -> RangeFacts {
    let (offset, length, sha256) = (range.offset, range.length, range.sha256.to_string());
    RangeFacts { offset, length, kind: write::kind(range), sha256, read_back: None, writes: 0, held: false }
}

/// Gives what comes to the sink and digests it, in ranges and as a whole. Blocks its thread.
fn take(
    mut incoming: Incoming,
    length: u64,
    sink: &dyn DumpSink,
    progress: &dyn Progress,
) -> Result<Taken, Broken> {
    let (mut whole, mut ranges) = (Sha256::new(), Ranges::default());
    let mut done = 0;
    while let Some(mut chunk) = incoming.next().map_err(Broken::Bytes)? {
        whole.update(&chunk);
        sink.take(&chunk).map_err(Broken::Ours)?;
        done += chunk.len() as u64;
        while !chunk.is_empty() {
            let part = chunk.split_to(chunk.len().min(ranges.room()));
            ranges.push(&part);
        }
        progress.report(Event::Advanced { step: Step::Read, done, total: Some(length) });
    }
    let sha256 = <[u8; 32]>::from(whole.finalize()).into();
    Ok(Taken { sha256, length: done, ranges: ranges.finish() })
}

/// Cuts a stream into ranges of [`RANGE`] bytes, the first of one [`BLOCK`], each with its digest.
#[derive(Default)]
struct Ranges {
    done: Vec<Range>,
    offset: u64,
    length: u64,
    hasher: Sha256,
    has_data: bool,
}

impl Ranges {
    /// Bytes that still fit into the range under way, at least one.
    fn room(&self) -> usize {
        let end = if self.offset == 0 { BLOCK } else { RANGE - self.offset % RANGE };
        usize::try_from(end - self.length).unwrap_or(usize::MAX)
    }

    /// Takes at most [`Ranges::room`] bytes.
    fn push(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.has_data = self.has_data || bytes.iter().any(|byte| *byte != 0);
        self.length += bytes.len() as u64;
        if self.room() == 0 {
            self.close();
        }
    }

    fn close(&mut self) {
        let kind = if std::mem::take(&mut self.has_data) { RangeKind::Data } else { RangeKind::Zero };
        let sha256 = <[u8; 32]>::from(self.hasher.finalize_reset()).into();
        self.done.push(Range { offset: self.offset, length: self.length, sha256, kind });
        self.offset += std::mem::take(&mut self.length);
    }

    fn finish(mut self) -> Vec<Range> {
        if self.length > 0 {
            self.close();
        }
        self.done
    }
}

/// Reads the medium a second time, as much of it as the job asks for, and at least its first block.
pub(crate) async fn again(
    session: Session<'_>,
    target: &Target,
    taken: &Taken,
    access: &mut dyn MediumAccess,
) -> Result<Checked> {
    let (ranges, how) = (&taken.ranges, session.job.verify);
    let wanted: Vec<usize> =
        (0..ranges.len()).filter(|index| *index == 0 || how.reads(write::kind(&ranges[*index]))).collect();
    let length = wanted.iter().map(|index| ranges[*index].length).sum();
    let count = Count::new(session.run.progress(), Step::Verify, length);
    let wanted = Wanted { ranges, indices: &wanted, image: None, count: Some(&count) };
    let differing = verify::compare(session, target, wanted, access).await?;
    if !differing.is_empty() {
        return Err(differs(target, ranges, &differing));
    }
    session.run.record.medium(|medium| verify::note_whole(medium, &taken.sha256));
    Ok(Checked(()))
}

fn differs(target: &Target, ranges: &[Range], differing: &[usize]) -> Error {
    let text = format!(
        "`{}` was read twice and was not the same: bytes {} differ",
        target.device,
        bytes_of_all(ranges, differing)
    );
    Error::new(Class::Medium, text)
        .with("device", target.device.clone())
        .help("does something on the board write to it? otherwise the medium or the network is bad")
        .caused_by(RootCause::WritesLost)
}

/// What was taken has been checked.
pub(crate) fn proof(taken: &Taken, _checked: &Checked) -> Proof {
    Proof { decoded: taken.sha256, length: taken.length }
}

/// The file gets its name.
pub(crate) async fn keep(dump: &DumpJob) -> Result<()> {
    let sink = Arc::clone(&dump.sink);
    blocking(move || sink.keep()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_the_stream_wherever_its_chunks_end() {
        let content: Vec<u8> =
            (0..RANGE * 2 + 77).map(|at| if at < RANGE { (at % 251) as u8 } else { 0 }).collect();
        for chunk in [1000, 65_536, 100_003, content.len()] {
            let mut ranges = Ranges::default();
            for mut bytes in content.chunks(chunk) {
                while !bytes.is_empty() {
                    let (part, rest) = bytes.split_at(bytes.len().min(ranges.room()));
                    ranges.push(part);
                    bytes = rest;
                }
            }
            let ranges = ranges.finish();
            let cut: Vec<(u64, u64, RangeKind)> =
                ranges.iter().map(|range| (range.offset, range.length, range.kind)).collect();
            let expected = [
                (0, BLOCK, RangeKind::Data),
                (BLOCK, RANGE - BLOCK, RangeKind::Data),
                (RANGE, RANGE, RangeKind::Zero),
                (RANGE * 2, 77, RangeKind::Zero),
            ];
            assert_eq!(cut, expected, "{chunk}");
            for range in &ranges {
                let bytes = &content[range.offset as usize..(range.offset + range.length) as usize];
                assert_eq!(range.sha256, Digest::of(bytes), "{chunk} {}", range.offset);
            }
        }
    }

    #[test]
    fn a_medium_that_reads_differently_is_named_with_its_bytes() {
        let target = Target { device: "/dev/mmcblk0".to_owned(), size: 1, direct: true, old_table: false };
        let range = Range { offset: 0, length: BLOCK, sha256: Digest::of(b""), kind: RangeKind::Data };
        assert_eq!(
            format!("{:?}", differs(&target, &[range], &[0])),
            "medium error: `/dev/mmcblk0` was read twice and was not the same: bytes 0-65535 differ [device: /dev/mmcblk0]"
        );
    }
}
