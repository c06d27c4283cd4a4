//! What is on the medium, against what the program says of it.

use serde_json::Value;

use crate::act::Act;
use crate::case::{Case, Damage, Effect, ServerAnswer, Source};
use crate::content::{Contents, part, unpack};
use crate::observation::Observation;

/// Bytes that are spoiled first and written last.
const FIRST: usize = 64 * 1024;
/// Bytes of a mark of the check of capacity, and most such marks.
const PAGE: usize = 4096;
const MARKS: usize = 50;

/// The images that a proof may be about, and those of which parts may be on the medium.
#[derive(Debug)]
pub(crate) struct Images {
    pub(crate) right: Vec<Vec<u8>>,
    pub(crate) partial: Vec<Vec<u8>>,
}

impl Images {
    /// What the sources of the case give.
    pub(crate) fn of(case: &Case, contents: &Contents) -> Self {
        let mut right = Vec::new();
        let mut partial = vec![contents.image.clone(), contents.other.clone()];
        match (&contents.unpacked, case.damage()) {
            (_, Some(Damage::Missing | Damage::Empty | Damage::Page | Damage::TooLong | Damage::NoMagic)) => {
            }
            (Some((unpacked, is_whole)), _) => {
                partial.push(unpacked.clone());
                right.extend(Some(unpacked.clone()).filter(|_| *is_whole));
            }
            (None, _) => right.push(contents.image.clone()),
        }
        if gives_other(case) {
            right.push(contents.other.clone());
        }
        if let Some(shorter) = stated_shorter(case, contents) {
            partial.push(shorter.clone());
            right.push(shorter);
        }
        if case.has("sha256") {
            right.retain(|image| *image == contents.image);
        }
        let wrong_file = |effect: &Effect| matches!(effect, Effect::Beside(..)) && !case.has("sha256");
        if case.effects().any(|effect| matches!(effect, Effect::Words(_)) || wrong_file(effect)) {
            right.clear();
        }
        Self { right, partial }
    }
}

/// Whether another image stood at the source for a while.
fn gives_other(case: &Case) -> bool {
    case.effects().any(|effect| match effect {
        Effect::Answers(answers) => answers.contains(&ServerAnswer::Other),
        Effect::Later(_, act) => matches!(act, Act::ImageReplaced | Act::ImageRenamed),
        _ => false,
    })
}

/// A raw image of which the server states a smaller length is that much shorter for everybody.
fn stated_shorter(case: &Case, contents: &Contents) -> Option<Vec<u8>> {
    let Source::Server { .. } = case.source else { return None };
    case.effects().find_map(|effect| match effect {
        Effect::Answers(answers) => answers.iter().find_map(|answer| match answer {
            ServerAnswer::LengthOf(thousandths) if *thousandths < 1000 => {
                let length = part(contents.source.len(), *thousandths);
                let (image, is_whole) = unpack(case.image.packed, &contents.source[..length]).ok()?;
                is_whole.then_some(image)
            }
            _ => None,
        }),
        _ => None,
    })
}

/// Whether the medium holds one of these images whole; what stands behind it is as it was, unless the medium lies.
pub(crate) fn holds_any(images: &[Vec<u8>], contents: &Contents, seen: &Observation, lies: bool) -> bool {
    images.iter().any(|image| {
        let behind = || seen.medium[image.len()..] == contents.old[image.len()..];
        !image.is_empty() && seen.medium.starts_with(image) && (lies || behind())
    })
}

/// What is wrong with what the failure says of the medium; none when it is true.
pub(crate) fn wrong_statement(
    case: &Case,
    contents: &Contents,
    images: &Images,
    seen: &Observation,
    said: &Value,
) -> Option<String> {
    let lies = case.faults.iter().any(|fault| fault.medium_lies);
    let look = Look { contents, images, seen };
    let state = said["state"].as_str().unwrap_or_default();
    let is_true = match state {
        "untouched" | "prepared" => seen.medium == contents.old,
        "first-block-erased" => look.differing_pages() <= MARKS || lies,
        "partly-written" => {
            lies || look.untouched_behind() && look.is_written(said["to"].as_u64().unwrap_or(u64::MAX))
        }
        "not-proven" => lies || holds_any(&images.right, contents, seen, false),
        "differs" => lies || look.differs(said["first_block_erased"] == true),
        "proven" => holds_any(&images.right, contents, seen, lies),
        _ => false,
    };
    (!is_true).then(|| format!("it says of the medium {said}, and {}", look.describe()))
}

struct Look<'a> {
    contents: &'a Contents,
    images: &'a Images,
    seen: &'a Observation,
}

impl Look<'_> {
    /// Pages behind the first block that are not as they were.
    fn differing_pages(&self) -> usize {
        let (new, old) = (self.seen.medium[FIRST..].chunks(PAGE), self.contents.old[FIRST..].chunks(PAGE));
        new.zip(old).filter(|(new, old)| new != old).count()
    }

    fn untouched_behind(&self) -> bool {
        let longest = self.images.partial.iter().map(Vec::len).max().unwrap_or_default();
        let from = longest.min(self.seen.medium.len());
        self.seen.medium[from..] == self.contents.old[from..]
    }

    /// Whether one of the images is there up to here, but for its first block.
    fn is_written(&self, to: u64) -> bool {
        let to = usize::try_from(to).unwrap_or(usize::MAX);
        self.images.partial.iter().any(|image| {
            let to = to.min(image.len()).min(self.seen.medium.len());
            to <= FIRST || self.seen.medium[FIRST..to] == image[FIRST..to]
        })
    }

    fn differs(&self, erased: bool) -> bool {
        let is_erased = self.seen.medium[..FIRST].iter().all(|byte| *byte == 0);
        is_erased == erased && !holds_any(&self.images.right, self.contents, self.seen, false)
    }

    /// What is there, for who looks into it.
    fn describe(&self) -> String {
        let medium = &self.seen.medium;
        if *medium == self.contents.old {
            return "it is as it was".to_owned();
        }
        let first = |image: &[u8]| medium[..FIRST.min(image.len())] == image[..FIRST.min(image.len())];
        let begin = if first(&self.contents.image) {
            "new"
        } else if first(&self.contents.old) {
            "old"
        } else if medium[..FIRST].iter().all(|byte| *byte == 0) {
            "zeros"
        } else {
            "neither old nor new"
        };
        let image = &self.contents.image;
        let end = image.len().min(medium.len());
        let same = (FIRST..end).take_while(|at| medium[*at] == image[*at]).count();
        format!(
            "its first block is {begin}, the image is there from {FIRST} to {} of {}, and {} pages behind the first block are not as they were",
            FIRST + same,
            image.len(),
            self.differing_pages()
        )
    }
}
