//! Where something stands in a text.

use saphyr_parser::Span;

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Which of the caller's texts, as given to [`crate::parse_one_of`]; 0 for the only one.
    pub source: u32,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
    /// Length in characters, on its first line; 0 where nothing stands.
    pub length: u32,
}

impl Position {
    /// The beginning of a text.
    pub const START: Self = Self { source: 0, line: 1, column: 1, length: 0 };

    pub(crate) fn of(span: Span, source: u32) -> Self {
        let is_one_line = span.start.line() == span.end.line();
        let length = if is_one_line { span.end.col().saturating_sub(span.start.col()) } else { 1 };
        Self { length: bounded(length), ..Self::at(span.start.line(), span.start.col(), source) }
    }

    /// `column` from 0, as the scanner counts.
    pub(crate) fn at(line: usize, column: usize, source: u32) -> Self {
        Self { source, line: bounded(line), column: bounded(column + 1), length: 1 }
    }
}

fn bounded(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
