//! Removes terminal escape sequences and NULs from a byte stream, however the reads cut it (ECMA-48, xterm's OSC).

/// Parameters longer than this are noise on the line, not a control sequence.
const LONGEST_CSI: u8 = 32;
/// A title or other string longer than this is noise, not an operating-system command.
const LONGEST_STRING: u16 = 512;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;

/// The state of the filter between two reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Escape,
    /// `ESC` and an intermediate byte, as in `ESC ( B`.
    Intermediate,
    Csi(u8),
    String {
        length: u16,
        escape: bool,
    },
}

/// A filter that keeps text and control characters and drops escape sequences and NULs.
#[derive(Debug, Default)]
pub struct EscapeFilter {
    state: State,
}

impl EscapeFilter {
    /// Appends to `clean` what is left of `raw`.
    pub fn feed(&mut self, mut raw: &[u8], clean: &mut Vec<u8>) {
        while !raw.is_empty() {
            if self.state == State::Text {
                let plain = memchr::memchr2(ESC, 0, raw).unwrap_or(raw.len());
                clean.extend_from_slice(&raw[..plain]);
                raw = &raw[plain..];
            }
            let Some((&byte, rest)) = raw.split_first() else { return };
            clean.extend(self.step(byte));
            raw = rest;
        }
    }

    fn step(&mut self, byte: u8) -> Option<u8> {
        match self.state {
            State::Text => self.text(byte),
            State::Escape => self.escape(byte),
            State::Intermediate => match byte {
                0x20..=0x2f => None,
                0x30..=0x7e => self.end(),
                _ => self.text(byte),
            },
            State::Csi(length) => match byte {
                0x20..=0x3f if length < LONGEST_CSI => self.enter(State::Csi(length + 1)),
                0x40..=0x7e => self.end(),
                _ => self.text(byte),
            },
            State::String { length, escape } => self.string(byte, length, escape),
        }
    }

    fn text(&mut self, byte: u8) -> Option<u8> {
        match byte {
            ESC => self.enter(State::Escape),
            0 => self.end(),
            _ => {
                self.state = State::Text;
                Some(byte)
            }
        }
    }

    fn escape(&mut self, byte: u8) -> Option<u8> {
        match byte {
            b'[' => self.enter(State::Csi(0)),
            b']' | b'P' | b'X' | b'^' | b'_' => self.enter(State::String { length: 0, escape: false }),
            0x20..=0x2f => self.enter(State::Intermediate),
            0x30..=0x7e => self.end(),
            _ => self.text(byte),
        }
    }

    fn string(&mut self, byte: u8, length: u16, escape: bool) -> Option<u8> {
        match byte {
            BEL => self.end(),
            b'\\' if escape => self.end(),
            b'\r' | b'\n' => self.text(byte),
            _ if length >= LONGEST_STRING => self.text(byte),
            _ => self.enter(State::String { length: length + 1, escape: byte == ESC }),
        }
    }

    fn enter(&mut self, state: State) -> Option<u8> {
        self.state = state;
        None
    }

    fn end(&mut self) -> Option<u8> {
        self.enter(State::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filtered(reads: &[&[u8]]) -> String {
        let (mut filter, mut clean) = (EscapeFilter::default(), Vec::new());
        reads.iter().for_each(|raw| filter.feed(raw, &mut clean));
        String::from_utf8(clean).expect("text")
    }

    #[test]
    fn text_stays_and_sequences_go() {
        for (raw, clean) in [
            (&b"/root # \x1b[6n"[..], "/root # "),
            (b"\x1b[1;31mred\x1b[0m", "red"),
            (b"a\0b", "ab"),
            (b"\x1b]0;title\x07shell", "shell"),
            (b"\x1b]0;title\x1b\\shell", "shell"),
            (b"\x1b(Bplain", "plain"),
            (b"\x1b7saved\x1b8", "saved"),
            (b"\x1b\r\nline", "\r\nline"),
            (b"\x1b[12\r\nline", "\r\nline"),
            (b"3 \x08\x08 2\ttab", "3 \x08\x08 2\ttab"),
        ] {
            assert_eq!(filtered(&[raw]), clean, "{raw:?}");
        }
    }

    #[test]
    fn noise_like_a_string_start() {
        let noise = format!("\x1b]{}login:", "x".repeat(600));
        assert!(filtered(&[noise.as_bytes()]).ends_with("login:"));
        let noise = format!("\x1b[{}login:", "1".repeat(100));
        assert!(filtered(&[noise.as_bytes()]).ends_with("login:"));
    }

    proptest! {
        #[test]
        fn the_cuts_between_reads_do_not_matter(raw in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..200) {
            let cut = cut.min(raw.len());
            let (mut whole, mut parts) = (Vec::new(), Vec::new());
            EscapeFilter::default().feed(&raw, &mut whole);
            let mut filter = EscapeFilter::default();
            filter.feed(&raw[..cut], &mut parts);
            filter.feed(&raw[cut..], &mut parts);
            prop_assert_eq!(whole, parts);
        }
    }
}
