//! What a case of the fault table says.

use flasher_core::{Class, Step};

use super::server::Answer;

/// One flash with something wrong.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) name: String,
    /// The image's content and wrapping.
    pub(super) image: Image,
    /// Where it comes from.
    pub(super) source: Source,
    /// Fault knobs of the simulated board (YAML, flow style).
    pub(super) board: &'static str,
    /// Further keys of the simulated board's config.
    pub(super) board_config: &'static str,
    /// Further keys of the flasher's config.
    pub(super) flasher: &'static str,
    pub(super) retries: u32,
    pub(super) options: Options,
    pub(super) ends: Ends,
    pub(super) medium: Medium,
    pub(super) boots: Boots,
}

/// Options of the job that some cases set.
#[derive(Clone, Default)]
pub(super) struct Options {
    pub(super) target: Option<&'static str>,
    /// Digest that is demanded: of nothing in the world, or of the content.
    pub(super) sha256: Option<Demand>,
    pub(super) check_first: bool,
    pub(super) bearer: bool,
    /// Bound on the job, seconds.
    pub(super) deadline: Option<u64>,
    pub(super) expect_boot: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    Content,
    Another,
    NoDigest,
}

/// What is in the image and what is wrong with it.
#[derive(Clone)]
pub(super) struct Image {
    pub(super) content: Content,
    /// Tool it is packed with.
    pub(super) packed: Option<&'static str>,
    pub(super) damage: Damage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// A system that boots: data, zeros, an odd tail.
    System,
    /// One byte more than the medium has.
    TooLong,
    /// Exactly as long as the medium.
    Full,
    /// Nothing.
    Empty,
    /// Data from the first to the last byte, so that a share of it is a share of the writing.
    Data,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    None,
    Truncated,
    Flipped,
    Garbage,
    /// The magic bytes are not there, so it is taken for a raw image.
    NoMagic,
    /// A file that is not there.
    Missing,
}

/// Where the image comes from.
#[derive(Clone)]
pub(super) enum Source {
    File,
    /// A server that gives the n-th request the n-th answer, and the last one for ever.
    Http(&'static str, Vec<Answer>),
    /// A URL as it stands.
    Url(&'static str),
}

/// How the flash must end.
#[derive(Clone, Copy)]
pub(super) enum Ends {
    /// Proven, after so many attempts.
    Proven(u32),
    /// In this class and step, with these words in the cause, after so many attempts.
    Failed(Class, Step, &'static str, u32),
}

/// What must be on the medium afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Medium {
    /// The image, whole, and nothing behind it changed.
    New,
    /// Exactly what was there before.
    Old,
    /// Something, but the first block is neither the old one nor the new one.
    Wiped,
    /// Wiped, or as it was before: the stream broke perhaps before the board had read its beginning.
    OldOrWiped,
    /// Nothing of a promise: the medium is broken.
    Anything,
}

/// What the board must boot from the medium afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Boots {
    /// The system of the image.
    New,
    /// The system that was there before.
    Old,
    /// Nothing: the boot loader finds no system.
    Nothing,
    /// The system that was there before when the medium is as it was, and nothing otherwise.
    OldOrNothing,
}

impl Case {
    /// A flash where nothing is wrong.
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            image: Image { content: Content::System, packed: None, damage: Damage::None },
            source: Source::File,
            board: "",
            board_config: "",
            flasher: "",
            retries: 0,
            options: Options::default(),
            ends: Ends::Proven(1),
            medium: Medium::New,
            boots: Boots::New,
        }
    }

    /// The same, ending in this failure before the medium was touched.
    pub(super) fn fails(self, class: Class, step: Step, says: &'static str) -> Self {
        let ends = Ends::Failed(class, step, says, 1);
        Self { ends, medium: Medium::Old, boots: Boots::Old, ..self }
    }

    /// The same, ending in this failure after writing began: the board boots nothing.
    pub(super) fn breaks(self, class: Class, step: Step, says: &'static str) -> Self {
        let ends = Ends::Failed(class, step, says, 1);
        match class {
            Class::Medium => Self { ends, medium: Medium::Wiped, boots: Boots::Nothing, ..self },
            _ => Self { ends, medium: Medium::OldOrWiped, boots: Boots::OldOrNothing, ..self },
        }
    }

    /// The same with so many retries, which help: proven after so many attempts.
    pub(super) fn helped(self, attempts: u32) -> Self {
        let name = format!("{}, then a retry", self.name);
        let ends = Ends::Proven(attempts);
        Self { name, retries: 2, ends, medium: Medium::New, boots: Boots::New, ..self }
    }

    /// The same with one retry, which does not help: the same failure twice.
    pub(super) fn in_vain(self) -> Self {
        let name = format!("{}, a retry in vain", self.name);
        let ends = match self.ends {
            Ends::Failed(class, step, says, _) => Ends::Failed(class, step, says, 2),
            proven => proven,
        };
        Self { name, retries: 1, ends, ..self }
    }

    /// The same with retries allowed that must not be made: no retry could help.
    pub(super) fn not_retried(self) -> Self {
        Self { retries: 2, ..self }
    }
}
