//! The board sends the bytes it reads, and they are hashed here: on a small processor the quicker way by far.
//!
//! Whatever goes wrong on the way makes digests differ or miss; only the exact bytes, in order and to the last, are a proof.

use std::sync::Arc;
use std::time::Duration;

use disk_image::{Digest, RangeHash};
use flasher_core::{Class, Content, Error, Result, RootCause, Upload};
use tokio::time::Instant;

use super::super::guest::{Guest, LONGEST, RANGES, READ_BACK, complaint, path};
use super::super::script::{Answer, ScriptError};
use super::intake::intake;
use super::list::{DROP_CACHES, cache_bypass, line};
use crate::access::{Broken, Incoming, ReadEvidence, Stretch, Take, Target, Wanted, take_into};
use crate::config::{DIALOGUE, seconds};
use crate::job::Count;

/// How often the upload is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How the board took being asked.
pub(super) enum Sent<T> {
    /// It sent everything: what was made of it.
    All(T),
    /// It did not: what went wrong, and the complaint. Nothing of what came counts: bytes could be
    /// missing anywhere.
    Not(ScriptError, String),
}

/// What came, hashed.
#[derive(Debug)]
pub(super) struct Hashed {
    /// Each wanted range's digest.
    pub(super) digests: Vec<(usize, Digest)>,
    /// From the first bytes to the last: what a board does before it sends says nothing of the network.
    pub(super) within: Duration,
}

/// Digests of the wanted ranges.
pub(super) async fn digests(
    guest: &mut Guest<'_>,
    target: &Target,
    wanted: Wanted<'_>,
    evidence: &mut ReadEvidence,
) -> Result<Sent<Hashed>> {
    let lengths = wanted.indices.iter().map(|index| (*index, wanted.ranges[*index].length)).collect();
    let count = wanted.count.cloned();
    let (take, hashed) =
        take_into(move |incoming| hash(incoming, lengths, count.as_ref()).map_err(Broken::Bytes));
    match send(guest, target, &stretches(wanted), take, evidence).await? {
        Sent::All(()) => hashed.made().map(Sent::All),
        Sent::Not(what, why) => Ok(Sent::Not(what, why)),
    }
}

/// Has the board send these stretches, for `take` to take them on a thread of its own.
///
/// # Errors
/// When the board does not send them, stands still, or `take` fails by itself.
pub(in super::super) async fn read(
    guest: &mut Guest<'_>,
    target: &Target,
    stretches: &[Stretch],
    take: Take,
    evidence: &mut ReadEvidence,
) -> Result<()> {
    match send(guest, target, stretches, take, evidence).await? {
        Sent::All(()) => Ok(()),
        Sent::Not(what, why) => Err(not_sent(&what, &why, target)),
    }
}

/// What came counts only when both sides say that it was everything.
async fn send(
    guest: &mut Guest<'_>,
    target: &Target,
    stretches: &[Stretch],
    take: Take,
    evidence: &mut ReadEvidence,
) -> Result<Sent<()>> {
    let session = guest.session;
    let http = session.http();
    let length = stretches.iter().map(|stretch| stretch.length).sum();
    let (upload, incoming) = intake(length);
    let taking = tokio::task::spawn_blocking(move || take(incoming));
    http.accept(&path(session, READ_BACK), upload.clone())?;
    let list = stretches.iter().enumerate().map(|(number, stretch)| line(number, *stretch));
    let list = Content::bytes(list.collect::<String>());
    http.publish(&path(session, RANGES), list.clone())?;
    let answers = ask(guest, target, (&list, &upload)).await;
    drop(upload);
    // A reader that still waits for bytes learns that none will come.
    http.withdraw(&path(session, READ_BACK));
    http.withdraw(&path(session, RANGES));
    let taken = taking.await.unwrap_or_else(|error| {
        Err(Broken::Ours(Error::new(Class::Internal, "a worker thread ended unexpectedly").because(error)))
    });
    judge(target, answers, taken, evidence)
}

async fn ask(
    guest: &mut Guest<'_>,
    target: &Target,
    (asked, upload): (&Content, &Upload),
) -> Result<Vec<Answer>> {
    let stall = seconds(guest.session.flasher.config.timeouts.stall);
    let (list, to) = (format!("{}ranges", guest.url), format!("{}read-back", guest.url));
    let length = upload.limit().to_string();
    let arguments = ["send", target.device.as_str(), DROP_CACHES, &list, &to, &length];
    tokio::select! {
        answers = guest.script(&arguments, LONGEST, None) => answers,
        error = standstill(stall, upload.limit(), || (asked.delivered(), upload.received())) => Err(error),
    }
}

