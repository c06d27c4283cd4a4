//! Text to tree, against budgets.

use std::collections::HashMap;
use std::ops::ControlFlow;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use crate::error::{DEEPEST, LARGEST_TEXT, LikelyCause, YamlError, YamlErrorKind, YamlErrors};
use crate::node::{Entries, YamlEntry, YamlNode, YamlValue};
use crate::position::Position;
use crate::scalar::plain;

/// So many control characters are named: a file with more of them is no YAML.
const MOST_CONTROL_CHARACTERS: usize = 10;
/// So many mistakes are named, each with its path: a key may be long.
const MOST_ERRORS: usize = 50;
/// What a document may unfold into: values, and bytes of text.
const LARGEST_TREE: usize = 2 * LARGEST_TEXT;

/// The tree of the one document in `text`; nothing when there is none.
///
/// # Errors
/// Everything that is wrong with it, as far as it can be read.
pub fn parse(text: &str) -> Result<YamlNode, YamlErrors> {
    parse_one_of(text, 0)
}

/// As [`parse`], for one of several texts whose trees come together: `source` is in every [`Position`].
///
/// # Errors
/// As [`parse`].
pub fn parse_one_of(text: &str, source: u32) -> Result<YamlNode, YamlErrors> {
    refuse_length(text, source)?;
    refuse_control_characters(text, source)?;
    let mut loader = Loader::new(source);
    for event in Parser::new_from_str(text) {
        let taken = match event {
            Ok((event, span)) => loader.take(event, Position::of(span, source)),
            Err(error) => {
                let position = Position::at(error.marker().line(), error.marker().col(), source);
                loader.stop(position, syntax(text, &error))
            }
        };
        if taken.is_break() {
            break;
        }
    }
    loader.finish()
}

fn refuse_length(text: &str, source: u32) -> Result<(), YamlErrors> {
    let kind = match text.find('\0') {
        _ if text.len() > LARGEST_TEXT => YamlErrorKind::TooLarge { bytes: text.len() },
        Some(offset) => YamlErrorKind::NotText { offset },
        None => return Ok(()),
    };
    let position = Position { source, ..Position::START };
    Err(YamlErrors(vec![YamlError { position, path: Vec::new(), kind }]))
}

/// The scanner takes them; YAML does not (YAML 1.2.2, rule 1).
fn refuse_control_characters(text: &str, source: u32) -> Result<(), YamlErrors> {
    let is_refused = |char: &char| char.is_control() && !matches!(char, '\t' | '\n' | '\r' | '\u{85}');
    let found = text.lines().enumerate().flat_map(|(line, text)| {
        let refused = text.chars().enumerate().filter(move |(_, char)| is_refused(char));
        refused.map(move |(column, character)| YamlError {
            position: Position::at(line + 1, column, source),
            path: Vec::new(),
            kind: YamlErrorKind::ControlCharacter { character },
        })
    });
    let found: Vec<_> = found.take(MOST_CONTROL_CHARACTERS).collect();
    if found.is_empty() { Ok(()) } else { Err(YamlErrors(found)) }
}

fn syntax(text: &str, error: &ScanError) -> YamlErrorKind {
    if open_brackets(text.chars().take(error.marker().index())) > DEEPEST {
        return YamlErrorKind::TooDeep; // the scanner gives up later than we do, but before it says what it has seen
    }
    let line = text.lines().nth(error.marker().line().saturating_sub(1)).unwrap_or_default();
    let likely = match line.chars().nth(error.marker().col()) {
        Some('*') => LikelyCause::Alias,
        _ if line.trim_end().contains('\t') => LikelyCause::Tab,
        _ => LikelyCause::Other,
    };
    YamlErrorKind::Syntax { reason: error.info().to_owned(), likely }
}

fn open_brackets(text: impl Iterator<Item = char>) -> usize {
    text.fold(0_usize, |open, char| match char {
        '[' | '{' => open + 1,
        ']' | '}' => open.saturating_sub(1),
        _ => open,
    })
}

