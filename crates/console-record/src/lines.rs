//! Bytes of one direction into lines: cleaned, masked, bounded in length.

use std::time::{SystemTime, UNIX_EPOCH};

use flasher_base::safe;

use crate::secrets::Secrets;

/// A line without an end is recorded in pieces of about this many bytes.
const LONGEST_LINE: usize = 4096;

/// A line, and when its first byte came.
pub(super) type TimedLine = (SystemTime, String);

/// The unfinished line of one direction.
pub(super) struct LineAssembler {
    bytes: Vec<u8>,
    began: SystemTime,
    /// A carriage return ends a line, but `\r\n` and `\r\r\n` end only one.
    after_return: bool,
}

impl Default for LineAssembler {
    fn default() -> Self {
        Self { bytes: Vec::new(), began: UNIX_EPOCH, after_return: false }
    }
}

impl LineAssembler {
    /// Takes bytes that arrived at `now` and gives the lines they complete.
    pub(super) fn feed(&mut self, bytes: &[u8], now: SystemTime, secrets: &Secrets) -> Vec<TimedLine> {
        let mut complete = Vec::new();
        for &byte in bytes {
            match byte {
                b'\r' => self.after_return = true,
                b'\n' => complete.push(self.end_line(now, secrets)),
                _ => {
                    if std::mem::take(&mut self.after_return) && !self.bytes.is_empty() {
                        complete.push(self.end_line(now, secrets));
                    }
                    complete.extend(self.push(byte, now, secrets));
                }
            }
        }
        complete
    }

    /// The unfinished line as it is now.
    pub(super) fn unfinished(&self, secrets: &Secrets) -> String {
        cleaned(&self.bytes, secrets)
    }

    /// Ends the unfinished line, if there is one.
    pub(super) fn finish(&mut self, secrets: &Secrets) -> Option<TimedLine> {
        (!self.bytes.is_empty()).then(|| self.end_line(self.began, secrets))
    }

    fn push(&mut self, byte: u8, now: SystemTime, secrets: &Secrets) -> Option<TimedLine> {
        if self.bytes.is_empty() {
            self.began = now;
        }
        self.bytes.push(byte);
        (self.bytes.len() >= LONGEST_LINE + secrets.longest()).then(|| self.cut_line(secrets))
    }

    fn end_line(&mut self, now: SystemTime, secrets: &Secrets) -> TimedLine {
        let began = if self.bytes.is_empty() { now } else { self.began };
        let line = cleaned(&self.bytes, secrets);
        self.bytes.clear();
        self.after_return = false;
        (began, line)
    }

    /// Records the beginning of an endless line; a secret that may be just arriving stays for later.
    fn cut_line(&mut self, secrets: &Secrets) -> TimedLine {
        let at = secrets.cut(&self.bytes, self.bytes.len() - secrets.longest());
        let rest = self.bytes.split_off(at);
        let line = cleaned(&self.bytes, secrets);
        self.bytes = rest;
        (self.began, line)
    }
}

/// Text without anything that a terminal would obey (a tab becomes a space), with secrets masked.
pub(super) fn cleaned(bytes: &[u8], secrets: &Secrets) -> String {
    let text: String = String::from_utf8_lossy(bytes)
        .chars()
        .map(|letter| if letter == '\t' { ' ' } else { letter })
        .filter(|letter| !safe::is_unsafe(*letter))
        .collect();
    secrets.mask(&text)
}
