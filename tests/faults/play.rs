//! Plays a case: builds its lab, flashes, looks at the medium from outside, boots from it, and compares with what must be.

use std::path::{Path, PathBuf};
use std::time::Duration;

use disk_image::Digest;
use flasher_core::flash::MediumState;
use flasher_core::{FlashJob, Receipt, Verdict};

use super::case::{Boots, Case, Content, Damage, Demand, Ends, Medium, Source};
use super::server::Origin;
use super::{boot, roots};
use crate::lab::{Lab, MEDIUM, noise, pack};

/// Length of the block that is erased first and written last, bytes.
const FIRST: usize = 64 * 1024;
/// Length of a mark of the capacity check, bytes, and most of them.
const PAGE: usize = 4096;
const MARKS: usize = 50;

/// How a case went.
pub(super) struct Played {
    pub(super) ended: String,
    pub(super) problems: Vec<String>,
    /// It said proven, and the medium does not hold the image.
    pub(super) false_success: bool,
}

pub(super) async fn play(case: &Case) -> Played {
    let mut lab = Lab::new(case.board);
    lab.board = format!("{}\n      {}", lab.board, case.board_config);
    lab.flasher = case.flasher.to_owned();
    lab.make_bootable();
    let old = lab.medium();
    let (content, other) = (content(case.image.content, 1), content(case.image.content, 2));
    let (image, origin) = source(case, &lab, &content, &other);
    let job = job(case, image, &content);
    let (receipt, _) = lab.flash(job).await;
    let mut problems = ending(case, &receipt);
    let medium = lab.medium();
    let seen = Seen { old: &old, content: &content, other: &other, medium: &medium };
    problems.extend(seen.problem(case.medium));
    problems.extend(seen.told_wrongly(&receipt, case.medium == Medium::Anything));
    match boot::boots(&lab.path("medium"), &content).await {
        Ok(boots) if seen.allows(case.boots, boots) => {}
        Ok(boots) => problems.push(format!("the board boots {boots:?}, not {:?}", case.boots)),
        Err(problem) => problems.push(problem),
    }
    if origin.is_some_and(|origin| origin.leaked.load(std::sync::atomic::Ordering::Relaxed)) {
        problems.push("a secret went to another server".to_owned());
    }
    if format!("{receipt:?}").contains("secret") {
        problems.push("a secret is on the receipt".to_owned());
    }
    let false_success = receipt.verdict != Verdict::Failed && !seen.holds(&content) && !seen.holds(&other);
    Played { ended: words(&receipt), problems, false_success }
}

/// The image of a case; `seed` makes it another one of the same length.
fn content(content: Content, seed: u64) -> Vec<u8> {
    let mut image = match content {
        Content::System => [noise(900_000, seed), vec![0; 2_200_000], noise(500_123, seed + 10)].concat(),
        Content::Data => noise(3_000_000, seed),
        Content::TooLong => noise(MEDIUM + 1, seed),
        Content::Full => noise(MEDIUM, seed),
        Content::Empty => Vec::new(),
    };
    if let Some(signature) = image.get_mut(510..512) {
        signature.copy_from_slice(&[0x55, 0xaa]);
    }
    image
}

/// Writes or serves the image; gives what to flash.
fn source(case: &Case, lab: &Lab, content: &[u8], other: &[u8]) -> (String, Option<Origin>) {
    let wrap = |content: &[u8]| {
        damaged(
            case.image.packed.map_or_else(|| content.to_vec(), |tool| pack(tool, content)),
            case.image.damage,
        )
    };
    match &case.source {
        Source::Url(url) => ((*url).to_owned(), None),
        Source::Http(path, answers) => {
            let origin = Origin::new(&wrap(content), &wrap(other), answers);
            (format!("http://{}/{path}", origin.address), Some(origin))
        }
        Source::File if case.image.damage == Damage::Missing => ("/nowhere/image".to_owned(), None),
        Source::File => (text(&lab.image(&wrap(content), None)), None),
    }
}

fn text(path: &Path) -> String {
    PathBuf::from(path).to_string_lossy().into_owned()
}

fn damaged(mut bytes: Vec<u8>, damage: Damage) -> Vec<u8> {
    match damage {
        Damage::None | Damage::Missing => {}
        Damage::Truncated => bytes.truncate(bytes.len() - 1000),
        Damage::Flipped => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
        }
        Damage::Garbage => bytes.extend_from_slice(b"something else"),
        Damage::NoMagic => bytes[..4].fill(b'#'),
    }
    bytes
}

fn job(case: &Case, image: String, content: &[u8]) -> FlashJob {
    let options = &case.options;
    let digest = |demand: Demand| match demand {
        Demand::Content => Digest::of(content).to_string(),
        Demand::Another => "00".repeat(32),
        Demand::NoDigest => "no digest".to_owned(),
    };
    FlashJob {
        target: options.target.map(str::to_owned),
        retries: case.retries,
        sha256: options.sha256.map(digest),
        check_first: options.check_first,
        bearer: options.bearer.then(|| "secret".to_owned()),
        deadline: options.deadline.map(Duration::from_secs),
        expect_boot: options.expect_boot.map(str::to_owned),
        ..FlashJob::new(image)
    }
}