fn judge(
    target: &Target,
    answers: Result<Vec<Answer>>,
    taken: Result<(), Broken>,
    evidence: &mut ReadEvidence,
) -> Result<Sent<()>> {
    // What the board says of a stream that we broke is only its consequence.
    let taken = match taken {
        Err(Broken::Ours(error)) => return Err(error),
        Err(Broken::Bytes(why)) => Err(why),
        Ok(()) => Ok(()),
    };
    let answers = answers?;
    evidence.cache_bypass = cache_bypass(&answers).or(evidence.cache_bypass);
    let not = |what: ScriptError, why: &str| Ok(Sent::Not(what, why.to_owned()));
    for answer in &answers {
        if let Answer::Error(what, why) = answer {
            return match complaint(&answers, &target.device) {
                Some(error) if *what == ScriptError::Caches => Err(error),
                _ => not(what.clone(), why),
            };
        }
    }
    match taken {
        _ if !answers.contains(&Answer::Sent) => not(ScriptError::Send, "it never said that all was sent"),
        Ok(()) => Ok(Sent::All(())),
        Err(why) => not(ScriptError::Send, &why),
    }
}

/// Returns when nothing moves any more; `moving` gives how many bytes of the list the board has fetched, and how many bytes it
/// has sent, of `whole`.
async fn standstill(stall: Duration, whole: u64, moving: impl Fn() -> (u64, u64)) -> Error {
    let (mut last, mut moved) = ((0, 0), Instant::now());
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        let now = moving();
        if now != last {
            (last, moved) = (now, Instant::now());
        }
        let is_asked = now == (0, 0) || now.1 == whole;
        let bound = if is_asked { stall + DIALOGUE } else { stall };
        if moved.elapsed() > bound {
            let (sent, bound) = (now.1, bound.as_secs());
            let text = format!("the reading back stands still after {sent} bytes, for {bound} s");
            return Error::infrastructure(text)
                .help("the board's network or its medium hangs; the console may say which");
        }
    }
}

/// Why the board did not send its medium; `what` is what failed there.
fn not_sent(what: &ScriptError, why: &str, target: &Target) -> Error {
    let device = &target.device;
    let error = match what {
        ScriptError::Read => Error::new(Class::Medium, format!("`{device}` cannot be read: {why}"))
            .help("the medium is bad; what can be read of it needs tools on the board itself").caused_by(RootCause::ReadError),
        ScriptError::NoSender => Error::new(
            Class::Config,
            "the board's Linux has nothing that can send what it reads: neither busybox's `nc -e`, `bash` nor `curl`",
        )
        .help("put one of them into the bundle's initramfs").caused_by(RootCause::ToolMissing),
        _ => Error::infrastructure(format!("reading `{device}` broke off: {why}")).caused_by(RootCause::TransferBroke)
            .help("check the network between board and exporter"),
    };
    error.with("device", device.clone())
}

/// Neighbours are read in one go; where one range ends and the next begins is known here.
fn stretches(wanted: Wanted<'_>) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for range in wanted.indices.iter().map(|index| &wanted.ranges[*index]) {
        match stretches.last_mut() {
            Some(last) if last.offset + last.length == range.offset => last.length += range.length,
            _ => stretches.push(Stretch { offset: range.offset, length: range.length }),
        }
    }
    stretches
}

