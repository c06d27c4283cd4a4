//! A YAML file read with bounds, and the positions of everything in it.

use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::finding::{Checked, Finding, Findings};
use super::section::{Problem, Section};
use super::spots::{Spot, Spots};

/// Largest file that is read, bytes: the YAML parser takes quadratic time on hostile nesting.
const LARGEST: u64 = 1024 * 1024;

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
            return Err(whole(name, too_large(text.len() as u64), None));
        }
        let spots = Spots::scan(text);
        let mut document = Self {
            name: name.to_owned(),
            folder: folder.to_path_buf(),
            lines: text.lines().map(str::to_owned).collect(),
            spots,
            root: Section::default(),
        };
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
        let at =
            problem.path.iter().filter(|part| *part != "children").cloned().collect::<Vec<_>>().join(".");
        self.at(spot, at, problem.message, problem.help)
    }

    fn at(&self, spot: Spot, at: String, message: String, help: Option<String>) -> Finding {
        let text = self.lines.get(spot.line - 1).cloned().unwrap_or_default();
        let Spot { line, column, length } = spot;
        Finding { file: self.name.clone(), line, column, at, message, help, text, length }
    }

    fn refuse_twice(&self) -> Checked<()> {
        if self.spots.twice.is_empty() {
            return Ok(());
        }
        let finding = |(path, spot): &(Vec<String>, Spot)| {
            let key = path.last().map_or("", String::as_str);
            let message = format!("the key `{key}` is given twice in the same mapping");
            self.at(*spot, path.join("."), message, Some("keep one of them".to_owned()))
        };
        Err(Findings(self.spots.twice.iter().map(finding).collect()))
    }

    fn value(&self, text: &str) -> Checked<Value> {
        serde_yaml::from_str(text).map_err(|error| {
            let spot = error.location().map_or(Spot::START, |location| Spot {
                line: location.line(),
                column: location.column(),
                length: 1,
            });
            let text = error.to_string();
            let text = text.split(" at line ").next().unwrap_or(&text);
            Findings(vec![self.at(spot, String::new(), format!("this is not valid YAML: {text}"), None)])
        })
    }
}

type Unreadable = (String, Option<String>);

fn read_bounded(path: &Path) -> Result<String, Unreadable> {
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(("this is a folder, expected an exporter YAML file".to_owned(), None));
    }
    if metadata.len() > LARGEST {
        return Err((too_large(metadata.len()), None));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let help = "give an exporter YAML; `flasher drivers` shows examples of its nodes".to_owned();
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or(("this is a binary file, expected YAML in UTF-8".to_owned(), Some(help)))
}

fn unreadable(error: std::io::Error) -> Unreadable {
    (format!("cannot read the file: {error}"), Some("name it with `--exporter FILE`".to_owned()))
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
