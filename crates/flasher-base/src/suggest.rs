//! "Did you mean": the nearest of the accepted words.

/// Longest word that is compared, bytes: accepted words are shorter, and comparing costs the product of both lengths.
const LONGEST_COMPARED: usize = 64;

/// The accepted word that `word` is most likely a misspelling of. Case does not count, and `-` is as good as `_`.
pub fn nearest<'a>(word: &str, accepted: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST_COMPARED {
        return None;
    }
    let word = comparable(word);
    let limit = (word.chars().count() / 3).clamp(1, 3);
    accepted
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &comparable(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= limit || begins(&word, &comparable(candidate)))
        .min()
        .map(|(_, candidate)| candidate)
}

/// The accepted words for a message, each in backticks.
pub fn list<'a>(accepted: impl IntoIterator<Item = &'a str>) -> String {
    accepted.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn comparable(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

/// Whether one of the words is the beginning of the other, and long enough to be no accident.
fn begins(word: &str, candidate: &str) -> bool {
    word.len() >= 4 && (candidate.starts_with(word) || word.starts_with(candidate) && candidate.len() >= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_is_recognised_and_another_word_is_not() {
        let drivers = &["power-mock", "power-gpio", "serial"][..];
        let keys = &["initram", "kernel", "preflash_commands", "dtb", "default_target"][..];
        let cases = [
            ("power-mok", drivers, Some("power-mock")),
            ("power_mock", drivers, Some("power-mock")),
            ("Serial", drivers, Some("serial")),
            ("seiral", drivers, Some("serial")),
            ("toaster", drivers, None),
            ("x", drivers, None),
            ("initramfs", keys, Some("initram")),
            ("kernal", keys, Some("kernel")),
            ("Kernel", keys, Some("kernel")),
            ("preflash", keys, Some("preflash_commands")),
            ("default-target", keys, Some("default_target")),
            ("dbt", keys, Some("dtb")),
            ("colour", keys, None),
        ];
        for (word, accepted, expected) in cases {
            assert_eq!(nearest(word, accepted.iter().copied()), expected, "{word}");
        }
        assert_eq!(nearest(&"k".repeat(1 << 20), ["kernel"]), None);
    }

    #[test]
    fn accepted_words_are_listed_in_backticks() {
        assert_eq!(list(["on", "off"]), "`on`, `off`");
        assert_eq!(list([]), "");
    }
}
