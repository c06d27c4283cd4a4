//! Secrets are hidden, and random words kept whole, also where they came in several pieces.

use std::collections::BTreeMap;

use crate::entry::RecordedMoment;
use crate::stream::{BOTH, pieces, places};

/// What stands in place of a secret.
pub const HIDDEN: &str = "********";

/// Replaces each secret, in both directions.
pub(crate) fn hide(entries: &mut [RecordedMoment], secrets: &[String]) {
    for direction in BOTH {
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            let mut all = pieces(entries, direction);
            let whole: Vec<u8> = all.iter().flat_map(|piece| piece.iter().copied()).collect();
            // At the place of its first byte stands what hides it, at those of the others nothing.
            let mut instead = BTreeMap::new();
            for place in places(&whole, secret.as_bytes()) {
                instead.extend(place.clone().map(|at| (at, at == place.start)));
            }
            let mut at = 0;
            for piece in &mut all {
                let mut hidden = Vec::with_capacity(piece.len());
                for byte in piece.iter() {
                    match instead.get(&at) {
                        None => hidden.push(*byte),
                        Some(true) => hidden.extend_from_slice(HIDDEN.as_bytes()),
                        Some(false) => {}
                    }
                    at += 1;
                }
                **piece = hidden;
            }
        }
    }
}

/// Moves the beginning of each word that came in two pieces to the second.
pub(crate) fn keep_whole(entries: &mut [RecordedMoment], words: &[String]) {
    for direction in BOTH {
        let mut all = pieces(entries, direction);
        for index in 1..all.len() {
            let (before, after) = all.split_at_mut(index);
            let (Some(first), Some(second)) = (before.last_mut(), after.first_mut()) else { continue };
            let torn = words.iter().filter_map(|word| torn(first, second, word.as_bytes())).max();
            if let Some(length) = torn {
                let beginning = first.split_off(first.len() - length);
                second.splice(0..0, beginning);
            }
        }
    }
}

/// How many bytes of `word` are at the end of `first`, where the rest begins `second`.
fn torn(first: &[u8], second: &[u8], word: &[u8]) -> Option<usize> {
    (1..word.len()).find(|length| first.ends_with(&word[..*length]) && second.starts_with(&word[*length..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Moment;

    fn heard(texts: &[&str]) -> Vec<RecordedMoment> {
        texts
            .iter()
            .map(|text| RecordedMoment { at: 0.0, what: Moment::Heard(text.as_bytes().to_vec()) })
            .collect()
    }

    #[test]
    fn secrets_are_hidden_also_in_pieces() {
        for (before, after) in [
            (vec!["a geheim b"], vec!["a ******** b"]),
            (vec!["ge", "he", "im!"], vec!["********", "", "!"]),
            (vec!["geheimgeheim"], vec!["****************"]),
            (vec!["nothing"], vec!["nothing"]),
        ] {
            let mut entries = heard(&before);
            hide(&mut entries, &["geheim".to_owned(), String::new()]);
            assert_eq!(entries, heard(&after), "{before:?}");
        }
    }

    #[test]
    fn words_come_in_one_piece() {
        let mut entries = heard(&["x abc", "def y", "abcdef"]);
        keep_whole(&mut entries, &["abcdef".to_owned()]);
        assert_eq!(entries, heard(&["x ", "abcdef y", "abcdef"]));
    }
}
