//! Looks at an image as it is decoded: what was not seen when it was opened is seen here, before its end counts as proven.

use crate::Error;
use crate::pipeline::image_state::ImageState;
use crate::recognise::{LOOK, Seen, TAIL, judge};

/// The beginning and the end of an image that is being decoded.
pub(crate) struct ContentCheck<'i> {
    image: &'i ImageState,
    head: Vec<u8>,
    tail: Vec<u8>,
    length: u64,
}

impl<'i> ContentCheck<'i> {
    /// Nothing was decoded yet.
    pub(crate) fn new(image: &'i ImageState) -> ContentCheck<'i> {
        ContentCheck { image, head: Vec::new(), tail: Vec::new(), length: 0 }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// The image is nothing that may be written where it is meant for.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.length += bytes.len() as u64;
        let last = &bytes[bytes.len().saturating_sub(TAIL)..];
        self.tail.drain(..(self.tail.len() + last.len()).saturating_sub(TAIL).min(self.tail.len()));
        self.tail.extend_from_slice(last);
        let room = LOOK - self.head.len();
        if room == 0 {
            return Ok(());
        }
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        match self.head.len() == LOOK {
            true => self.judge(None, self.image.decoded_length),
            false => Ok(()),
        }
    }

    /// Everything was decoded.
    ///
    /// # Errors
    ///
    /// As [`ContentCheck::push`]; the image is shorter than its partition table says.
    pub(crate) fn end(self) -> Result<(), Error> {
        match self.length {
            0 => Ok(()), // reported by the check of the length
            length => self.judge(Some(&self.tail), Some(length)),
        }
    }

    fn judge(&self, tail: Option<&[u8]>, length: Option<u64>) -> Result<(), Error> {
        let seen = Seen { head: &self.head, complete: true, tail, length };
        judge(&self.image.label, self.image.expected, seen).map(drop)
    }
}
