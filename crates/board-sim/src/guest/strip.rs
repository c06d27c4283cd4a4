//! Takes the board's private folder out of what the guest prints: a board's own paths begin at its root.

/// Replaces a path prefix in a stream, across pieces.
#[derive(Debug)]
pub(crate) struct Strip {
    prefix: Vec<u8>,
    held: Vec<u8>,
}

impl Strip {
    /// Takes out `prefix`, an absolute path without a slash at its end.
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.as_bytes().to_vec(), held: Vec::new() }
    }

    /// What can be printed after `bytes` have come. The beginning of a possible prefix is held back.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(bytes);
        let mut out = Vec::with_capacity(text.len());
        let mut place = 0;
        while place < text.len() {
            let rest = &text[place..];
            if rest.len() > self.prefix.len() && rest.starts_with(&self.prefix) {
                if rest[self.prefix.len()] != b'/' {
                    out.push(b'/');
                }
                place += self.prefix.len();
            } else if self.prefix.starts_with(rest) {
                self.held = rest.to_vec();
                return out;
            } else {
                out.push(rest[0]);
                place += 1;
            }
        }
        out
    }

    /// Whether something is held back.
    pub(crate) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// What was held back, when nothing more comes.
    pub(crate) fn flush(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        if held == self.prefix { b"/".to_vec() } else { held }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_at_the_boards_root_however_the_output_is_cut() {
        let text = b"cannot open /tmp/x/g/dev/sda: /tmp/y /tmp/x/g\n/";
        for cut in 0..text.len() {
            let mut strip = Strip::new("/tmp/x/g");
            let mut out = strip.feed(&text[..cut]);
            out.extend(strip.feed(&text[cut..]));
            assert!(strip.holds());
            out.extend(strip.flush());
            assert_eq!(String::from_utf8_lossy(&out), "cannot open /dev/sda: /tmp/y /\n/", "cut at {cut}");
        }
    }
}
