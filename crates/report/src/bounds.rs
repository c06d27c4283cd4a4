//! How much of a receipt is shown: one that was made to be large must not make a large page.

use flasher_core::safe;

/// Longest text of a sentence that is shown, in characters.
const LONGEST: usize = 1000;

/// Most warnings, attempts, facts of one kind, or images that are shown.
pub(crate) const MOST: usize = 64;
/// Most receipts that are shown in full; of further ones there are lines in the tables.
pub(crate) const MOST_IN_FULL: usize = 32;

/// A text of others on one line, cut where it is longer than any sentence of ours.
pub(crate) fn sentence(text: &str) -> String {
    safe::short(text, LONGEST)
}

/// The same with its lines in a row.
pub(crate) fn paragraph(text: &str) -> String {
    let head: String = text.chars().take(4 * LONGEST).collect();
    safe::short(&safe::one_line(&head), 2 * LONGEST)
}

/// The first of many, and how many are left out.
pub(crate) fn first<T>(many: impl IntoIterator<Item = T>, most: usize) -> (Vec<T>, usize) {
    let mut many = many.into_iter();
    let first: Vec<T> = many.by_ref().take(most).collect();
    (first, many.count())
}

/// A console line, with its escape sequences, cut where it is too long.
pub(crate) fn line(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
