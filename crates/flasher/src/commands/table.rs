//! Columns under a heading, each as wide as its widest text but the last.

use crate::render::units::tame;

/// Most characters of one cell: an image's URL must not push the verdict off the screen.
const WIDEST: usize = 48;

/// The rows under their heading. Text of others is made safe, and shortened in its middle.
pub(super) fn aligned<const N: usize>(head: [String; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> =
        std::iter::once(head).chain(rows).map(|row| row.map(|cell| shortened(&tame(&cell)))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// The end of a path or URL says most, and its beginning where it is.
fn shortened(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= WIDEST {
        return text.to_owned();
    }
    let (begin, end) = (WIDEST / 3, WIDEST - WIDEST / 3 - 1);
    let (begin, end) = (&letters[..begin], &letters[letters.len() - end..]);
    begin.iter().chain(&['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_text() {
        let long = format!("https://images.example/{}/os.img.xz", "a".repeat(60));
        let rows = [["1", "a"], ["200", &long], ["3", "\x1b[2Jred"]];
        let rows = rows.map(|row| row.map(str::to_owned));
        let text = aligned(["ID", "IMAGE"].map(str::to_owned), rows.into_iter());
        let expected = "ID   IMAGE\n1    a\n200  https://images.e…aaaaaaaaaaaaaaaaaaaaa/os.img.xz\n3    \u{fffd}[2Jred\n";
        assert_eq!(text, expected);
    }
}
