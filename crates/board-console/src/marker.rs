//! Random markers whose echo cannot be taken for their output.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// Letters a half has: two halves give 26^16 markers.
const HALF: usize = 8;

/// Most characters of a marker that may be changed: less than in its echo, which shows the halves apart.
const MOST_CHANGES: usize = 4;

/// Two halves that a command prints joined (`abcd"efgh"` or `'%s%s' abcd efgh`) but that its echo shows apart.
///
/// A marker has lower-case letters only, so a number may follow it directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) first: String,
    pub(crate) second: String,
}

impl Marker {
    pub(crate) fn random() -> Self {
        Self { first: letters(), second: letters() }
    }

    /// How many characters of this marker were changed on the way, where `heard` has it with some that are.
    pub(crate) fn changes_in(&self, heard: &[u8]) -> Option<usize> {
        let marker = self.joined();
        let changes =
            |part: &[u8]| part.iter().zip(marker.bytes()).filter(|(one, other)| **one != *other).count();
        heard.windows(marker.len()).map(changes).find(|changes| (1..=MOST_CHANGES).contains(changes))
    }

    /// What the other end prints.
    pub(crate) fn joined(&self) -> String {
        format!("{}{}", self.first, self.second)
    }
}

/// The standard library seeds every `RandomState` from the operating system's random numbers.
fn letters() -> String {
    let mut number = RandomState::new().build_hasher().finish();
    let mut text = String::with_capacity(HALF);
    for _ in 0..HALF {
        text.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_differ_and_are_letters() {
        let (one, other) = (Marker::random(), Marker::random());
        assert_ne!(one, other);
        assert_ne!(one.first, one.second);
        assert!(one.joined().bytes().all(|byte| byte.is_ascii_lowercase()));
        assert_eq!(one.joined().len(), 2 * HALF);
    }

    #[test]
    fn damaged_markers_and_their_echo() {
        let marker = Marker { first: "abcdefgh".into(), second: "ijklmnop".into() };
        for (heard, changes) in [
            ("x\r\nabcDefghijkl-nop0\r\n", Some(2)),
            ("abcdefghijklmnop0", None),
            ("=> echo abcdefgh\"ijklmnop\"", None),
            ("nothing of the kind", None),
        ] {
            assert_eq!(marker.changes_in(heard.as_bytes()), changes, "{heard}");
        }
    }
}
