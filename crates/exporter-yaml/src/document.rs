//! An exporter YAML as written, read with bounds.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use strict_yaml::{LARGEST_TEXT, Position, Problem, YamlError, YamlErrorKind, YamlErrors, YamlNode};

use crate::finding::{Finding, Findings, LONGEST_SHOWN};
use crate::path::dotted;

/// A YAML file that parses.
#[derive(Debug)]
pub struct Document {
    name: String,
    folder: PathBuf,
    lines: Vec<String>,
    root: YamlNode,
}

impl Document {
    /// Reads `path`.
    ///
    /// # Errors
    /// One finding when it is missing, too large, no text, or no YAML; one each for keys given twice and the like.
    pub fn read(path: &Path) -> Result<Self, Findings> {
        let name = path.display().to_string();
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let text = read_bounded(path).map_err(|(message, help)| whole(&name, message, help))?;
        Self::parse(&name, &folder, &text)
    }

    /// Parses `text`; `name` is for messages, `folder` is where relative paths start.
    ///
    /// # Errors
    /// As [`Document::read`].
    pub fn parse(name: &str, folder: &Path, text: &str) -> Result<Self, Findings> {
        let lines = text.lines().map(str::to_owned).collect();
        let (name, folder) = (name.to_owned(), folder.to_path_buf());
        let document = Self { name, folder, lines, root: YamlNode::default() };
        match strict_yaml::parse(text) {
            Ok(root) => Ok(Self { root, ..document }),
            Err(YamlErrors(errors)) => {
                Err(Findings(errors.iter().map(|error| document.no_yaml(error)).collect()))
            }
        }
    }

    /// The file as the user named it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where relative paths start.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn root(&self) -> &YamlNode {
        &self.root
    }

    /// Puts problems in their places, in the order of lines.
    pub(crate) fn place(&self, problems: Vec<Problem>) -> Findings {
        let mut findings: Vec<_> = problems.into_iter().map(|problem| self.finding(problem)).collect();
        findings.sort_by(|a, b| (a.line, a.column, &a.message).cmp(&(b.line, b.column, &b.message)));
        findings.dedup();
        Findings(findings)
    }

    fn finding(&self, problem: Problem) -> Finding {
        let position = match problem.at_key {
            true => self.root.key_position(&problem.path),
            false => self.root.value_position(&problem.path),
        };
        self.at(position, dotted(&problem.path), problem.message, problem.help)
    }

    fn no_yaml(&self, YamlError { position, path, kind }: &YamlError) -> Finding {
        let help = match kind {
            YamlErrorKind::TooLarge { .. } => Some(TOO_LARGE),
            YamlErrorKind::NotText { .. } => Some(NOT_TEXT),
            YamlErrorKind::TooDeep => Some("a driver tree is a few levels deep"),
            kind => kind.help(),
        };
        let message = match kind {
            YamlErrorKind::NotText { .. } => BINARY.to_owned(),
            kind => kind.to_string(),
        };
        let at = match kind {
            YamlErrorKind::Twice { .. } | YamlErrorKind::Tag { .. } | YamlErrorKind::Merge { .. } => {
                dotted(path)
            }
            _ => String::new(),
        };
        self.at(*position, at, message, help.map(str::to_owned))
    }

    fn at(&self, position: Position, at: String, message: String, help: Option<String>) -> Finding {
        let Position { line, column, length, .. } = position;
        let (line, column, length) = (line as usize, column as usize, length as usize);
        let text = self
            .lines
            .get(line.saturating_sub(1))
            .filter(|line| line.chars().nth(LONGEST_SHOWN).is_none())
            .cloned()
            .unwrap_or_default();
        Finding { file: self.name.clone(), line, column, at, message, help, text, length }
    }
}

const NAME_IT: &str = "name the file with `--exporter FILE`";
const TOO_LARGE: &str = "is this an image? give an exporter YAML";
const BINARY: &str = "this is a binary file, expected YAML in UTF-8";
const NOT_TEXT: &str = "give an exporter YAML; `flasher drivers` shows examples of its nodes";

/// Message and help.
type Unreadable = (String, &'static str);

fn read_bounded(path: &Path) -> Result<String, Unreadable> {
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(("this is a folder, expected an exporter YAML file".to_owned(), NAME_IT));
    }
    if metadata.len() > LARGEST_TEXT as u64 {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    let most = LARGEST_TEXT as u64 + 1;
    File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() > LARGEST_TEXT {
        return Err(too_large(bytes.len() as u64));
    }
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    text.ok_or((BINARY.to_owned(), NOT_TEXT))
}

fn unreadable(error: std::io::Error) -> Unreadable {
    (format!("cannot read the file: {error}"), NAME_IT)
}

fn too_large(bytes: u64) -> Unreadable {
    (format!("the file has {bytes} bytes, at most {LARGEST_TEXT} are read"), TOO_LARGE)
}

fn whole(name: &str, message: String, help: &str) -> Findings {
    let (file, help) = (name.to_owned(), Some(help.to_owned()));
    let (at, text) = (String::new(), String::new());
    Findings(vec![Finding { file, line: 1, column: 1, at, message, help, text, length: 0 }])
}