struct Loader {
    source: u32,
    /// Lists and mappings that are not closed yet, from the root.
    open: Vec<OpenCollection>,
    /// Finished values with an anchor, by the scanner's number.
    anchors: HashMap<usize, Anchored>,
    /// What is left of [`LARGEST_TREE`].
    left: usize,
    root: Option<YamlNode>,
    is_ended: bool,
    errors: Vec<YamlError>,
}

struct OpenCollection {
    position: Position,
    anchor: usize,
    /// [`Loader::left`] when it began.
    left: usize,
    content: Collection,
}

enum Collection {
    List(Vec<YamlNode>),
    Mapping { entries: Entries, key: Option<PendingKey> },
}

/// A key whose value is read next.
struct PendingKey {
    name: String,
    position: Position,
    /// Not for one that is there already, or that is no text: what is below it is looked at, and dropped.
    is_kept: bool,
}

struct Anchored {
    node: YamlNode,
    /// How much of the budget it takes.
    cost: usize,
    /// Levels of lists and mappings in it.
    levels: usize,
}

impl Loader {
    fn new(source: u32) -> Self {
        Self {
            source,
            open: Vec::new(),
            anchors: HashMap::new(),
            left: LARGEST_TREE,
            root: None,
            is_ended: false,
            errors: Vec::new(),
        }
    }

    fn finish(mut self) -> Result<YamlNode, YamlErrors> {
        if self.errors.is_empty() {
            let position = Position { source: self.source, ..Position::START };
            return Ok(self.root.unwrap_or(YamlNode { position, ..YamlNode::default() }));
        }
        self.errors.sort_by_key(|error| error.position);
        Err(YamlErrors(self.errors))
    }