/// How the receipt differs from what must be.
fn ending(case: &Case, receipt: &Receipt) -> Vec<String> {
    let mut problems = Vec::new();
    let attempts = match case.ends {
        Ends::Proven(attempts) => {
            if receipt.verdict != Verdict::Proven {
                problems.push(format!("not proven: {}", words(receipt)));
            }
            attempts
        }
        Ends::Failed(class, step, says, attempts) => {
            let fits = receipt.failure.as_ref().is_some_and(|failure| {
                (failure.class, failure.step) == (class, step) && failure.cause.contains(says)
            });
            if receipt.verdict != Verdict::Failed || !fits {
                problems.push(format!("{} and not {class} in {step}, `{says}`", words(receipt)));
            }
            let root = receipt.failure.as_ref().and_then(|failure| failure.diagnosis.as_ref());
            let root = root.map(|found| found.root_cause);
            let expected = roots::of(&case.name);
            if expected.is_some() && root != expected {
                problems.push(format!("the root cause is {root:?}, expected {expected:?}"));
            }
            if receipt.exit_code() != class.exit_code() {
                problems.push(format!("exit code {}", receipt.exit_code()));
            }
            attempts
        }
    };
    if receipt.attempts != attempts {
        problems.push(format!("{} attempts, expected {attempts}", receipt.attempts));
    }
    problems
}

/// How a flash ended, in a few words.
fn words(receipt: &Receipt) -> String {
    match &receipt.failure {
        None => format!("{:?} in {}", receipt.verdict, receipt.attempts),
        Some(failure) => {
            let cause: String = failure.cause.chars().take(110).collect();
            let root = failure.diagnosis.as_ref().map_or("-", |found| found.root_cause.code());
            format!("{} in {}, step {}, {root}: {cause}", failure.class, receipt.attempts, failure.step)
        }
    }
}

/// The medium and what could be on it.
struct Seen<'a> {
    old: &'a [u8],
    content: &'a [u8],
    other: &'a [u8],
    medium: &'a [u8],
}

impl Seen<'_> {
    /// A failure says what is on the medium, and it is there. What a medium itself does wrong is not the job's to know.
    fn told_wrongly(&self, receipt: &Receipt, is_broken: bool) -> Option<String> {
        let told = receipt.failure.as_ref()?.medium;
        let behind = |length: usize| self.medium[length.min(MEDIUM)..] == self.old[length.min(MEDIUM)..];
        let is_true = match told {
            None | Some(MediumState::Unknown) => false,
            Some(MediumState::Untouched | MediumState::Prepared) => self.medium == self.old,
            Some(MediumState::FirstBlockErased) => self.differing_pages() <= MARKS,
            Some(MediumState::PartlyWritten { to }) => {
                is_broken || behind(self.content.len()) && self.is_written(to as usize)
            }
            Some(MediumState::NotProven) => {
                is_broken || behind(self.content.len()) && self.medium != self.old
            }
            Some(MediumState::Differs { first_block_erased }) => {
                // A medium that flips a bit flips it in zeros, too.
                let erased = self.medium[..FIRST].iter().filter(|byte| **byte != 0).count() <= 1;
                !self.holds(self.content) && erased == first_block_erased
            }
            Some(MediumState::Proven) => self.holds(self.content) || self.holds(self.other),
        };
        (!is_true).then(|| format!("the failure says that the medium is {told:?}, and it is not"))
    }

    /// Whether one of the images is there up to here, but for its first block.
    fn is_written(&self, to: usize) -> bool {
        let is_there = |image: &[u8]| {
            let to = to.min(image.len());
            to <= FIRST || self.medium[FIRST..to] == image[FIRST..to]
        };
        is_there(self.content) || is_there(self.other)
    }

    /// How many pages behind the first block are not as they were.
    fn differing_pages(&self) -> usize {
        let (new, old) = (self.medium[FIRST..].chunks(PAGE), self.old[FIRST..].chunks(PAGE));
        new.zip(old).filter(|(new, old)| new != old).count()
    }

    /// Whether the medium holds this image whole, and behind it what was there before.
    fn holds(&self, image: &[u8]) -> bool {
        !image.is_empty()
            && self.medium.starts_with(image)
            && self.medium[image.len()..] == self.old[image.len()..]
    }

    fn allows(&self, expected: Boots, found: Boots) -> bool {
        match expected {
            Boots::OldOrNothing if self.medium == self.old => found == Boots::Old,
            Boots::OldOrNothing => found == Boots::Nothing,
            expected => found == expected,
        }
    }

    fn problem(&self, expected: Medium) -> Option<String> {
        let first = |image: &[u8]| self.medium[..65_536] == image[..image.len().min(65_536)];
        let wiped = !first(self.old) && !first(self.content) && !first(self.other);
        let is_so = match expected {
            Medium::New => self.holds(self.content),
            Medium::Old => self.medium == self.old,
            Medium::Wiped => wiped,
            Medium::OldOrWiped => wiped || self.medium == self.old,
            Medium::Anything => true,
        };
        (!is_so).then(|| format!("the medium is not {expected:?}"))
    }
}
