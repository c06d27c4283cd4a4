//! What the job types, compared with what it typed when it was recorded, piece by piece.

use super::words::Words;

/// How far ahead what was typed is looked for, when something was left out.
const AHEAD: usize = 12;

/// What is to be typed yet.
#[derive(Debug)]
pub(super) struct Expected {
    /// The pieces: where each stands among the entries, and its bytes.
    pieces: Vec<(usize, Vec<u8>)>,
    next: usize,
    /// What was typed and does not make a piece yet.
    pending: Vec<u8>,
    last: Option<Vec<u8>>,
}

/// What came of something that was typed.
#[derive(Debug, PartialEq)]
pub(super) enum Fit {
    /// Entries that are done now.
    Done(Vec<usize>),
    /// It is the beginning of what is expected.
    More,
    /// It is something else than the piece at this entry; entries that are done with it.
    Other(Option<usize>, Vec<u8>),
}

impl Expected {
    pub(super) fn new(pieces: Vec<(usize, Vec<u8>)>) -> Self {
        Self { pieces, next: 0, pending: Vec::new(), last: None }
    }

    /// Takes what the job types.
    pub(super) fn take(&mut self, bytes: &[u8], words: &mut Words) -> Vec<Fit> {
        self.pending.extend_from_slice(bytes);
        let mut fits = Vec::new();
        while !self.pending.is_empty() {
            let fit = self.step(words);
            let is_more = fit == Fit::More;
            fits.push(fit);
            if is_more {
                break;
            }
        }
        fits
    }

    fn step(&mut self, words: &mut Words) -> Fit {
        // The same key is typed until something comes of it, and how often is a matter of time.
        if let Some(repeats) = self.repeats_of_the_last(words) {
            return Fit::Done(repeats);
        }
        let pending = self.pending.clone();
        let ahead = self.pieces.iter().enumerate().skip(self.next).take(AHEAD);
        for (index, (_, piece)) in ahead {
            if pending.len() >= piece.len() && words.fit(piece, &pending[..piece.len()]) {
                words.learn(piece, &pending[..piece.len()]);
                let done = self.pieces[self.next..=index].iter().map(|(entry, _)| *entry).collect();
                self.last = Some(piece.clone());
                self.pending.drain(..piece.len());
                self.next = index + 1;
                return Fit::Done(done);
            }
            if pending.len() < piece.len() && words.fit(&piece[..pending.len()], &pending) {
                return Fit::More;
            }
        }
        if self.is_repeated(&pending) {
            self.pending.clear();
            return Fit::Done(Vec::new());
        }
        self.pending.clear();
        let expected = self.pieces.get(self.next).map(|(entry, _)| *entry);
        self.next += usize::from(expected.is_some());
        Fit::Other(expected, pending)
    }

    /// What was typed last is typed once more, and the recording goes on with something else.
    fn repeats_of_the_last(&mut self, words: &Words) -> Option<Vec<usize>> {
        let last = self.last.clone()?;
        let goes_on = self.pieces.get(self.next).is_some_and(|(_, piece)| words.fit(piece, &last));
        if goes_on || !self.pending.starts_with(&last) || last.len() > 2 {
            return None;
        }
        self.pending.drain(..last.len());
        Some(Vec::new())
    }

    fn is_repeated(&self, pending: &[u8]) -> bool {
        self.last
            .as_ref()
            .is_some_and(|last| !last.is_empty() && pending.chunks(last.len()).all(|part| part == last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(pieces: &[&str]) -> Expected {
        Expected::new(pieces.iter().enumerate().map(|(at, text)| (at, text.as_bytes().to_vec())).collect())
    }

    fn check(pieces: &[&str], typed: &[&str], fits: &[Fit]) {
        let (mut expected, mut words) = (expected(pieces), Words::new(vec!["abcdefgh".to_owned()]));
        let seen: Vec<Fit> =
            typed.iter().flat_map(|text| expected.take(text.as_bytes(), &mut words)).collect();
        assert_eq!(seen, fits, "{pieces:?} {typed:?}");
    }

    #[test]
    fn what_is_typed_is_compared_piece_by_piece() {
        let done = |entries: &[usize]| Fit::Done(entries.to_vec());
        check(&["a\r", "b\r"], &["a\r", "b\r"], &[done(&[0]), done(&[1])]);
        check(&["a\r", "b\r"], &["a\rb\r"], &[done(&[0]), done(&[1])]);
        check(&["dhcp\r"], &["dh", "cp\r"], &[Fit::More, done(&[0])]);
        check(&["echo abcdefgh\r"], &["echo qwertyui\r"], &[done(&[0])]);
        // A key that is typed more often, or less often.
        check(&["\x03", "dhcp\r"], &["\x03", "\x03", "dhcp\r"], &[done(&[0]), done(&[]), done(&[1])]);
        check(&["\x03", "\x03", "dhcp\r"], &["\x03", "dhcp\r"], &[done(&[0]), done(&[1, 2])]);
        check(
            &["dhcp\r", "boot\r"],
            &["ping\r", "boot\r"],
            &[Fit::Other(Some(0), b"ping\r".to_vec()), done(&[1])],
        );
        check(&[], &["ping\r"], &[Fit::Other(None, b"ping\r".to_vec())]);
    }
}
