//! What is on the medium of a job, as the job itself has written it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is on the medium of a job, as far as the job knows: it notes what it is about to do before it does it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum MediumState {
    /// Nothing was written.
    #[default]
    Untouched,
    /// Preflash commands were run, which may write, or an old partition table at the end was removed; nothing of the image was
    /// written.
    Prepared,
    /// The first block may be erased, so that nothing boots, and marks of the capacity check may be in a few places; nothing of the
    /// image was written.
    FirstBlockErased,
    /// The first block may be erased, and a part of the image may be there.
    PartlyWritten {
        /// The board has said that the image is written up to here, but for its first block: bytes from its beginning, or 0 when
        /// nothing is certain. What comes after may be old or new.
        to: u64,
    },
    /// All was written, and not all was read back.
    NotProven,
    /// All was written, and what was read back differs from the image, or a part of it could not be read.
    Differs {
        /// Whether the first block was erased afterwards, so that nothing boots.
        first_block_erased: bool,
    },
    /// All was read back and equals the image.
    Proven,
    /// The one who tells of the failure cannot know: the job ran elsewhere, and its receipt did not arrive.
    Unknown,
}

impl MediumState {
    /// What is there once `next` may have happened: a medium that holds a part of an image is not made better by another beginning.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let is_begun =
            !matches!(self, Self::Untouched | Self::Prepared | Self::FirstBlockErased | Self::Unknown);
        match (self, next) {
            (Self::Untouched, Self::Prepared) => Self::Prepared,
            (held, Self::Untouched | Self::Prepared) => held,
            (_, Self::FirstBlockErased) if is_begun => Self::PartlyWritten { to: 0 },
            (_, next) => next,
        }
    }

    /// What to do after a job that was stopped.
    pub fn next_step(self) -> &'static str {
        match self {
            Self::Untouched | Self::Prepared => {
                "nothing of the image was written; flash again when you are ready"
            }
            Self::FirstBlockErased | Self::PartlyWritten { .. } => {
                "the medium is not whole; flash again before booting from it"
            }
            Self::NotProven => {
                "the medium holds the whole image, not proven; flash again before you rely on it"
            }
            Self::Differs { .. } => "the medium holds wrong or unreadable bytes; do not boot from it",
            Self::Proven => {
                "the image is on the medium, whole and proven; only the rest of the job was not done"
            }
            Self::Unknown => "look at the job where it runs before you rely on the medium, or flash again",
        }
    }
}

/// In words for a person.
impl fmt::Display for MediumState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Untouched => "untouched: what was on it is still there",
            Self::Prepared => "prepared (preflash commands, old partition table); nothing of the image is on it",
            Self::FirstBlockErased => {
                "first block erased, so nothing boots from it; nothing of the image is on it"
            }
            Self::PartlyWritten { to: 0 } => {
                "partly written: the first block may be erased, and some of the image may be on it; do not boot from it"
            }
            Self::PartlyWritten { to } => {
                return write!(
                    f,
                    "partly written: the image up to byte {to}, as the board says, without its first block; do not boot from it"
                );
            }
            Self::NotProven => "the whole image, written and not proven",
            Self::Differs { first_block_erased: true } => {
                "the image with wrong or unreadable bytes; its first block is erased, so nothing boots from it"
            }
            Self::Differs { first_block_erased: false } => {
                "the image with wrong or unreadable bytes; it may boot, and is not to be trusted"
            }
            Self::Proven => "the whole image, proven",
            Self::Unknown => "unknown: the job ran elsewhere, and its receipt did not arrive",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::MediumState::{
        self, Differs, FirstBlockErased, NotProven, PartlyWritten, Prepared, Proven, Unknown, Untouched,
    };

    #[test]
    fn medium_state_over_images_and_attempts() {
        let (begun, half) = (PartlyWritten { to: 0 }, PartlyWritten { to: 1 << 20 });
        let wrong = Differs { first_block_erased: true };
        let cases: [(&[MediumState], MediumState); 9] = [
            (&[], Untouched),
            (&[Prepared], Prepared),
            (&[Prepared, FirstBlockErased], FirstBlockErased),
            (&[Prepared, FirstBlockErased, begun, half], half),
            (&[FirstBlockErased, half, Prepared], half),
            (&[FirstBlockErased, half, Prepared, FirstBlockErased], begun),
            (&[FirstBlockErased, half, NotProven, Proven], Proven),
            (&[FirstBlockErased, half, NotProven, wrong, FirstBlockErased], begun),
            (&[FirstBlockErased, half, NotProven, Proven, FirstBlockErased], begun),
        ];
        for (done, expected) in cases {
            let state = done.iter().fold(Untouched, |state, next| state.then(*next));
            assert_eq!(state, expected, "{done:?}");
        }
    }

    #[test]
    fn a_person_is_told_what_the_medium_is_good_for() {
        let all = [
            (Untouched, "untouched: what was on it is still there"),
            (Prepared, "prepared (preflash commands, old partition table); nothing of the image is on it"),
            (FirstBlockErased, "first block erased, so nothing boots from it; nothing of the image is on it"),
            (
                PartlyWritten { to: 0 },
                "partly written: the first block may be erased, and some of the image may be on it; do not boot from it",
            ),
            (
                PartlyWritten { to: 70_000 },
                "partly written: the image up to byte 70000, as the board says, without its first block; do not boot from it",
            ),
            (NotProven, "the whole image, written and not proven"),
            (
                Differs { first_block_erased: true },
                "the image with wrong or unreadable bytes; its first block is erased, so nothing boots from it",
            ),
            (
                Differs { first_block_erased: false },
                "the image with wrong or unreadable bytes; it may boot, and is not to be trusted",
            ),
            (Proven, "the whole image, proven"),
            (Unknown, "unknown: the job ran elsewhere, and its receipt did not arrive"),
        ];
        for (state, expected) in all {
            assert_eq!(state.to_string(), expected);
        }
    }

    #[test]
    fn a_receipt_says_the_state_as_a_word_and_how_far_as_a_number() {
        let cases = [
            (Untouched, r#"{"state":"untouched"}"#),
            (FirstBlockErased, r#"{"state":"first-block-erased"}"#),
            (PartlyWritten { to: 12 << 20 }, r#"{"state":"partly-written","to":12582912}"#),
            (Differs { first_block_erased: true }, r#"{"state":"differs","first_block_erased":true}"#),
        ];
        for (state, expected) in cases {
            let text = serde_json::to_string(&state).unwrap();
            assert_eq!(text, expected);
            assert_eq!(serde_json::from_str::<MediumState>(&text).unwrap(), state);
        }
    }
}