    fn take(&mut self, event: Event<'_>, position: Position) -> ControlFlow<()> {
        let taken = match event {
            Event::DocumentStart(_) if self.is_ended => Err(YamlErrorKind::SeveralDocuments),
            Event::DocumentEnd => {
                self.is_ended = true;
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), position);
                self.value(YamlNode { position, value }, anchor, text.len() + 1)
            }
            Event::Alias(anchor) => self.alias(anchor),
            Event::SequenceStart(anchor, tag) => {
                self.begin(Collection::List(Vec::new()), anchor, tag.as_deref(), position)
            }
            Event::MappingStart(anchor, tag) => {
                let content = Collection::Mapping { entries: Entries::new(), key: None };
                self.begin(content, anchor, tag.as_deref(), position)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => Ok(()),
        };
        match taken {
            Ok(()) => ControlFlow::Continue(()),
            Err(kind) => self.stop(position, kind),
        }
    }

    fn stop(&mut self, position: Position, kind: YamlErrorKind) -> ControlFlow<()> {
        self.note(position, kind);
        ControlFlow::Break(())
    }

    fn note(&mut self, position: Position, kind: YamlErrorKind) {
        if self.errors.len() < MOST_ERRORS {
            let path = self.path();
            self.errors.push(YamlError { position, path, kind });
        }
    }

    /// Keys and indexes that lead to what is read now.
    fn path(&self) -> Vec<String> {
        let part = |open: &OpenCollection| match &open.content {
            Collection::List(items) => Some(items.len().to_string()),
            Collection::Mapping { key, .. } => key.as_ref().map(|key| key.name.clone()),
        };
        self.open.iter().filter_map(part).collect()
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, position: Position) -> YamlValue {
        match tag {
            None if style == ScalarStyle::Plain => plain(text),
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix != "str" => {
                let value = plain(text);
                if matches!(value, YamlValue::Text(_)) {
                    self.note(position, YamlErrorKind::Tag { tag: tag.to_string() });
                }
                value
            }
            tag => {
                self.refuse_tag(tag, position);
                YamlValue::Text(text.to_owned())
            }
        }
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, position: Position) {
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            self.note(position, YamlErrorKind::Tag { tag: tag.to_string() });
        }
    }

    fn begin(
        &mut self,
        content: Collection,
        anchor: usize,
        tag: Option<&Tag>,
        position: Position,
    ) -> Result<(), YamlErrorKind> {
        self.refuse_tag(tag, position);
        if self.open.len() == DEEPEST {
            return Err(YamlErrorKind::TooDeep);
        }
        self.open.push(OpenCollection { position, anchor, left: self.left, content });
        self.spend(1)
    }

    fn end(&mut self) -> Result<(), YamlErrorKind> {
        let Some(OpenCollection { position, anchor, left, content }) = self.open.pop() else { return Ok(()) };
        let value = match content {
            Collection::List(items) => YamlValue::List(items),
            Collection::Mapping { entries, .. } => YamlValue::Mapping(self.merge(entries)),
        };
        let cost = left.saturating_sub(self.left);
        self.keep(YamlNode { position, value }, anchor, cost)
    }

    /// Lays the mappings of `<<` below the other keys.
    fn merge(&mut self, mut entries: Entries) -> Entries {
        let Some(YamlEntry { key, node }) = entries.shift_remove("<<") else { return entries };
        let below = match node.value {
            YamlValue::List(items) => items,
            _ => vec![node],
        };
        for node in below {
            let found = node.describe();
            let YamlValue::Mapping(more) = node.value else {
                self.note(key, YamlErrorKind::Merge { found });
                continue;
            };
            more.into_iter().for_each(|(key, entry)| {
                entries.entry(key).or_insert(entry);
            });
        }
        entries
    }

    fn alias(&mut self, anchor: usize) -> Result<(), YamlErrorKind> {
        let Some(Anchored { node, cost, levels }) = self.anchors.get(&anchor) else {
            return Err(YamlErrorKind::AliasInItself);
        };
        if self.open.len() + levels > DEEPEST {
            return Err(YamlErrorKind::TooDeep);
        }
        if *cost > self.left {
            return Err(YamlErrorKind::TooMuch);
        }
        let (node, cost) = (node.clone(), *cost);
        self.value(node, 0, cost)
    }

    /// A value that is complete.
    fn value(&mut self, node: YamlNode, anchor: usize, cost: usize) -> Result<(), YamlErrorKind> {
        self.spend(cost)?;
        self.keep(node, anchor, cost)
    }

    fn spend(&mut self, cost: usize) -> Result<(), YamlErrorKind> {
        self.left = self.left.checked_sub(cost).ok_or(YamlErrorKind::TooMuch)?;
        Ok(())
    }

    /// Puts a value where it belongs, and a copy of it under its anchor.
    fn keep(&mut self, node: YamlNode, anchor: usize, cost: usize) -> Result<(), YamlErrorKind> {
        if anchor > 0 {
            self.spend(cost)?;
            let levels = levels(&node);
            self.anchors.insert(anchor, Anchored { node: node.clone(), cost, levels });
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Collection::List(items)) => items.push(node),
            Some(Collection::Mapping { entries, key }) => match key.take() {
                Some(PendingKey { name, position, is_kept: true }) => {
                    entries.insert(name, YamlEntry { key: position, node });
                }
                Some(_) => {}
                None => self.key(node),
            },
        }
        Ok(())
    }

    /// Takes `node` as the next key of the innermost mapping.
    fn key(&mut self, node: YamlNode) {
        let Some(OpenCollection { content: Collection::Mapping { entries, key }, .. }) = self.open.last_mut()
        else {
            return;
        };
        let fault = match node.text() {
            Some(name) if entries.contains_key(name) => Some(YamlErrorKind::Twice { key: name.to_owned() }),
            Some(_) => None,
            None => Some(YamlErrorKind::KeyIsNoText { found: node.describe() }),
        };
        let name = node.text().map_or_else(|| "?".to_owned(), str::to_owned);
        *key = Some(PendingKey { name, position: node.position, is_kept: fault.is_none() });
        if let Some(kind) = fault {
            self.note(node.position, kind);
        }
    }
}

/// Levels of lists and mappings, the outermost one counted.
fn levels(node: &YamlNode) -> usize {
    match &node.value {
        YamlValue::List(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        YamlValue::Mapping(entries) => 1 + entries.values().map(|it| levels(&it.node)).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
