//! "Did you mean": the nearest of the accepted words.

/// The accepted word nearest to `word`, when it is near enough to be a slip of the finger.
pub fn nearest<'a>(word: &str, accepted: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    accepted
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit || begins(word, candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

/// The accepted words for a message, each in backticks.
pub fn list<'a>(accepted: impl IntoIterator<Item = &'a str>) -> String {
    accepted.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn distance(word: &str, candidate: &str) -> usize {
    strsim::osa_distance(&word.to_lowercase(), &candidate.to_lowercase())
}

fn begins(word: &str, candidate: &str) -> bool {
    word.len() >= 4 && (candidate.starts_with(word) || word.starts_with(candidate) && candidate.len() >= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_another_word_is_not() {
        let words = ["power-mock", "power-gpio", "serial", "initram"];
        let cases = [
            ("power-mok", Some("power-mock")),
            ("Serial", Some("serial")),
            ("seiral", Some("serial")),
            ("initramfs", Some("initram")),
            ("toaster", None),
            ("x", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, words), expected, "{word}");
        }
    }
}
