//! What can be wrong with a bundle, in words for the person who wrote or chose it.

use std::{fmt, io, path::PathBuf};

use flasher_base::blame::{Blame, Blamed};
use strict_yaml::{YamlError, YamlErrors};

use crate::words::{choices, printable, quoted};

/// Why a manifest or bundle cannot be used. Nothing was touched on any board.
///
/// All are faults of the bundle or of the choice made from it, except an [`Error::Io`] that is the machine's.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The manifest is longer than [`crate::MAX_MANIFEST_LENGTH`].
    #[error("{origin}: a manifest may have at most {limit} bytes; is this really a flash bundle manifest?")]
    TooLarge {
        /// File name of the manifest.
        origin: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The manifest has no content.
    #[error("{origin}: the file is empty; expected a flash bundle manifest in YAML")]
    Empty {
        /// File name of the manifest.
        origin: String,
    },
    /// The manifest is binary.
    #[error("{origin}: not a text file (byte {offset}); expected a flash bundle manifest in YAML")]
    NotText {
        /// File name of the manifest.
        origin: String,
        /// Where the first byte that is not text stands, in bytes from the start.
        offset: usize,
    },
    /// The manifest is not YAML, or YAML made to exhaust its reader.
    #[error("{}", no_yaml(.origin, .errors))]
    Yaml {
        /// File name of the manifest.
        origin: String,
        /// What is wrong, each with its line and column.
        errors: YamlErrors,
    },
    /// The manifest is YAML but not a manifest: every problem found, not only the first.
    #[error("{}", invalid(.origin, .problems))]
    Invalid {
        /// File name of the manifest.
        origin: String,
        /// What is wrong, each with its place.
        problems: Problems,
    },
    /// `spec.inherits` names no board of this build.
    #[error("{origin}: `spec.inherits` names {}, which is no known board; give a full manifest or another base", quoted(.name))]
    UnknownBase {
        /// File name of the manifest, or name of the base, that inherits.
        origin: String,
        /// The base that was not found.
        name: String,
    },
    /// A chain of `spec.inherits` comes back to where it was.
    #[error("{origin}: `spec.inherits` goes in a circle: {}; remove one of them", printable(&.chain.join(" -> ")))]
    InheritsInCircle {
        /// File name of the manifest.
        origin: String,
        /// The bases in order; the last one is among those before it.
        chain: Vec<String>,
    },
    /// The variant asked for is not in the manifest.
    #[error("manifest {} has no device-tree variant {}; {}", quoted(.manifest), quoted(.name), choices(.name, .known))]
    UnknownVariant {
        /// Name of the manifest.
        manifest: String,
        /// The variant asked for.
        name: String,
        /// The variants there are.
        known: Vec<String>,
    },
    /// A variant was asked for and the manifest has no `spec.dtb`.
    #[error("manifest {} has no device-tree variants, so {} cannot be chosen; leave the variant out", quoted(.manifest), quoted(.name))]
    NoVariants {
        /// Name of the manifest.
        manifest: String,
        /// The variant asked for.
        name: String,
    },
    /// The target asked for is not in the manifest.
    #[error("manifest {} has no target {}; {}", quoted(.manifest), quoted(.name), choices(.name, .known))]
    UnknownTarget {
        /// Name of the manifest.
        manifest: String,
        /// The target asked for.
        name: String,
        /// The targets there are.
        known: Vec<String>,
    },
    /// Neither the variant nor `spec.bootcmd` says how to boot.
    #[error("manifest {} has no boot command{}; set `spec.bootcmd`", quoted(.manifest), for_variant(.variant))]
    NoBootCommand {
        /// Name of the manifest.
        manifest: String,
        /// The variant that was chosen.
        variant: Option<String>,
    },
    /// Files that the manifest names are missing or cannot be used: all of them, not only the first.
    #[error("bundle {}: {problems}", quoted(&.dir.display().to_string()))]
    Files {
        /// Folder of the bundle.
        dir: PathBuf,
        /// What is wrong, each with the key of the manifest that names the file.
        problems: Problems,
    },
    /// A file is not what it was when it was pulled.
    #[error("{} has the digest {}, it had {} when it was pulled: damaged on disk; remove {}, it is fetched anew", quoted(&.path.display().to_string()), .found.prefixed(), .expected.prefixed(), quoted(&.path.display().to_string()))]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its digest when it was pulled.
        expected: crate::Digest,
        /// Its digest now.
        found: crate::Digest,
    },
    /// The machine refused to read the bundle.
    #[error("cannot read {}: {source}; check that it exists and may be read", quoted(&.path.display().to_string()))]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the machine says.
        source: io::Error,
    },
}

impl Blamed for Error {
    fn blame(&self) -> Blame {
        match self {
            // The config that named the file is to blame when it is missing or may not be read, the machine for everything else.
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::IsADirectory
                | io::ErrorKind::PermissionDenied => Blame::CONFIG,
                _ => Blame::LASTING,
            },
            _ => Blame::CONFIG,
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line that is to blame, when there is one.
    pub place: Option<FilePlace>,
    /// The place in the manifest, such as `spec.kernel.address`.
    pub path: String,
    /// What is wrong there and what was expected.
    pub message: String,
}

/// A line of a manifest, or of one that it inherits from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePlace {
    /// File name of the manifest, or name of the board that it is of.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
}

/// All that is wrong. Shown one a line, at most twenty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

/// Something in a manifest that does not stop it from loading but is likely a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub(crate) path: String,
    pub(crate) message: String,
}

impl Warning {
    /// The place in the manifest, such as `spec.initramfs`.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(FilePlace { file, line, column }) = &self.place {
            write!(f, "{}:{line}:{column}: ", printable(file))?;
        }
        write!(f, "{}: {}", quoted(&self.path), self.message)
    }
}

const MOST_SHOWN: usize = 20;

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&each_on_a_line(&self.0))
    }
}

/// One problem as it is; several with their count, one a line.
fn each_on_a_line(problems: &[impl fmt::Display]) -> String {
    if let [only] = problems {
        return only.to_string();
    }
    let shown = problems.iter().take(MOST_SHOWN).map(|problem| format!("\n  {problem}"));
    let mut text = format!("{} problems:", problems.len());
    text.extend(shown);
    match problems.len().saturating_sub(MOST_SHOWN) {
        0 => text,
        more => format!("{text}\n  and {more} more"),
    }
}

/// The file is named once: by the only problem, or before all of them.
fn invalid(origin: &str, problems: &Problems) -> String {
    match problems.0.as_slice() {
        [Problem { place: Some(_), .. }] => problems.to_string(),
        _ => format!("{origin}: {problems}"),
    }
}

fn no_yaml(origin: &str, YamlErrors(errors): &YamlErrors) -> String {
    let line = |error: &YamlError| {
        let help = error.kind.help().map(|help| format!("; {help}")).unwrap_or_default();
        let YamlError { position, kind, .. } = error;
        format!("{origin}:{}:{}: {}{help}", position.line, position.column, printable(&kind.to_string()))
    };
    let lines: Vec<String> = errors.iter().map(line).collect();
    match lines.as_slice() {
        [only] => only.clone(),
        several => format!("{origin}: {}", each_on_a_line(several)),
    }
}

fn for_variant(variant: &Option<String>) -> String {
    variant.as_ref().map_or_else(String::new, |name| format!(" for variant {}", quoted(name)))
}
