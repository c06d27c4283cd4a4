//! What a person types: what goes to the board, and what leaves.

use super::escape::Escape;

/// ^C.
pub(super) const INTERRUPT: u8 = 0x03;

/// Looks for the escape among what is typed.
#[derive(Debug)]
pub(super) struct Keys {
    escape: Escape,
    place: KeyPlace,
}

/// Where in a line the next key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyPlace {
    Beginning,
    /// Behind a `~` at the beginning, which has not been sent yet.
    Tilde,
    Inside,
}

impl Keys {
    pub(super) fn new(escape: Escape) -> Self {
        Self { escape, place: KeyPlace::Beginning }
    }

    /// What of `typed` goes to the board, and whether the person leaves behind it.
    pub(super) fn take(&mut self, typed: &[u8]) -> (Vec<u8>, bool) {
        let mut sent = Vec::with_capacity(typed.len() + 1);
        for &byte in typed {
            if self.leaves(byte, &mut sent) {
                return (sent, true);
            }
        }
        (sent, false)
    }

    fn leaves(&mut self, byte: u8, sent: &mut Vec<u8>) -> bool {
        if self.escape == Escape::Byte(byte) {
            return true;
        }
        let place = std::mem::replace(&mut self.place, KeyPlace::Inside);
        match (self.escape, place, byte) {
            (Escape::Tilde, KeyPlace::Tilde, b'.') => return true,
            (Escape::Tilde, KeyPlace::Beginning, b'~') => {
                self.place = KeyPlace::Tilde;
                return false;
            }
            (_, KeyPlace::Tilde, b'~') => {} // one for two
            (_, KeyPlace::Tilde, _) => sent.push(b'~'),
            _ => {}
        }
        sent.push(byte);
        if matches!(byte, b'\r' | b'\n') {
            self.place = KeyPlace::Beginning;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_to_the_board_up_to_the_escape() {
        for (escape, typed, sent, leaves) in [
            ("ctrl-]", "ab\x1dc", "ab", true),
            ("ctrl-]", "~.ab\x01", "~.ab\x01", false),
            ("ctrl-a", "ab\x1d\x01c", "ab\x1d", true),
            ("none", "\r~.\x1d\x01", "\r~.\x1d\x01", false),
            ("~.", "~.", "", true),
            ("~.", "ls ~.\r", "ls ~.\r", false),
            ("~.", "ls\r~.x", "ls\r", true),
            ("~.", "ls\n~.", "ls\n", true),
            ("~.", "~~.\r", "~.\r", false),
            ("~.", "~/x\r~~\r~.", "~/x\r~\r", true),
            ("~.", "~\r~.", "~\r", true),
            ("~.", "\x1d~", "\x1d~", false),
        ] {
            // In one piece, and key by key.
            for size in [typed.len(), 1] {
                let mut keys = Keys::new(escape.parse().unwrap());
                let (mut all, mut left) = (Vec::new(), false);
                for piece in typed.as_bytes().chunks(size) {
                    let (more, leaving) = keys.take(piece);
                    all.extend(more);
                    if leaving {
                        left = true;
                        break;
                    }
                }
                assert_eq!((all.as_slice(), left), (sent.as_bytes(), leaves), "{escape} {typed:?} by {size}");
            }
        }
    }

    #[test]
    fn a_tilde_waits_for_the_next_key() {
        let mut keys = Keys::new(Escape::Tilde);
        assert_eq!(keys.take(b"~"), (Vec::new(), false));
        assert_eq!(keys.take(b"a"), (b"~a".to_vec(), false));
    }
}
