//! "Did you mean": the nearest known name, and text that is safe to show.

const LONGEST_COMPARED: usize = 64; // bytes; real keys are shorter, and comparing costs their product
const LONGEST_SHOWN: usize = 200; // characters

/// The known name that `word` is most likely a misspelling of.
pub(crate) fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > LONGEST_COMPARED {
        return None;
    }
    let word = word.to_lowercase().replace('-', "_");
    let distance = |name: &str| strsim::osa_distance(&word, &name.to_lowercase().replace('-', "_"));
    let begins = |name: &str| word.len() >= 4 && name.starts_with(&word);
    let near = |name: &&str| begins(name) || distance(name) <= (name.chars().count() / 3).max(1);
    known.into_iter().filter(near).min_by_key(|name| distance(name))
}

/// `text` in backticks, without control characters and not longer than a screen can take.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", printable(text))
}

/// `text` with control characters escaped, cut after 200 characters.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(LONGEST_SHOWN) {
        match character {
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    if text.chars().nth(LONGEST_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// The names in backticks, separated by commas.
pub(crate) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    names.iter().map(|name| quoted(name.as_ref())).collect::<Vec<_>>().join(", ")
}

/// The end of a message on an unknown name: "did you mean `x`? known: `x`, `y`".
pub(crate) fn choices(word: &str, known: &[String]) -> String {
    let hint = closest(word, known.iter().map(String::as_str))
        .map_or_else(String::new, |name| format!("did you mean {}? ", quoted(name)));
    format!("{hint}known: {}", listed(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_names() {
        let known = ["initram", "kernel", "preflash_commands", "dtb", "default_target"];
        let cases = [
            ("initramfs", Some("initram")),
            ("kernal", Some("kernel")),
            ("Kernel", Some("kernel")),
            ("preflash", Some("preflash_commands")),
            ("default-target", Some("default_target")),
            ("dbt", Some("dtb")),
            ("colour", None),
            ("x", None),
        ];
        for (word, expected) in cases {
            assert_eq!(closest(word, known), expected, "{word}");
        }
        assert_eq!(closest(&"k".repeat(1 << 20), known), None);
    }

    #[test]
    fn shown_text_cannot_drive_the_terminal() {
        assert_eq!(quoted("a\u{1b}[2Jb\n"), r"`a\u{1b}[2Jb\n`");
        assert_eq!(printable(&"a".repeat(500)).chars().count(), LONGEST_SHOWN + 1);
    }
}
