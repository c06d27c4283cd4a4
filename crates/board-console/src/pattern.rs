//! What a wait looks for: a literal text, one of several, or a regular expression over bytes.

use std::ops::Range;

use memchr::memmem::Finder;
use regex::bytes::Regex;

use crate::error::Error;

/// How far back a regular expression may begin before what has just arrived, in bytes.
const REGEX_REACH: usize = 1024;

/// A pattern for [`Console::expect`](crate::Console::expect).
#[derive(Clone, Debug)]
pub struct Pattern {
    shown: String,
    matcher: Matcher,
}

#[derive(Clone, Debug)]
enum Matcher {
    Texts(Vec<Finder<'static>>),
    Regex(Regex),
}

impl Pattern {
    /// Matches `text` as it stands; no character is special.
    pub fn text(text: &str) -> Self {
        Self { shown: format!("`{}`", text.escape_debug()), matcher: Matcher::Texts(vec![finder(text)]) }
    }

    /// Matches the regular expression `expression` (syntax of the `regex` crate, over bytes).
    ///
    /// Text comes in pieces, so a match must not depend on what follows it: end the expression with something fixed.
    /// A match longer than 1 KiB that arrives in pieces may be missed.
    ///
    /// # Errors
    /// [`Error::Pattern`] when the expression is not valid.
    pub fn regex(expression: &str) -> Result<Self, Error> {
        let regex = Regex::new(expression)
            .map_err(|source| Error::Pattern { pattern: expression.to_owned(), source: Box::new(source) })?;
        Ok(Self { shown: format!("/{expression}/"), matcher: Matcher::Regex(regex) })
    }

    /// Whether it matches where nothing was printed at all: then it waits for nothing.
    pub fn matches_nothing(&self) -> bool {
        self.find(b"", 0).is_some()
    }

    /// Matches any of `texts`; `name` stands for them in errors.
    pub(crate) fn any<'t>(name: &str, texts: impl IntoIterator<Item = &'t str>) -> Self {
        Self { shown: name.to_owned(), matcher: Matcher::Texts(texts.into_iter().map(finder).collect()) }
    }

    /// The pattern as errors show it.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// The first match in `hay`; everything before `scanned` has been searched before without success.
    pub(crate) fn find(&self, hay: &[u8], scanned: usize) -> Option<Range<usize>> {
        match &self.matcher {
            Matcher::Texts(finders) => finders
                .iter()
                .filter_map(|finder| find_text(finder, hay, scanned))
                .min_by_key(|found| (found.start, std::cmp::Reverse(found.end))),
            Matcher::Regex(regex) => {
                regex.find_at(hay, scanned.saturating_sub(REGEX_REACH)).map(|found| found.range())
            }
        }
    }
}

fn finder(text: &str) -> Finder<'static> {
    Finder::new(text).into_owned()
}

fn find_text(finder: &Finder<'_>, hay: &[u8], scanned: usize) -> Option<Range<usize>> {
    let length = finder.needle().len();
    let from = scanned.saturating_sub(length.saturating_sub(1));
    let start = from + finder.find(hay.get(from..)?)?;
    Some(start..start + length)
}
