//! Compares what was sent with what came back: a board that drops characters shows it in its echo.

/// Longest part of a line that is compared, bytes.
const SAMPLE: usize = 160;
/// Shorter lines say too little.
const TELLING: usize = 8;
/// What may stand between the characters of an echo: a kernel message, control sequences of a line editor.
const ROOM: usize = 48;

/// The line that is being sent, and what has been heard since it began.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    line: Vec<u8>,
    heard: Vec<u8>,
    /// The line has been sent whole; the next byte begins another one.
    ended: bool,
}

impl Echo {
    /// Takes what was sent; true when the line before was echoed with characters missing.
    pub(crate) fn sent(&mut self, bytes: &[u8]) -> bool {
        let mut damaged = false;
        for byte in bytes {
            if self.ended {
                damaged |= self.is_damaged();
                *self = Self::default();
            }
            match byte {
                b'\r' | b'\n' => self.ended = true,
                byte if self.line.len() < SAMPLE => self.line.push(*byte),
                _ => {}
            }
        }
        damaged
    }

    /// Takes what was heard.
    pub(crate) fn heard(&mut self, bytes: &[u8]) {
        let room = (self.line.len() + ROOM).saturating_sub(self.heard.len());
        if !self.line.is_empty() {
            self.heard.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    /// Most of the line came back, and not all of it: nothing at all, or something else, is a board that does not echo.
    fn is_damaged(&self) -> bool {
        let is_text = self.line.iter().all(|byte| (b' '..=b'~').contains(byte));
        if self.line.len() < TELLING || !is_text || is_within(&self.line, &self.heard) {
            return false;
        }
        common(&self.line, &self.heard) * 4 >= self.line.len() * 3
    }
}

/// Whether all of `line` is in `heard`, in order; other characters may stand between.
fn is_within(line: &[u8], heard: &[u8]) -> bool {
    let mut heard = heard.iter();
    line.iter().all(|byte| heard.any(|it| it == byte))
}

/// Length of the longest common subsequence.
fn common(line: &[u8], heard: &[u8]) -> usize {
    let mut row = vec![0; heard.len() + 1];
    for byte in line {
        let mut diagonal = 0;
        for (at, it) in heard.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if it == byte { diagonal + 1 } else { above.max(row[at]) };
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damaged(sent: &str, heard: &str) -> bool {
        let mut echo = Echo::default();
        assert!(!echo.sent(sent.as_bytes()));
        echo.heard(heard.as_bytes());
        echo.sent(b"\r") || echo.sent(b"x")
    }

    #[test]
    fn an_echo_that_lost_characters_is_told_from_all_others() {
        for (sent, heard, expected) in [
            ("setenv ipaddr 10.0.0.2", "setenv ipaddr 10.0.0.2\r\n=> ", false),
            ("setenv ipaddr 10.0.0.2", "setnv ipadr 10.0.0.2\r\n=> ", true),
            ("setenv ipaddr 10.0.0.2", "sete[ 12.5] usb 1-1: new\r\nnv ipaddr 10.0.0.2", false),
            ("setenv ipaddr 10.0.0.2", "", false),
            ("a secret that is not echoed", "\r\nLogin incorrect\r\n", false),
            ("help", "hlp", false),
        ] {
            assert_eq!(damaged(sent, heard), expected, "{heard:?} after {sent:?}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut echo = Echo::default();
        echo.sent(&[b'a'; 100_000]);
        echo.heard(&[b'b'; 100_000]);
        assert!(echo.line.len() <= SAMPLE && echo.heard.len() <= SAMPLE + ROOM);
    }
}
