//! The keys that may leave a console.

use std::fmt;
use std::str::FromStr;

/// What leaves a console when it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    /// This byte, anywhere.
    Byte(u8),
    /// `~.` at the beginning of a line, as in ssh.
    Tilde,
    /// Nothing.
    None,
}

/// What keyboards send for Backspace, Tab, Enter and Esc, with the letter of the same byte.
const NEEDED: [(char, &str); 5] =
    [('H', "Backspace"), ('I', "Tab"), ('J', "Enter"), ('M', "Enter"), ('[', "Esc and the arrow keys")];

impl FromStr for Escape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "expected `ctrl-` and a letter or one of `]`, `\\`, `^`, `_` (as in `ctrl-a`), `~.`, or `none`"
                .to_owned()
        };
        match text {
            "~." => return Ok(Self::Tilde),
            "none" => return Ok(Self::None),
            _ => {}
        }
        let (prefix, key) =
            text.char_indices().next_back().map(|(at, key)| (&text[..at], key)).ok_or_else(wrong)?;
        let key = key.to_ascii_uppercase();
        if !(prefix.eq_ignore_ascii_case("ctrl-") || prefix == "^") {
            return Err(wrong());
        }
        if let Some((_, name)) = NEEDED.iter().find(|(letter, _)| *letter == key) {
            return Err(format!("keyboards send the same for {name}; {}", wrong()));
        }
        match (u8::try_from(key), key) {
            (Ok(byte), 'A'..='Z' | ']' | '\\' | '^' | '_') => Ok(Self::Byte(byte & 0x1f)),
            _ => Err(wrong()),
        }
    }
}

/// For people: "`Ctrl-]`".
impl fmt::Display for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(byte) => write!(f, "Ctrl-{}", char::from(byte | 0x40)),
            Self::Tilde => f.write_str("`~.` at the beginning of a line"),
            Self::None => f.write_str("no key"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_each_form() {
        for (text, expected, shown) in [
            ("ctrl-]", Escape::Byte(0x1d), "Ctrl-]"),
            ("ctrl-a", Escape::Byte(1), "Ctrl-A"),
            ("Ctrl-A", Escape::Byte(1), "Ctrl-A"),
            ("^x", Escape::Byte(0x18), "Ctrl-X"),
            ("^^", Escape::Byte(0x1e), "Ctrl-^"),
            ("ctrl-\\", Escape::Byte(0x1c), "Ctrl-\\"),
            ("ctrl-_", Escape::Byte(0x1f), "Ctrl-_"),
            ("~.", Escape::Tilde, "`~.` at the beginning of a line"),
            ("none", Escape::None, "no key"),
        ] {
            let read: Escape = text.parse().unwrap();
            assert_eq!((read, read.to_string().as_str()), (expected, shown), "{text}");
        }
    }

    #[test]
    fn a_wrong_key_is_refused_with_the_forms() {
        let forms =
            "expected `ctrl-` and a letter or one of `]`, `\\`, `^`, `_` (as in `ctrl-a`), `~.`, or `none`";
        for text in ["", "x", "~", "ctrl", "ctrl-", "ctrl-1", "ctrl-aa", "ctrl-é", "alt-a", "^", "~.~"] {
            assert_eq!(text.parse::<Escape>().unwrap_err(), forms, "{text}");
        }
        for (text, name) in [
            ("ctrl-m", "Enter"),
            ("ctrl-j", "Enter"),
            ("^I", "Tab"),
            ("ctrl-h", "Backspace"),
            ("ctrl-[", "Esc and the arrow keys"),
        ] {
            let refused = text.parse::<Escape>().unwrap_err();
            assert_eq!(refused, format!("keyboards send the same for {name}; {forms}"), "{text}");
        }
    }
}
