//! Where each key and value of a YAML text stands, and which keys stand twice.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScanError, Span};

/// A place in a text: line and column from 1, length in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) length: usize,
}

impl Spot {
    pub(crate) const START: Self = Self { line: 1, column: 1, length: 0 };

    fn of(span: Span) -> Self {
        let one_line = span.start.line() == span.end.line();
        let length = if one_line { span.end.col().saturating_sub(span.start.col()) } else { 1 };
        Self { line: span.start.line(), column: span.start.col() + 1, length }
    }
}

/// Positions of keys and values by their path from the root; sequence items by index.
#[derive(Debug, Default)]
pub(crate) struct Spots {
    keys: HashMap<Vec<String>, Spot>,
    values: HashMap<Vec<String>, Spot>,
    /// Keys that stand in their mapping already.
    pub(crate) twice: Vec<(Vec<String>, Spot)>,
    /// Where nesting goes below [`DEEPEST`]; the scan ends there.
    pub(crate) too_deep: Option<Spot>,
    /// Where and why the scan ended early.
    pub(crate) syntax: Option<(Spot, String)>,
}

/// Follows a key that was there already; no YAML text has it.
pub(crate) const AGAIN: char = '\u{1}';

/// Deepest nesting that is read: the YAML parser takes time quadratic in it, and recurses.
pub(crate) const DEEPEST: usize = 64;

impl Spots {
    /// Scans `text`. A syntax error ends the scan: what was seen so far is kept.
    pub(crate) fn scan(text: &str) -> Self {
        let mut scan = Scan::default();
        for event in Parser::new_from_str(text) {
            match event {
                Ok((Event::DocumentEnd, _)) => break,
                Ok((event, span)) => scan.take(event, span),
                Err(error) => scan.give_up(&error),
            }
            if scan.spots.too_deep.is_some() || scan.spots.syntax.is_some() {
                break;
            }
        }
        scan.spots
    }

    /// Position of the key at `path`, or of the nearest thing above it.
    pub(crate) fn key(&self, path: &[String]) -> Spot {
        Self::nearest(&self.keys, path)
    }

    /// Position of the value at `path`, or of the nearest key above it.
    pub(crate) fn value(&self, path: &[String]) -> Spot {
        self.values.get(path).copied().unwrap_or_else(|| self.key(path))
    }

    /// Position of the first key called `name`, anywhere.
    pub(crate) fn first(&self, name: &str) -> Spot {
        let named = self.keys.iter().filter(|(path, _)| path.last().is_some_and(|last| last == name));
        named.map(|(_, spot)| *spot).min_by_key(|spot| (spot.line, spot.column)).unwrap_or(Spot::START)
    }

    fn nearest(map: &HashMap<Vec<String>, Spot>, path: &[String]) -> Spot {
        (0..=path.len()).rev().find_map(|end| map.get(&path[..end])).copied().unwrap_or(Spot::START)
    }
}

enum Level {
    Mapping { key: Option<String> },
    Sequence { next: usize },
}

#[derive(Default)]
struct Scan {
    spots: Spots,
    path: Vec<String>,
    levels: Vec<Level>,
}

impl Scan {
    fn take(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::Scalar(text, ..) => self.scalar(&text, span),
            Event::Alias(_) => self.scalar("*", span),
            Event::MappingStart(..) => self.open(Level::Mapping { key: None }, span),
            Event::SequenceStart(..) => self.open(Level::Sequence { next: 0 }, span),
            Event::MappingEnd | Event::SequenceEnd => self.close(),
            _ => {}
        }
        if self.levels.len() > DEEPEST {
            self.spots.too_deep = Some(Spot::of(span));
        }
    }

    fn give_up(&mut self, error: &ScanError) {
        let (line, column) = (error.marker().line(), error.marker().col() + 1);
        let spot = Spot { line, column, length: 1 };
        if error.info().contains("recursion limit") {
            self.spots.too_deep = Some(spot);
        } else {
            self.spots.syntax = Some((spot, error.info().to_owned()));
        }
    }

    fn scalar(&mut self, text: &str, span: Span) {
        if let Some(Level::Mapping { key: key @ None }) = self.levels.last_mut() {
            *key = Some(text.to_owned());
            self.path.push(text.to_owned());
            self.key(Spot::of(span));
        } else {
            self.enter_item();
            self.spots.values.insert(self.path.clone(), Spot::of(span));
            self.leave_value();
        }
    }

    /// Notes the key at the end of the path. One that is there already gets a name of its own, so that what is below
    /// it does not count as given twice as well.
    fn key(&mut self, spot: Spot) {
        if self.spots.keys.contains_key(&self.path) {
            self.spots.twice.push((self.path.clone(), spot));
            let again = format!("{AGAIN}{}", self.spots.twice.len());
            self.path.last_mut().into_iter().for_each(|key| key.push_str(&again));
        }
        self.spots.keys.insert(self.path.clone(), spot);
    }

    fn open(&mut self, level: Level, span: Span) {
        if let Some(Level::Mapping { key: key @ None }) = self.levels.last_mut() {
            *key = Some("?".to_owned());
            self.path.push("?".to_owned());
        } else {
            self.enter_item();
        }
        self.spots.values.insert(self.path.clone(), Spot::of(span));
        self.levels.push(level);
    }

    fn close(&mut self) {
        self.levels.pop();
        self.leave_value();
    }

    fn enter_item(&mut self) {
        if let Some(Level::Sequence { next }) = self.levels.last_mut() {
            self.path.push(next.to_string());
            *next += 1;
        }
    }

    fn leave_value(&mut self) {
        self.path.pop();
        if let Some(Level::Mapping { key }) = self.levels.last_mut() {
            *key = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(dotted: &str) -> Vec<String> {
        dotted.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn keys_and_values_are_found_where_they_stand() {
        let spots = Spots::scan("export:\n  a:\n    type: x\n    list: [1, two]\n  b: {ref: a}\n");
        let cases = [
            (spots.key(&path("export.a.type")), (3, 5, 4)),
            (spots.value(&path("export.a.type")), (3, 11, 1)),
            (spots.value(&path("export.a.list.1")), (4, 15, 3)),
            (spots.value(&path("export.b.ref")), (5, 12, 1)),
            (spots.key(&path("export.a.absent")), (2, 3, 1)),
        ];
        for (spot, expected) in cases {
            assert_eq!((spot.line, spot.column, spot.length), expected);
        }
    }

    #[test]
    fn a_key_given_twice_is_found_at_its_second_place() {
        let spots = Spots::scan("a: 1\nb: 2\na: 3\n");
        assert_eq!(spots.twice.len(), 1);
        assert_eq!((spots.twice[0].1.line, spots.twice[0].1.column), (3, 1));
    }
}
