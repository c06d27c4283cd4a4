//! What a case is: a board, an image and its way here, options, and what goes wrong.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::act::Act;

/// Bytes of every medium.
pub(crate) const MEDIUM: usize = 4 << 20;

/// One flash with something wrong.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) via: Via,
    pub(crate) personality: Personality,
    pub(crate) image: Image,
    pub(crate) old: Old,
    pub(crate) source: Source,
    pub(crate) options: Vec<Choice>,
    pub(crate) retries: u32,
    pub(crate) faults: Vec<InjectedFault>,
}

/// The way to the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// A simulated board and its small Linux.
    Linux,
    /// A simulated board and its U-Boot alone.
    Uboot,
    /// The medium of a simulated board as a disk of this machine: a loop device that a storage mux shows.
    Host,
    /// An emulated board with a real U-Boot.
    Emulated,
}

/// What kind of board it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Personality {
    /// Empty for the plain one.
    pub(crate) name: &'static str,
    pub(crate) settings: Vec<Setting>,
    /// The power switch tells its state when asked.
    pub(crate) power_tells: bool,
}

/// A value in the exporter YAML, below `export`.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// Keys with `/` between them.
    pub(crate) at: &'static str,
    pub(crate) value: Value,
}

/// What is to be flashed.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// Lengths of data and zeros, in turn.
    pub(crate) stretches: Vec<usize>,
    /// Tool that packs it; none for a raw image.
    pub(crate) packed: Option<&'static str>,
}

impl Image {
    pub(crate) fn len(&self) -> usize {
        self.stretches.iter().sum()
    }
}

/// What the medium held before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Old {
    /// Another system.
    Other,
    /// One byte, over and over.
    Plain,
    /// The image with a few stretches changed.
    Almost,
}

/// Where the image comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    File,
    /// A server, which serves parts when asked for, or does not.
    Server {
        parts: bool,
    },
    Pipe,
}

/// Options of the command line that belong together.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    pub(crate) words: Vec<String>,
}

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub(crate) struct InjectedFault {
    pub(crate) name: &'static str,
    pub(crate) effects: Vec<Effect>,
    /// How a flash may end because of it: class, and words of which the message has one (in lower case).
    pub(crate) ends: &'static [End],
    /// The medium does not keep, or not give, what was written: the program cannot know what is there.
    pub(crate) medium_lies: bool,
    /// The board may be left on, because its switch does not obey.
    pub(crate) power_lies: bool,
    /// The board may not get its medium back, because the storage mux does not obey.
    pub(crate) mux_lies: bool,
}

/// A class, and words of which the message has one.
pub(crate) type End = (&'static str, &'static [&'static str]);

/// What a fault does.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// A value in the exporter YAML.
    Set(Setting),
    /// The bytes of the source are damaged.
    Damage(Damage),
    /// The n-th request to the server gets the n-th answer, and the last one for ever.
    Answers(Vec<ServerAnswer>),
    /// What feeds the pipe stops after so many thousandths, and closes it or does not.
    Pipe { thousandths: usize, closes: bool },
    /// The power switch.
    Power(PowerFault),
    /// Further words on the command line.
    Words(Vec<String>),
    /// A file of the bundle is changed before the flash.
    Bundle(BundleFault),
    /// A file beside the image.
    Beside(&'static str, String),
    /// The disk with the cache has only so many bytes.
    SmallCache(u64),
    /// The storage mux.
    Mux(MuxFault),
    /// The disk that the storage mux shows is made with this option of `losetup`.
    Disk(&'static str),
    /// Another program has the disk open for itself.
    DiskInUse,
    /// The port that the exporter YAML names is taken.
    PortTaken,
    /// Something happens in the course of the flash.
    Later(Moment, Act),
}

/// A moment of a flash: so long after a step began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) step: &'static str,
    pub(crate) after: Duration,
}

/// What is wrong with the bytes of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// So many thousandths are left.
    CutTo(usize),
    /// One bit is changed, so many thousandths from the beginning.
    Flipped(usize),
    /// Something else comes behind.
    Behind,
    /// The first four bytes are others.
    NoMagic,
    Empty,
    /// A web page.
    Page,
    /// A file that is not there.
    Missing,
    /// Longer than the medium.
    TooLong,
}

/// What a request gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerAnswer {
    /// What was asked for.
    Whole,
    /// Another image, of another state of the server.
    Other,
    Status(u16),
    /// The connection is closed after so many thousandths of the body.
    CutAt(usize),
    /// In chunks, closed after so many thousandths.
    ChunksCutAt(usize),
    /// With no length, closed after so many thousandths.
    UnframedTo(usize),
    /// The length that is stated is so many thousandths of the real one.
    LengthOf(usize),
    /// Nothing more comes after so many thousandths.
    SilentAt(usize),
    /// In ten pieces with pauses.
    Slow,
    /// To itself.
    Redirect,
    /// Closed without a word.
    Nothing,
    /// Bytes that are no HTTP.
    Noise,
    /// A page where the image should be, as a captive portal gives it.
    Page,
    /// A part that begins elsewhere than the part that was asked for.
    WrongPart,
    /// It says that the body is packed for its way, and it is not.
    NotEncoded,
}

/// What the power switch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PowerFault {
    /// It refuses, so many times.
    Refuses(u32),
    /// It says yes and does nothing, for this order.
    Ignores(&'static str),
    /// It never answers.
    Hangs,
    /// It answers at once, and acts so many milliseconds later.
    Late(u64),
    /// It takes so many milliseconds.
    Slow(u64),
}

/// What the storage mux does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MuxFault {
    /// It refuses this order, so many times.
    Refuses(&'static str, u32),
    /// It says yes and does nothing, for this order.
    Ignores(&'static str),
    /// It answers at once, and the disk appears so many milliseconds later.
    Late(u64),
    /// It shows a plain file in place of a disk.
    ShowsFile,
}

/// What is wrong with the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BundleFault {
    KernelMissing,
    KernelEmpty,
    ManifestCut,
    ManifestSwapped,
}

impl Case {
    /// The case in one line.
    pub(crate) fn describe(&self) -> String {
        let source = match self.source {
            Source::File => "file",
            Source::Server { parts: true } => "server",
            Source::Server { parts: false } => "server-without-parts",
            Source::Pipe => "pipe",
        };
        let mut words = vec![format!("via-{}", self.via), source.to_owned()];
        words.extend(Some(self.personality.name).filter(|name| !name.is_empty()).map(str::to_owned));
        words.push(self.image.packed.unwrap_or("raw").to_owned());
        words.extend(self.options.iter().map(|choice| choice.name.to_owned()));
        words.push(format!("retries-{}", self.retries));
        let faults: Vec<&str> = self.faults.iter().map(|fault| fault.name).collect();
        format!("{} + {}", words.join(" "), faults.join(" + "))
    }

    pub(crate) fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.faults.iter().flat_map(|fault| &fault.effects)
    }

    /// Whether a simulated board is part of what is done.
    pub(crate) fn is_simulated(&self) -> bool {
        matches!(self.via, Via::Linux | Via::Uboot)
    }

    pub(crate) fn has(&self, choice: &str) -> bool {
        self.options.iter().any(|it| it.name == choice)
    }

    pub(crate) fn damage(&self) -> Option<Damage> {
        self.effects().find_map(|effect| match effect {
            Effect::Damage(damage) => Some(*damage),
            _ => None,
        })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linux => "linux",
            Self::Uboot => "uboot",
            Self::Host => "host",
            Self::Emulated => "emulated",
        })
    }
}
