//! The board reads and hashes by itself: nothing travels but digests.

use std::collections::BTreeMap;

use disk_image::{Digest, Range};
use flasher_core::{Class, Content, Error, Result};

use super::{DROP_CACHES, Wanted, line, note_caches};
use crate::config::seconds;
use crate::guest::Answer;
use crate::job::Session;
use crate::step::shell::{Guest, path};
use crate::step::target::Target;
use crate::step::verify::place;

/// How often the board is asked again for answers that were lost on the console.
const ASKED: usize = 3;

/// Digests of the wanted ranges, all of them: what the console swallowed is asked for again.
pub(super) async fn digests(
    session: Session<'_>,
    target: &Target,
    wanted: Wanted<'_>,
    guest: &mut Guest,
) -> Result<BTreeMap<usize, Digest>> {
    let mut read = BTreeMap::new();
    for _ in 0..ASKED {
        let missing: Vec<usize> =
            wanted.indices.iter().copied().filter(|index| !read.contains_key(index)).collect();
        if missing.is_empty() {
            return Ok(read);
        }
        for answer in ask(session, target, Wanted { indices: &missing, ..wanted }, guest).await? {
            match answer {
                Answer::Range(index, digest) if missing.contains(&index) && !read.contains_key(&index) => {
                    Wanted { indices: &[index], ..wanted }.settle();
                    read.insert(index, digest);
                }
                Answer::Unreadable(index, complaint) if missing.contains(&index) => {
                    return Err(unreadable(target, &wanted.ranges[index], &complaint));
                }
                _ => {}
            }
        }
    }
    if wanted.indices.iter().all(|index| read.contains_key(index)) {
        return Ok(read);
    }
    Err(Error::new(Class::Board, format!("the board's answers were lost {ASKED} times on the console")).help(
        "check the serial line; in the config of the flasher's `serial` child, `cps: 100` slows typing down",
    ))
}

async fn ask(
    session: Session<'_>,
    target: &Target,
    wanted: Wanted<'_>,
    guest: &mut Guest,
) -> Result<Vec<Answer>> {
    let list: String = wanted.indices.iter().map(|index| listed(*index, &wanted.ranges[*index])).collect();
    session.flasher.http.publish(&path(session, "ranges"), Content::bytes(list))?;
    let url = format!("{}ranges", guest.url);
    let arguments = ["verify", target.device.as_str(), DROP_CACHES, url.as_str()];
    let one = seconds(session.flasher.config.timeouts.read_back);
    let watching = Watching::new(session, wanted);
    let answers = guest.script(&arguments, one * wanted.indices.len() as u32 + one, Some(one)).await;
    drop(watching);
    session.flasher.http.withdraw(&path(session, "ranges"));
    let answers = answers?;
    note_caches(session, &answers);
    match Guest::complaint(&answers, &target.device) {
        Some(error) => Err(error),
        None => Ok(answers),
    }
}

fn listed(index: usize, range: &Range) -> String {
    line(index, range.offset, range.length)
}

/// Turns the board's answers into progress as they come.
struct Watching<'a>(Session<'a>);

impl<'a> Watching<'a> {
    fn new(session: Session<'a>, wanted: Wanted<'_>) -> Self {
        let mut lengths: BTreeMap<usize, u64> =
            wanted.indices.iter().map(|index| (*index, wanted.ranges[*index].length)).collect();
        let count = wanted.count.cloned();
        let mut done = 0;
        session.run.listen(move |line| {
            if let (Some(count), Some(Answer::Range(index, _))) = (&count, crate::guest::answer(line)) {
                // An answer that is heard twice counts once.
                done += lengths.remove(&index).unwrap_or_default();
                count.at(done);
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

fn unreadable(target: &Target, range: &Range, complaint: &str) -> Error {
    Error::new(
        Class::Medium,
        format!("`{}` cannot be read back at bytes {}: {complaint}", target.device, place(range)),
    )
    .with("device", target.device.clone())
    .help("the medium is bad; replace it")
}
