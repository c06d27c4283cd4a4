//! Values and texts as messages show them.

use flasher_base::safe;
use serde::de::Unexpected;

/// How much of a user's text is quoted, characters.
const QUOTED: usize = 60;

/// A text in a message: `the text `fast``. Only its beginning, on one line.
pub(crate) fn text(text: &str) -> String {
    format!("the text `{}`", safe::short(&text.replace(['\n', '\t'], " "), QUOTED))
}

/// What a type got from serde and did not expect.
pub(crate) fn unexpected(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(number) => format!("the number `{number}`"),
        Unexpected::Signed(number) => format!("the number `{number}`"),
        Unexpected::Float(number) => format!("the number `{number}`"),
        Unexpected::Char(char) => text(&char.to_string()),
        Unexpected::Str(found) => text(found),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        other => other.to_string(),
    }
}

/// Words of which one is expected: `` `a`, `b` or `c` ``.
pub(crate) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_is_short_and_on_one_line() {
        let long = format!("two\nlines {}", "x".repeat(100));
        assert_eq!(text(&long), format!("the text `two lines {}…`", "x".repeat(50)));
    }

    #[test]
    fn choices_read_as_a_sentence() {
        let cases: [(&[&str], &str); 3] =
            [(&["a"], "`a`"), (&["a", "b"], "`a` or `b`"), (&["a", "b", "c"], "`a`, `b` or `c`")];
        for (words, expected) in cases {
            assert_eq!(one_of(words), expected);
        }
    }
}
