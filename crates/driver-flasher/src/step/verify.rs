//! Step 10: every range is read back around the page cache and compared; what differs is written once more.

use std::collections::BTreeMap;

use disk_image::{Digest, Image, Range, RangeKind};
use flasher_core::{Class, Content, Error, Event, Result, Step};

use super::shell::{Guest, path};
use super::target::Target;
use super::write::{self, Written};
use crate::config::seconds;
use crate::frames::parts;
use crate::guest::Answer;
use crate::transaction::Session;

/// Where a Linux drops its page cache (Documentation/admin-guide/sysctl/vm.rst).
const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";
/// How often the board is asked again for answers that were lost on the console.
const ASKED: usize = 3;

/// All ranges but the first are on the medium. Made by [`all`] alone.
pub(crate) struct Checked(());

pub(crate) async fn all(
    session: Session<'_>,
    image: &Image,
    target: &Target,
    written: &Written,
    guest: &mut Guest,
) -> Result<Checked> {
    let ranges = &written.summary.ranges;
    let all: Vec<usize> =
        (1..ranges.len()).filter(|index| ranges[*index].kind != RangeKind::DontCare).collect();
    let differing = compare(session, target, ranges, &all, guest).await?;
    if differing.is_empty() {
        return Ok(Checked(()));
    }
    session.run.warn(format!(
        "{} read back differently and {} written again",
        count(&differing),
        were(&differing)
    ));
    let again = differing.iter().map(|index| ranges[*index].clone()).collect();
    write::again(session, image, target, written, again, guest).await?;
    session.run.medium(|medium| differing.iter().for_each(|index| medium.ranges[*index].writes += 1));
    let still = compare(session, target, ranges, &differing, guest).await?;
    if still.is_empty() { Ok(Checked(())) } else { Err(differs(target, ranges, &still)) }
}

/// Reads ranges back; gives those that differ. An unreadable range is an error at once.
pub(crate) async fn compare(
    session: Session<'_>,
    target: &Target,
    ranges: &[Range],
    wanted: &[usize],
    guest: &mut Guest,
) -> Result<Vec<usize>> {
    let read = read(session, target, ranges, wanted, guest).await?;
    session.run.medium(|medium| {
        for (index, digest) in &read {
            medium.ranges[*index].read_back = Some(digest.to_string());
        }
    });
    Ok(wanted.iter().copied().filter(|index| read.get(index) != Some(&ranges[*index].sha256)).collect())
}

/// Digests of the wanted ranges, all of them: what the console swallowed is asked for again.
async fn read(
    session: Session<'_>,
    target: &Target,
    ranges: &[Range],
    wanted: &[usize],
    guest: &mut Guest,
) -> Result<BTreeMap<usize, Digest>> {
    let mut read = BTreeMap::new();
    for _ in 0..ASKED {
        let missing: Vec<usize> = wanted.iter().copied().filter(|index| !read.contains_key(index)).collect();
        if missing.is_empty() {
            return Ok(read);
        }
        for answer in ask(session, target, ranges, &missing, guest).await? {
            match answer {
                Answer::Range(index, digest) if missing.contains(&index) => {
                    read.insert(index, digest);
                }
                Answer::Unreadable(index, complaint) if missing.contains(&index) => {
                    return Err(unreadable(target, &ranges[index], &complaint));
                }
                Answer::Caches(how) => session.run.medium(|medium| medium.read_back = Some(how)),
                _ => {}
            }
        }
    }
    if wanted.iter().all(|index| read.contains_key(index)) {
        return Ok(read);
    }
    Err(Error::new(Class::Board, format!("the board's answers were lost {ASKED} times on the console"))
        .help("check the serial line; `cps` slows typing down"))
}