/// Cuts the upload into ranges of these lengths and hashes each.
fn hash(
    mut incoming: Incoming,
    lengths: Vec<(usize, u64)>,
    count: Option<&Arc<Count>>,
) -> std::result::Result<Hashed, String> {
    let (mut chunk, mut done, mut digests) = (bytes::Bytes::new(), 0, Vec::new());
    let (mut hash, mut begun) = (RangeHash::default(), None);
    for (index, length) in lengths {
        let mut left = length;
        while left > 0 {
            if chunk.is_empty() {
                chunk = incoming.next()?.ok_or("the bytes ended before their ranges did")?;
                begun.get_or_insert_with(Instant::now);
            }
            let part = chunk.split_to(chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
            hash.update(&part);
            left -= part.len() as u64;
        }
        done += length;
        digests.push((index, hash.finish()));
        if let Some(count) = count {
            count.at(done);
        }
    }
    match chunk.is_empty() && incoming.next()?.is_none() {
        true => Ok(Hashed { digests, within: begun.map_or(Duration::ZERO, |begun| begun.elapsed()) }),
        false => Err("more bytes came than were asked for".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use disk_image::{Range, RangeKind};
    use futures_util::SinkExt;

    use super::*;

    /// When a board counts as standing still, in whole seconds: it fetches the list and sends bytes at these seconds.
    async fn stands_still_at(fetches: u64, sends: &'static [u64]) -> u64 {
        let begun = Instant::now();
        let moving = || {
            let now = begun.elapsed().as_secs();
            let sent = sends.iter().filter(|at| **at <= now).count() as u64;
            (u64::from(fetches <= now), sent)
        };
        let error = standstill(Duration::from_secs(20), 4, moving).await;
        assert!(error.to_string().contains(&format!("after {} bytes", sends.len())), "{error}");
        begun.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_is_typed_again_is_no_standstill() {
        assert_eq!(stands_still_at(1000, &[]).await, 60);
        assert_eq!(stands_still_at(50, &[]).await, 70);
        assert_eq!(stands_still_at(50, &[55, 70, 85]).await, 105);
        assert_eq!(stands_still_at(0, &[1]).await, 21);
        assert_eq!(stands_still_at(0, &[1, 2, 3, 4]).await, 64);
    }

    #[test]
    fn neighbours_are_read_in_one_go() {
        let range = |offset, length| Range { offset, length, sha256: Digest::of(b""), kind: RangeKind::Data };
        let mib = 1 << 20;
        let ranges = [range(0, 65536), range(65536, mib - 65536), range(mib, mib), range(2 * mib, 7)];
        let check = |indices: &[usize], expected: &[(u64, u64)]| {
            let expected =
                expected.iter().map(|(offset, length)| Stretch { offset: *offset, length: *length });
            assert_eq!(stretches(Wanted::quietly(&ranges, indices)), expected.collect::<Vec<_>>());
        };
        check(&[1, 2, 3], &[(65536, 2 * mib - 65536 + 7)]);
        check(&[0, 2], &[(0, 65536), (mib, mib)]);
    }

    async fn hashed(lengths: &[u64], chunks: &[&'static str]) -> std::result::Result<Vec<Digest>, String> {
        let (upload, incoming) = intake(lengths.iter().sum());
        let lengths = lengths.iter().copied().enumerate().collect();
        let hashing = tokio::task::spawn_blocking(move || hash(incoming, lengths, None));
        let mut sink = upload.open().unwrap();
        for chunk in chunks {
            sink.send(Bytes::from_static(chunk.as_bytes())).await.unwrap();
        }
        drop(sink);
        Ok(hashing.await.unwrap()?.digests.into_iter().map(|(_, digest)| digest).collect())
    }

    #[tokio::test]
    async fn ranges_are_cut_wherever_the_chunks_end() {
        let expected = vec![Digest::of(b"abc"), Digest::of(b"de"), Digest::of(b"f")];
        assert_eq!(hashed(&[3, 2, 1], &["abcdef"]).await, Ok(expected.clone()));
        assert_eq!(hashed(&[3, 2, 1], &["a", "bcd", "ef"]).await, Ok(expected));
    }

    #[tokio::test]
    async fn bodies_of_wrong_length_give_no_digest() {
        assert_eq!(hashed(&[3, 2, 1], &["abcde"]).await, Err("only 5 of 6 bytes came".to_owned()));
        let more = Err("more bytes came than were asked for".to_owned());
        assert_eq!(hashed(&[3], &["abc", "d"]).await, more);
        assert_eq!(hashed(&[3], &["abcd"]).await, more);
    }

    #[test]
    fn every_reason_for_not_sending_has_its_class_and_words() {
        let target = Target { device: "/dev/mmcblk0".to_owned(), size: 1, direct: true, old_table: false };
        let tell = |what: ScriptError, why: &str| format!("{:?}", not_sent(&what, why, &target));
        assert_eq!(
            tell(ScriptError::Read, "dd: Input/output error"),
            "medium error: `/dev/mmcblk0` cannot be read: dd: Input/output error [device: /dev/mmcblk0]"
        );
        assert_eq!(
            tell(ScriptError::NoSender, "nothing here can send what dd reads"),
            "config error: the board's Linux has nothing that can send what it reads: neither busybox's `nc -e`, `bash` nor `curl` [device: /dev/mmcblk0]"
        );
        assert_eq!(
            tell(ScriptError::Send, "the server does not answer"),
            "infrastructure error: reading `/dev/mmcblk0` broke off: the server does not answer [device: /dev/mmcblk0]"
        );
    }
}
