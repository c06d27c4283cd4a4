//! Random words of a job: the recorded job had others than the one that is played.

use std::collections::BTreeMap;

/// The recorded words, and what stands for them now, as far as it was seen.
#[derive(Debug, Default)]
pub(super) struct Words {
    recorded: Vec<String>,
    now: BTreeMap<String, String>,
}

impl Words {
    /// Long words first: a short one may be a part of a long one.
    pub(super) fn new(mut recorded: Vec<String>) -> Self {
        recorded.retain(|word| word.len() >= 4);
        recorded.sort_by_key(|word| std::cmp::Reverse(word.len()));
        Self { recorded, now: BTreeMap::new() }
    }

    /// Whether `now` is what was recorded, where a recorded word may be another one of the same length.
    pub(super) fn fit(&self, recorded: &[u8], now: &[u8]) -> bool {
        recorded.len() == now.len() && self.pairs(recorded, now).is_some()
    }

    /// Remembers which words stand for which, of two texts that fit.
    pub(super) fn learn(&mut self, recorded: &[u8], now: &[u8]) {
        let pairs = self.pairs(recorded, now).unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let pairs: Vec<_> = pairs.into_iter().map(|(one, other)| (text(one), text(other))).collect();
        self.now.extend(pairs);
    }

    /// The words in both texts; none when they differ elsewhere.
    fn pairs<'b>(&self, recorded: &'b [u8], now: &'b [u8]) -> Option<Vec<(&'b [u8], &'b [u8])>> {
        let mut pairs = Vec::new();
        let mut at = 0;
        while at < recorded.len() {
            let word = self.recorded.iter().find(|word| recorded[at..].starts_with(word.as_bytes()));
            let end = at + word.map_or(1, String::len);
            let (one, other) = (&recorded[at..end], now.get(at..end)?);
            let fits = match word {
                Some(_) => other.iter().all(u8::is_ascii_alphanumeric),
                None => one == other,
            };
            if !fits {
                return None;
            }
            pairs.extend(word.map(|_| (one, other)));
            at = end;
        }
        Some(pairs)
    }

    /// What the board says now: recorded words are those of now.
    pub(super) fn translate(&self, recorded: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(recorded.len());
        let mut at = 0;
        while at < recorded.len() {
            let word = self.recorded.iter().find(|word| recorded[at..].starts_with(word.as_bytes()));
            match word.and_then(|word| self.now.get(word)) {
                Some(now) => {
                    text.extend_from_slice(now.as_bytes());
                    at += now.len();
                }
                None => {
                    text.push(recorded[at]);
                    at += 1;
                }
            }
        }
        text
    }

    /// The same of a text.
    pub(super) fn translate_text(&self, recorded: &str) -> String {
        String::from_utf8_lossy(&self.translate(recorded.as_bytes())).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_now_stand_for_recorded_ones() {
        let mut words = Words::new(vec!["abcdefgh".into(), "ijklmnop".into()]);
        for (recorded, now, fits) in [
            ("echo abcdefgh\"ijklmnop\"", "echo qrstuvwx\"yzabcdef\"", true),
            ("echo abcdefgh", "echo qrstuvw", false),
            ("echo abcdefgh", "Echo qrstuvwx", false),
            ("printenv", "printenv", true),
            ("printenv", "saveenvs", false),
        ] {
            assert_eq!(words.fit(recorded.as_bytes(), now.as_bytes()), fits, "{recorded} {now}");
        }
        words.learn(b"echo abcdefgh\"ijklmnop\"", b"echo qrstuvwx\"yzabcdef\"");
        assert_eq!(words.translate(b"abcdefghijklmnop0\r\n"), b"qrstuvwxyzabcdef0\r\n");
    }
}