async fn ask(
    session: Session<'_>,
    target: &Target,
    ranges: &[Range],
    wanted: &[usize],
    guest: &mut Guest,
) -> Result<Vec<Answer>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    session.flasher.http.publish(&path(session, "ranges"), Content::bytes(list(ranges, wanted)))?;
    let url = format!("{}ranges", guest.url);
    let arguments = ["verify", target.device.as_str(), DROP_CACHES, url.as_str()];
    let one = seconds(session.flasher.config.timeouts.read_back);
    let watching = Watching::new(session, ranges, wanted);
    let answers = guest.script(&arguments, one * wanted.len() as u32 + one, Some(one)).await;
    drop(watching);
    session.flasher.http.withdraw(&path(session, "ranges"));
    let answers = answers?;
    match Guest::complaint(&answers, &target.device) {
        Some(error) => Err(error),
        None => Ok(answers),
    }
}

/// Turns the board's answers into progress as they come.
struct Watching<'a>(Session<'a>);

impl<'a> Watching<'a> {
    fn new(session: Session<'a>, ranges: &[Range], wanted: &[usize]) -> Self {
        let lengths: BTreeMap<usize, u64> =
            wanted.iter().map(|index| (*index, ranges[*index].length)).collect();
        let total = Some(lengths.values().sum());
        let progress = session.run.progress();
        let mut done = 0;
        session.run.listen(move |line| {
            if let Some(Answer::Range(index, _)) = crate::guest::answer(line) {
                done += lengths.get(&index).copied().unwrap_or_default();
                progress.report(Event::Advanced { step: Step::Verify, done, total });
            }
        });
        Self(session)
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.run.listen(|_| {});
    }
}

/// One line a range: its index, then up to three runs of equal blocks.
fn list(ranges: &[Range], wanted: &[usize]) -> String {
    let mut list = String::new();
    for index in wanted {
        list.push_str(&index.to_string());
        for part in parts(ranges[*index].offset, ranges[*index].length) {
            list.push_str(&format!(" {} {} {}", part.block, part.skip, part.count));
        }
        list.push('\n');
    }
    list
}

/// The failure of a medium that does not hold what was written.
pub(crate) fn differs(target: &Target, ranges: &[Range], still: &[usize]) -> Error {
    let places: Vec<String> = still.iter().take(8).map(|index| place(&ranges[*index])).collect();
    let more = if still.len() > places.len() {
        format!(" and {} more", still.len() - places.len())
    } else {
        String::new()
    };
    Error::new(
        Class::Medium,
        format!(
            "`{}` does not hold what was written: bytes {}{more} differ, twice",
            target.device,
            places.join(", ")
        ),
    )
    .with("device", target.device.clone())
    .help("the medium is bad or lies about its size; replace it")
}

fn unreadable(target: &Target, range: &Range, complaint: &str) -> Error {
    Error::new(
        Class::Medium,
        format!("`{}` cannot be read back at bytes {}: {complaint}", target.device, place(range)),
    )
    .with("device", target.device.clone())
    .help("the medium is bad; replace it")
}

fn place(range: &Range) -> String {
    format!("{}-{}", range.offset, range.offset + range.length - 1)
}

fn count(indices: &[usize]) -> String {
    if indices.len() == 1 { "1 range".to_owned() } else { format!("{} ranges", indices.len()) }
}

fn were(indices: &[usize]) -> &'static str {
    if indices.len() == 1 { "is" } else { "are" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(offset: u64, length: u64) -> Range {
        Range { offset, length, sha256: Digest::of(b""), kind: disk_image::RangeKind::Data }
    }

    #[test]
    fn ranges_are_asked_for_in_blocks_that_dd_can_count() {
        let ranges = [range(0, 65536), range(65536, 65536 * 3), range(65536 * 4, 513)];
        assert_eq!(list(&ranges, &[1, 2]), "1 65536 1 3\n2 512 512 1 1 262656 1\n");
    }

    #[test]
    fn a_bad_medium_is_named_with_the_bytes_that_differ() {
        let target = Target { device: "/dev/mmcblk0".to_owned(), size: 1 << 30 };
        let ranges = [range(0, 65536), range(65536, 100)];
        let error = differs(&target, &ranges, &[1]);
        assert_eq!(
            format!("{error:?}"),
            "medium error: `/dev/mmcblk0` does not hold what was written: bytes 65536-65635 differ, twice [device: /dev/mmcblk0]"
        );
    }
}
