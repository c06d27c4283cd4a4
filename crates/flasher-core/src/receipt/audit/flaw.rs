//! What an audit finds, and the images it looks at.

use std::fmt;

use crate::receipt::{FurtherImage, ImageFacts, MediumFacts, Receipt};

/// Why a receipt proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    place: String,
    what: &'static str,
}

impl Flaw {
    pub(super) fn new(place: impl Into<String>, what: &'static str) -> Self {
        Self { place: place.into(), what }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (`{}`)", self.what, self.place)
    }
}

/// Nothing, or the first flaw.
pub(super) type Audited = Result<(), Flaw>;

/// `what` is wrong at `place` unless `right`.
pub(super) fn demand(right: bool, place: impl Into<String>, what: &'static str) -> Audited {
    if right { Ok(()) } else { Err(Flaw::new(place, what)) }
}

/// One image of a receipt and where it is.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The image.
    pub image: &'a ImageFacts,
    /// The medium it was put on, or read from.
    pub medium: &'a MediumFacts,
}

/// The images of a receipt, each with its place in it; a flaw where one has no medium.
pub(super) fn parts(receipt: &Receipt) -> Result<Vec<(String, Part<'_>)>, Flaw> {
    let first = (String::new(), &receipt.image, &receipt.medium);
    let further = receipt.further.iter().enumerate();
    let further =
        further.map(|(index, FurtherImage { image, medium })| (format!("further[{index}]."), image, medium));
    let all = std::iter::once(first).chain(further);
    all.map(|(place, image, medium)| match medium {
        Some(medium) => Ok((place, Part { image, medium })),
        None => Err(Flaw::new(format!("{place}medium"), "it names no medium")),
    })
    .collect()
}

/// Whether it is there, and a SHA-256 in hex.
pub(super) fn is_digest(text: Option<&String>) -> bool {
    text.is_some_and(|text| {
        text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}
