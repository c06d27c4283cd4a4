//! The board reads and hashes by itself: nothing travels but digests.

use std::collections::BTreeMap;

use disk_image::{Digest, Range};
use flasher_core::{Class, Content, Error, Result, RootCause};

use super::super::guest::{Guest, RANGES, complaint, path};
use super::super::script::{Answer, answer};
use super::list::{DROP_CACHES, cache_bypass, line};
use crate::access::{ReadEvidence, Stretch, Target, Wanted};
use crate::config::seconds;
use crate::job::{Listening, Session};
use crate::range_text::bytes_of;

/// How often the board is asked again for answers that were lost on the console.
const ASKED: usize = 3;

/// Digests of the wanted ranges, all of them: what the console swallowed is asked for again.
pub(super) async fn digests(
    guest: &mut Guest<'_>,
    target: &Target,
    wanted: Wanted<'_>,
    evidence: &mut ReadEvidence,
) -> Result<BTreeMap<usize, Digest>> {
    let mut read = BTreeMap::new();
    for _ in 0..ASKED {
        let missing: Vec<usize> =
            wanted.indices.iter().copied().filter(|index| !read.contains_key(index)).collect();
        if missing.is_empty() {
            return Ok(read);
        }
        for answer in ask(guest, target, Wanted { indices: &missing, ..wanted }, evidence).await? {
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
    Err(Error::new(Class::Board, format!("the board's answers were lost {ASKED} times on the console")).caused_by(RootCause::LineChangesCharacters).help(
        "check the serial line; in the config of the flasher's `serial` child, `cps: 100` slows typing down",
    ))
}

async fn ask(
    guest: &mut Guest<'_>,
    target: &Target,
    wanted: Wanted<'_>,
    evidence: &mut ReadEvidence,
) -> Result<Vec<Answer>> {
    let session = guest.session;
    let list: String = wanted.indices.iter().map(|index| listed(*index, &wanted.ranges[*index])).collect();
    session.http().publish(&path(session, RANGES), Content::bytes(list))?;
    let url = format!("{}ranges", guest.url);
    let arguments = ["verify", target.device.as_str(), DROP_CACHES, url.as_str()];
    let one = seconds(session.flasher.config.timeouts.read_back);
    let listening = listen(session, wanted);
    let answers = guest.script(&arguments, one * wanted.indices.len() as u32 + one, Some(one)).await;
    drop(listening);
    session.http().withdraw(&path(session, RANGES));
    let answers = answers?;
    evidence.cache_bypass = cache_bypass(&answers).or(evidence.cache_bypass);
    match complaint(&answers, &target.device) {
        Some(error) => Err(error),
        None => Ok(answers),
    }
}

fn listed(index: usize, range: &Range) -> String {
    line(index, Stretch { offset: range.offset, length: range.length })
}

/// Turns the board's answers into progress as they come.
fn listen(session: Session<'_>, wanted: Wanted<'_>) -> Listening {
    let mut lengths: BTreeMap<usize, u64> =
        wanted.indices.iter().map(|index| (*index, wanted.ranges[*index].length)).collect();
    let count = wanted.count.cloned();
    let mut done = 0;
    session.run.console.listen(move |line| {
        if let (Some(count), Some(Answer::Range(index, _))) = (&count, answer(line)) {
            // An answer that is heard twice counts once.
            done += lengths.remove(&index).unwrap_or_default();
            count.at(done);
        }
    })
}

fn unreadable(target: &Target, range: &Range, complaint: &str) -> Error {
    Error::new(
        Class::Medium,
        format!("`{}` cannot be read back at bytes {}: {complaint}", target.device, bytes_of(range)),
    )
    .with("device", target.device.clone())
    .help("the medium is bad; replace it")
    .caused_by(RootCause::ReadError)
}
