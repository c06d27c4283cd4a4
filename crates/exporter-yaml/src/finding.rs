//! A problem of a file, with its place: `file:line:column`, the path in the tree, what was accepted.

use std::fmt;

use flasher_base::suggest;
use flasher_core::Error;
use flasher_core::safe;
use flasher_core::userinfo::hide_passwords;
use serde::Serialize;

/// A longer line is not shown, characters.
pub(crate) const LONGEST_SHOWN: usize = 200;

/// One problem of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file as the user named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// Path in the tree, dotted; empty for the file as a whole.
    pub at: String,
    /// What is wrong and what was accepted.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    #[serde(skip)]
    pub(crate) text: String,
    #[serde(skip)]
    pub(crate) length: usize,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", safe::one_line(&hide_passwords(&self.message)))?;
        writeln!(f, "  --> {}:{}:{}", safe::line(&hide_passwords(&self.file)), self.line, self.column)?;
        self.snippet(f)?;
        if !self.at.is_empty() {
            writeln!(f, "   = at:   {}", safe::line(&self.at))?;
        }
        let mut help = self.help.iter().map(|help| safe::one_line(&hide_passwords(help)));
        help.try_for_each(|help| writeln!(f, "   = help: {help}"))
    }
}

impl Finding {
    fn snippet(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.trim().is_empty() || self.text.chars().count() > LONGEST_SHOWN {
            return Ok(());
        }
        let before = self.text.chars().take(self.column.saturating_sub(1));
        let indent: String = before.map(|char| if char == '\t' { '\t' } else { ' ' }).collect();
        let carets = "^".repeat(self.length.max(1));
        writeln!(f, "{:>4} | {}", self.line, presentable(&self.text))?;
        writeln!(f, "     | {indent}{carets}")
    }
}

/// A line of the file without what a terminal would obey, and without the secret of a line like `token: …` and of a URL.
fn presentable(line: &str) -> String {
    let line = hide_passwords(line);
    let line = line.split('\t').map(safe::line).collect::<Vec<_>>().join("\t");
    match line.split_once(':') {
        Some((key, value)) if is_secret(key) && !value.trim().is_empty() => format!("{key}: ***"),
        _ => line,
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.trim_matches(|char: char| !char.is_alphanumeric());
    suggest::nearest(key, ["token", "password", "secret", "bearer"]).is_some()
}

/// All problems of a file, in the order of its lines. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Findings(pub Vec<Finding>);

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|finding| writeln!(f, "{finding}"))?;
        let plural = if self.0.len() == 1 { "problem" } else { "problems" };
        write!(f, "{} {plural}; nothing was opened, no board was touched", self.0.len())
    }
}

impl std::error::Error for Findings {}

impl From<Findings> for Error {
    fn from(findings: Findings) -> Self {
        Self::config(findings.to_string())
    }
}
