//! Why the stream of an image was not made to its end: the cause, or a consequence.

use flasher_core::Error;

/// Why a stream was not made to its end.
pub(super) enum Unfinished {
    /// The image, or what is to be done with it, is to blame.
    Image(Error),
    /// The board stopped listening: the consequence of whatever happened there.
    NotTaken,
}

impl From<Error> for Unfinished {
    fn from(error: Error) -> Self {
        Self::Image(error)
    }
}

impl From<Unfinished> for Error {
    fn from(unfinished: Unfinished) -> Self {
        match unfinished {
            Unfinished::Image(error) => error,
            Unfinished::NotTaken => {
                Self::infrastructure("the board stopped listening before the image's end")
            }
        }
    }
}

/// What came of making a stream.
pub(super) type Outcome<T> = std::result::Result<T, Unfinished>;
