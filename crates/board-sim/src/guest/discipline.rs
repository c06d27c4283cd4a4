//! The line discipline of the guest's console: editing, echo, control characters.

/// What a typed character leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// Nothing to do for the shell; echo this.
    Echo(Vec<u8>),
    /// A complete line, without its end.
    Line(Vec<u8>),
    /// Control C.
    Interrupt,
    /// Control D on an empty line.
    End,
}

/// Characters a line keeps.
const LONGEST: usize = 256 * 1024;

/// A line being typed.
#[derive(Debug, Default)]
pub(crate) struct Discipline {
    line: Vec<u8>,
    escape: Escape,
}

/// Inside a control sequence, such as a terminal's answer to `ESC[6n`.
#[derive(Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Began,
    Sequence,
}

impl Discipline {
    /// Takes a character.
    pub(crate) fn take(&mut self, key: u8) -> Typed {
        if self.skips(key) {
            return Typed::Echo(Vec::new());
        }
        match key {
            b'\r' | b'\n' => Typed::Line(std::mem::take(&mut self.line)),
            0x03 => {
                self.line.clear();
                Typed::Interrupt
            }
            0x04 if self.line.is_empty() => Typed::End,
            0x08 | 0x7f => Typed::Echo(self.line.pop().map_or_else(Vec::new, |_| b"\x08 \x08".to_vec())),
            0x15 => Typed::Echo(b"\x08 \x08".repeat(std::mem::take(&mut self.line).len())),
            b'\t' | 0x20.. if self.line.len() < LONGEST => {
                self.line.push(key);
                Typed::Echo(vec![key])
            }
            _ => Typed::Echo(Vec::new()),
        }
    }

    fn skips(&mut self, key: u8) -> bool {
        let (next, skip) = match (&self.escape, key) {
            (_, 0x1b) => (Escape::Began, true),
            (Escape::Began, b'[') => (Escape::Sequence, true),
            (Escape::Sequence, b'0'..=b'?') => (Escape::Sequence, true),
            (Escape::Sequence, b'@'..=b'~') => (Escape::None, true),
            _ => (Escape::None, false),
        };
        self.escape = next;
        skip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(typed: &[u8], expected: &[Typed]) {
        let mut discipline = Discipline::default();
        let all = typed.iter().map(|&key| discipline.take(key));
        let got: Vec<Typed> = all.filter(|typed| !matches!(typed, Typed::Echo(_))).collect();
        assert_eq!(got, expected, "{:?}", String::from_utf8_lossy(typed));
    }

    #[test]
    fn lines_are_edited_as_on_a_terminal() {
        let line = |text: &str| Typed::Line(text.as_bytes().to_vec());
        check(b"ls\r", &[line("ls")]);
        check(b"lx\x7fs\nid\n", &[line("ls"), line("id")]);
        check(b"junk\x15ok\n", &[line("ok")]);
        check(b"junk\x03ok\n", &[Typed::Interrupt, line("ok")]);
        check(b"\x1b[24;80Rls\n", &[line("ls")]);
        check(b"\x04a\x04\n", &[Typed::End, line("a")]);
    }
}
