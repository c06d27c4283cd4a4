//! Names in messages: safe to show, and with the nearest known one.

use flasher_base::safe;
use flasher_base::suggest::nearest;

const LONGEST_SHOWN: usize = 200; // characters

/// `text` in backticks, without control characters and not longer than a screen can take.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", printable(text))
}

/// `text` without anything that a terminal would obey, cut after 200 characters.
pub(crate) fn printable(text: &str) -> String {
    safe::short(text, LONGEST_SHOWN)
}

/// The names in backticks, separated by commas.
pub(crate) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    names.iter().map(|name| quoted(name.as_ref())).collect::<Vec<_>>().join(", ")
}

/// The end of a message on an unknown name: "did you mean `x`? known: `x`, `y`".
pub(crate) fn choices(word: &str, known: &[String]) -> String {
    let hint = nearest(word, known.iter().map(String::as_str))
        .map_or_else(String::new, |name| format!("did you mean {}? ", quoted(name)));
    format!("{hint}known: {}", listed(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_text_cannot_drive_the_terminal() {
        assert_eq!(quoted("a\u{1b}[2Jb\n"), "`a\u{fffd}[2Jb\u{fffd}`");
        assert_eq!(printable(&"a".repeat(500)).chars().count(), LONGEST_SHOWN + 1);
    }
}
