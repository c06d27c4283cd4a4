//! What the caller demands of an image, and whether it is so.

use crate::{Digest, DigestSubject, Error};

/// What the source or the decoded image must have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Demanded {
    /// Its digest.
    pub(crate) sha256: Option<Digest>,
    /// The file of checksums that says so; none when the caller does.
    pub(crate) list: Option<String>,
    /// Its length in bytes.
    pub(crate) length: Option<u64>,
}

impl Demanded {
    /// Whether nothing is demanded that an image cut short would not have.
    pub(crate) fn is_open_ended(&self) -> bool {
        self.sha256.is_none() && self.length.is_none()
    }

    /// Which of the two digests is the demanded one, if one is demanded.
    ///
    /// # Errors
    /// Neither is.
    pub(crate) fn check_digest(
        &self,
        label: &str,
        source: Digest,
        decoded: Digest,
    ) -> Result<Option<DigestSubject>, Error> {
        match self.sha256 {
            None => Ok(None),
            Some(expected) if expected == source => Ok(Some(DigestSubject::Source)),
            Some(expected) if expected == decoded => Ok(Some(DigestSubject::Decoded)),
            Some(expected) => Err(Error::DigestDiffers {
                label: label.into(),
                expected,
                list: self.list.clone(),
                source_sha256: source,
                decoded_sha256: Box::new(decoded),
            }),
        }
    }

    /// The length that is demanded is that of the source or that of the image.
    ///
    /// # Errors
    /// It is neither.
    pub(crate) fn check_length(
        &self,
        label: &str,
        source_length: u64,
        decoded_length: u64,
    ) -> Result<(), Error> {
        match self.length {
            Some(expected) if expected != source_length && expected != decoded_length => {
                Err(Error::LengthDiffers { label: label.into(), expected, source_length, decoded_length })
            }
            _ => Ok(()),
        }
    }
}
