//! A YAML file read with bounds, and the positions of everything in it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::finding::{Checked, Finding, Findings};
use super::section::{Problem, Section};
use super::spots::{AGAIN, DEEPEST, Spot, Spots};

/// Largest file that is read, bytes.
const LARGEST: u64 = 1024 * 1024;
/// Largest text that is given to the YAML parser although the scanner, which bounds its nesting, stumbled; bytes.
const LARGEST_UNSCANNED: usize = 64 * 1024;

/// A YAML file that parses.
#[derive(Debug)]
pub struct Document {
    name: String,
    folder: PathBuf,
    lines: Vec<String>,
    spots: Spots,
    pub(crate) root: Section,
}

impl Document {
    /// Reads `path`.
    ///
    /// # Errors
    /// One finding when it is missing, too large, no text, or no YAML; one each for keys given twice.
    pub fn read(path: &Path) -> Checked<Self> {
        let name = path.display().to_string();
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let text = read_bounded(path).map_err(|(message, help)| whole(&name, message, help))?;
        Self::parse(&name, &folder, &text)
    }

    /// Parses `text`; `name` is for messages, `folder` is where relative paths start.
    ///
    /// # Errors
    /// As [`Document::read`].
    pub fn parse(name: &str, folder: &Path, text: &str) -> Checked<Self> {
        if text.len() as u64 > LARGEST {
            return Err(whole(name, too_large(text.len() as u64), Some(TOO_LARGE.to_owned())));
        }
        let spots = Spots::scan(text);
        let mut document = Self {
            name: name.to_owned(),
            folder: folder.to_path_buf(),
            lines: text.lines().map(str::to_owned).collect(),
            spots,
            root: Section::default(),
        };
        document.refuse_nesting(text)?;
        document.refuse_twice()?;
        document.root = Section::new(document.value(text)?);
        Ok(document)
    }

    /// The file as the user named it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where relative paths start.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts problems in their places, in the order of lines.
    pub(crate) fn place(&self, problems: Vec<Problem>) -> Findings {
        let mut findings: Vec<_> = problems.into_iter().map(|problem| self.finding(problem)).collect();
        findings.sort_by(|a, b| (a.line, a.column, &a.message).cmp(&(b.line, b.column, &b.message)));
        findings.dedup();
        Findings(findings)
    }

    fn finding(&self, problem: Problem) -> Finding {
        let spot =
            if problem.at_key { self.spots.key(&problem.path) } else { self.spots.value(&problem.path) };
        self.at(spot, dotted(&problem.path), problem.message, problem.help)
    }

    fn at(&self, spot: Spot, at: String, message: String, help: Option<String>) -> Finding {
        let text = self.lines.get(spot.line.saturating_sub(1)).cloned().unwrap_or_default();
        let Spot { line, column, length } = spot;
        Finding { file: self.name.clone(), line, column, at, message, help, text, length }
    }

    fn refuse_nesting(&self, text: &str) -> Checked<()> {
        if let Some(spot) = self.spots.too_deep {
            let message = format!("nested deeper than {DEEPEST} levels");
            return Err(self.only(spot, message, "a device tree is a few levels deep"));
        }
        match &self.spots.syntax {
            Some((spot, reason)) if text.len() > LARGEST_UNSCANNED => Err(self.not_yaml(*spot, reason)),
            _ => Ok(()),
        }
    }

    fn refuse_twice(&self) -> Checked<()> {
        if self.spots.twice.is_empty() {
            return Ok(());
        }
        let finding = |(path, spot): &(Vec<String>, Spot)| {
            let key = path.last().map_or("", String::as_str);
            let message = format!("the key `{key}` is given twice in the same mapping");
            self.at(*spot, dotted(path), message, Some("keep one of them".to_owned()))
        };
        Err(Findings(self.spots.twice.iter().map(finding).collect()))
    }

    fn value(&self, text: &str) -> Checked<Value> {
        let mut value: Value = serde_yaml::from_str(text).map_err(|error| {
            let spot = error.location().map_or(Spot::START, |location| Spot {
                line: location.line(),
                column: location.column(),
                length: 1,
            });
            self.not_yaml(spot, &error.to_string())
        })?;
        let merged = value.apply_merge();
        merged.map_err(|error| {
            let message = format!("`<<` cannot be merged: {error}");
            self.only(self.spots.first("<<"), message, "give it an alias of a mapping: `<<: *name`")
        })?;
        Ok(value)
    }

    fn not_yaml(&self, spot: Spot, reason: &str) -> Findings {
        let reason = reason.split(" at line ").next().unwrap_or(reason);
        let line = self.lines.get(spot.line.saturating_sub(1)).map_or("", String::as_str);
        let help = if reason.contains("repetition limit") {
            "aliases (`*name`) repeat too much: write the values out"
        } else if reason.contains("unknown anchor") {
            "an alias (`*name`) needs its anchor (`&name`) above it"
        } else if reason.contains("more than one document") {
            "keep one document a file: remove what follows the second `---`"
        } else if line.trim_end().contains('\t') {
            "YAML is indented with spaces: replace the tabs of this line"
        } else {
            "look at this line and the one above: indentation, a missing `:` or quote"
        };
        self.only(spot, format!("this is not valid YAML: {reason}"), help)
    }

    fn only(&self, spot: Spot, message: String, help: &str) -> Findings {
        Findings(vec![self.at(spot, String::new(), message, Some(help.to_owned()))])
    }
}

/// The path in the tree of a path in the file.
fn dotted(path: &[String]) -> String {
    let names = path.iter().filter(|part| *part != "children");
    names.map(|part| part.split(AGAIN).next().unwrap_or(part)).collect::<Vec<_>>().join(".")
}

const NAME_IT: &str = "name the file with `--exporter FILE`";
const TOO_LARGE: &str = "is this an image? give an exporter YAML";

type Unreadable = (String, Option<String>);

fn read_bounded(path: &Path) -> Result<String, Unreadable> {
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err((
            "this is a folder, expected an exporter YAML file".to_owned(),
            Some(NAME_IT.to_owned()),
        ));
    }
    if metadata.len() > LARGEST {
        return Err((too_large(metadata.len()), Some(TOO_LARGE.to_owned())));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err((too_large(bytes.len() as u64), Some(TOO_LARGE.to_owned())));
    }
    let help = "give an exporter YAML; `flasher drivers` shows examples of its nodes".to_owned();
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or(("this is a binary file, expected YAML in UTF-8".to_owned(), Some(help)))
}

fn unreadable(error: std::io::Error) -> Unreadable {
    (format!("cannot read the file: {error}"), Some(NAME_IT.to_owned()))
}

fn too_large(bytes: u64) -> String {
    format!("the file has {bytes} bytes, at most {LARGEST} are read")
}

fn whole(name: &str, message: String, help: Option<String>) -> Findings {
    let file = name.to_owned();
    Findings(vec![Finding {
        file,
        line: 1,
        column: 1,
        at: String::new(),
        message,
        help,
        text: String::new(),
        length: 0,
    }])
}
