//! Why a text is no YAML that is read here.

use std::fmt;

use crate::position::Position;

/// Longest text that is read, bytes.
pub const LARGEST_TEXT: usize = 1 << 20;
/// Deepest nesting that is read: lists and mappings within each other.
pub const DEEPEST: usize = 64;

/// One thing that is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    /// Where.
    pub position: Position,
    /// Keys and indexes that lead there, from the root.
    pub path: Vec<String>,
    /// What.
    pub kind: YamlErrorKind,
}

/// What can be wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum YamlErrorKind {
    /// It is longer than [`LARGEST_TEXT`].
    TooLarge {
        /// Its length in bytes.
        bytes: usize,
    },
    /// It has a NUL, so it is no text.
    NotText {
        /// Where the NUL stands, in bytes from the start.
        offset: usize,
    },
    /// The rules of YAML are broken.
    Syntax {
        /// What the scanner says.
        reason: String,
        /// What the line suggests.
        likely: LikelyCause,
    },
    /// Nested deeper than [`DEEPEST`].
    TooDeep,
    /// Its aliases unfold into too much.
    TooMuch,
    /// An alias stands inside the value that its anchor names.
    AliasInItself,
    /// There is a second document.
    SeveralDocuments,
    /// A key stands in its mapping already.
    Twice {
        /// The key.
        key: String,
    },
    /// A key is a number, a list or the like.
    KeyIsNoText {
        /// What it is, for messages.
        found: String,
    },
    /// A control character that stands in the text as it is (YAML 1.2.2, rule 1).
    ControlCharacter {
        /// It.
        character: char,
    },
    /// A tag such as `!secret`.
    Tag {
        /// The tag as written.
        tag: String,
    },
    /// `<<` has no mapping.
    Merge {
        /// What it has, for messages.
        found: String,
    },
}

/// What a line with a syntax error suggests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LikelyCause {
    /// An alias whose anchor is not above it.
    Alias,
    /// Indentation by tabs.
    Tab,
    /// Indentation, a colon, a quote.
    Other,
}

impl YamlErrorKind {
    /// What to do about it.
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            Self::TooLarge { .. } | Self::NotText { .. } => return None,
            Self::Syntax { likely: LikelyCause::Alias, .. } => {
                "an alias (`*name`) needs its anchor (`&name`) above it"
            }
            Self::Syntax { likely: LikelyCause::Tab, .. } => {
                "YAML is indented with spaces: replace the tabs of this line"
            }
            Self::Syntax { likely: LikelyCause::Other, .. } => {
                "look at this line and those around it: indentation, a missing `:` or quote"
            }
            Self::TooDeep => "nest fewer lists and mappings within each other",
            Self::TooMuch => "aliases (`*name`) repeat too much: write the values out",
            Self::AliasInItself => "write the value out in place of the alias",
            Self::SeveralDocuments => "keep one document in a file: remove what follows this line",
            Self::Twice { .. } => "keep one of them",
            Self::KeyIsNoText { .. } => "put the key in quotes",
            Self::ControlCharacter { .. } => "remove it, or write it as an escape in double quotes",
            Self::Tag { .. } => "remove the tag",
            Self::Merge { .. } => "give it an alias of a mapping: `<<: *name`",
        })
    }
}

impl fmt::Display for YamlErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes } => {
                write!(f, "the file has {bytes} bytes, at most {LARGEST_TEXT} are read")
            }
            Self::NotText { offset } => write!(f, "byte {offset} of the file is no text"),
            Self::Syntax { reason, .. } => write!(f, "this is not valid YAML: {reason}"),
            Self::TooDeep => write!(f, "nested deeper than {DEEPEST} levels"),
            Self::TooMuch => f.write_str("aliases make too much of this file"),
            Self::AliasInItself => f.write_str("the alias stands inside the value that it names"),
            Self::SeveralDocuments => f.write_str("a second document begins here, expected one"),
            Self::Twice { key } => write!(f, "the key `{key}` is given twice in the same mapping"),
            Self::KeyIsNoText { found } => write!(f, "expected a key that is text, found {found}"),
            Self::ControlCharacter { character } => {
                write!(f, "the control character U+{:04X} is not allowed in YAML", u32::from(*character))
            }
            Self::Tag { tag } => write!(f, "the tag `{tag}` has no meaning here"),
            Self::Merge { found } => {
                write!(f, "`<<` cannot be merged: expected a mapping or a list of mappings, found {found}")
            }
        }
    }
}

/// All that is wrong with a text, in the order of its lines. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlErrors(pub Vec<YamlError>);

impl fmt::Display for YamlErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{}: {}", error.position.line, error.position.column, error.kind)?;
        }
        Ok(())
    }
}

impl std::error::Error for YamlErrors {}
