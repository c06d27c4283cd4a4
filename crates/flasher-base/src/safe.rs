//! Text of others on a terminal: from boards, networks, files and receipts, none of which may steer the terminal, hide what is
//! written, or begin a line that looks like ours.

use std::fmt::Write;

/// What stands for a character that is not shown.
const INSTEAD: char = '\u{fffd}';

/// `text` on one line, without anything that a terminal would obey.
pub fn line(text: &str) -> String {
    text.chars().map(|letter| if is_unsafe(letter) { INSTEAD } else { letter }).collect()
}

/// `text` with its lines in a row, for a place that has room for one line only.
pub fn one_line(text: &str) -> String {
    text.lines().map(|part| line(part.trim())).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// `text` of several lines, without anything else that a terminal would obey. `allowed` are sequences that stay as they are.
pub fn lines(text: &str, allowed: &[&str]) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if let Some(sequence) = allowed.iter().find(|sequence| rest.starts_with(**sequence)) {
            safe.push_str(sequence);
            rest = &rest[sequence.len()..];
            continue;
        }
        safe.push(if is_unsafe(letter) && !matches!(letter, '\n' | '\t') { INSTEAD } else { letter });
        rest = &rest[letter.len_utf8()..];
    }
    safe
}

/// `text` on one line without anything that a terminal would obey, cut after `most` characters: for what a stranger may make as long as
/// they like.
pub fn short(text: &str, most: usize) -> String {
    let mut shown: String = line(text).chars().take(most).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

/// JSON that means the same and has nothing that a terminal would obey: such characters stand in strings only, where they
/// can be written as escapes (RFC 8259, section 7).
pub fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match is_unsafe(letter) && !letter.is_ascii_whitespace() {
            false => safe.push(letter),
            true => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    let _ = write!(safe, "\\u{unit:04x}"); // into memory
                }
            }
        }
    }
    safe
}

/// Whether a terminal would obey `letter`, or a reader not see it: control characters, those that turn the direction of writing, separators of lines and paragraphs, and what is invisible
/// (Unicode Standard Annex 9; section 23).
pub fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\x1b[2J\u{9b}b\r\u{202e}c\u{7f}\u{2028}\u{e0041}ü\nproven";

    #[test]
    fn text_of_others_cannot_steer_the_terminal() {
        let x = INSTEAD;
        assert_eq!(line(HOSTILE), format!("a{x}[2J{x}b{x}{x}c{x}{x}{x}ü{x}proven"));
        assert_eq!(one_line("a\n\n  b\x1b \r\nc"), format!("a; b{x}; c"));
        assert_eq!(lines(HOSTILE, &[]), format!("a{x}[2J{x}b{x}{x}c{x}{x}{x}ü\nproven"));
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(short("a\x1b", 2), format!("a{INSTEAD}"));
        assert_eq!(short("äbc", 2), "äb…");
    }

    #[test]
    fn what_is_painted_by_us_stays() {
        let allowed = ["\x1b[1m", "\x1b[0m"];
        let x = INSTEAD;
        assert_eq!(
            lines("\x1b[1mbold\x1b[0m \x1b[8mhidden", &allowed),
            format!("\x1b[1mbold\x1b[0m {x}[8mhidden")
        );
    }

    #[test]
    fn json_means_the_same_and_has_no_control_characters() {
        let text = serde_json::to_string_pretty(&serde_json::json!({ HOSTILE: [HOSTILE] })).unwrap();
        let safe = json(&text);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&safe).unwrap(),
            serde_json::json!({ HOSTILE: [HOSTILE] })
        );
        assert_eq!(lines(&safe, &[]), safe);
    }
}
