//! Secrets that must not be seen in a record or an error.

use memchr::memmem;

const MASK: &str = "********";
/// A piece of a secret that is shorter would mask innocent text.
const SHORTEST_PIECE: usize = 8;

/// The secrets of a record, longest first.
#[derive(Default)]
pub(crate) struct Secrets {
    list: Vec<String>,
}

impl Secrets {
    /// Adds `secret` and its form inside one and two levels of shell quotes.
    pub(crate) fn add(&mut self, secret: &str) {
        let quoted = secret.replace('\'', r"'\''");
        let twice = quoted.replace('\'', r"'\''");
        for form in [secret.to_owned(), quoted, twice] {
            if !form.is_empty() && !self.list.contains(&form) {
                self.list.push(form);
            }
        }
        self.list.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    pub(crate) fn mask(&self, text: &str) -> String {
        self.list.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), MASK))
    }

    /// Bytes of the longest secret.
    pub(crate) fn longest(&self) -> usize {
        self.list.first().map_or(0, String::len)
    }

    /// The last place up to `at` (but not 0) that is not inside a secret; `at` itself if there is none.
    pub(crate) fn cut(&self, text: &[u8], at: usize) -> usize {
        let mut place = at;
        while let Some(start) = self.secret_around(text, place) {
            if start == 0 {
                return at;
            }
            place = start;
        }
        place
    }

    /// As [`Self::cut`], but on a character boundary, and the pieces of a secret that had to be cut become secrets.
    pub(crate) fn cut_or_split(&mut self, text: &str, at: usize) -> usize {
        let at = char_boundary(text, at);
        let place = char_boundary(text, self.cut(text.as_bytes(), at));
        let halves =
            self.list.iter().filter_map(|secret| split_secret(text, secret, place)).collect::<Vec<_>>();
        for piece in halves.into_iter().flatten().filter(|piece| piece.len() >= SHORTEST_PIECE) {
            self.add(&piece);
        }
        place
    }

    /// Where the secret begins that covers both sides of `place`.
    fn secret_around(&self, text: &[u8], place: usize) -> Option<usize> {
        let covering = |secret: &String| {
            memmem::find_iter(text, secret.as_bytes())
                .find(|start| *start < place && place < start + secret.len())
        };
        self.list.iter().filter_map(covering).min()
    }
}

/// The last character boundary up to `at`.
fn char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|place| text.is_char_boundary(*place)).unwrap_or(0)
}

fn split_secret(text: &str, secret: &str, place: usize) -> Option<[String; 2]> {
    let (start, _) =
        text.match_indices(secret).find(|(start, _)| *start < place && place < start + secret.len())?;
    let (head, tail) = secret.split_at(place - start);
    Some([head.to_owned(), tail.to_owned()])
}
