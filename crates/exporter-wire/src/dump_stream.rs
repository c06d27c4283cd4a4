//! The bytes of a dump on their way to the client, as records in a byte stream, and the client's answers on the way back.
//!
//! A record is one byte for its kind, four for the length of its content (big endian), and the content. Frames of the stream may
//! end anywhere.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use flasher_core::{Class, Error};
use serde::{Deserialize, Serialize};

/// Most bytes of one record's content.
pub const LONGEST: usize = 1 << 20;
/// Bytes before the content.
const HEAD: usize = 5;
/// Longest text of a refusal, bytes.
const LONGEST_TEXT: usize = 2048;

/// One record. The first four go to the client, the others come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DumpRecord {
    /// A medium of so many bytes begins; what came before is void. The client answers.
    Begin {
        /// Length of the medium, bytes.
        length: u64,
    },
    /// The next bytes, at most [`LONGEST`].
    Data(Bytes),
    /// The next bytes are so many zeros.
    Zeros(u64),
    /// All is there. The client keeps it when it has this SHA-256, and answers.
    Keep {
        /// Of all bytes since the beginning.
        sha256: [u8; 32],
    },
    /// Begun, or kept.
    Done,
    /// The client cannot write. It may come at any time.
    Refused(DumpRefusal),
}

/// Why a client cannot write a dump.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DumpRefusal {
    /// Whose fault it is.
    pub class: Class,
    /// Why, for people.
    pub reason: String,
    /// What to do next.
    #[serde(default)]
    pub help: Option<String>,
}

impl DumpRefusal {
    /// The refusal for an error of the client.
    pub fn of(error: &Error) -> Self {
        Self { class: error.class(), reason: short(&error.cause()), help: error.next_step().map(short) }
    }

    /// The error of the job. Another attempt meets the same.
    pub fn error(self) -> Error {
        let error = Error::new(self.class, self.reason).retryable(false);
        match self.help {
            Some(help) => error.help(help),
            None => error,
        }
    }
}

fn short(text: &str) -> String {
    let mut end = text.len().min(LONGEST_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// The kinds, as they are on the wire.
mod kind {
    pub(super) const BEGIN: u8 = 1;
    pub(super) const DATA: u8 = 2;
    pub(super) const ZEROS: u8 = 3;
    pub(super) const KEEP: u8 = 4;
    pub(super) const DONE: u8 = 5;
    pub(super) const REFUSED: u8 = 6;
}

impl DumpRecord {
    /// The record as it is sent.
    pub fn bytes(&self) -> Bytes {
        let record = |kind: u8, content: &[u8]| {
            let mut bytes = BytesMut::with_capacity(HEAD + content.len());
            bytes.put_u8(kind);
            bytes.put_u32(u32::try_from(content.len()).unwrap_or(u32::MAX));
            bytes.put_slice(content);
            bytes.freeze()
        };
        match self {
            Self::Begin { length } => record(kind::BEGIN, &length.to_be_bytes()),
            Self::Data(data) => record(kind::DATA, data),
            Self::Zeros(count) => record(kind::ZEROS, &count.to_be_bytes()),
            Self::Keep { sha256 } => record(kind::KEEP, sha256),
            Self::Done => record(kind::DONE, &[]),
            Self::Refused(refusal) => record(kind::REFUSED, &serde_json::to_vec(refusal).unwrap_or_default()),
        }
    }
}

/// Records out of the pieces of a stream.
#[derive(Debug, Default)]
pub struct RecordReader(BytesMut);

impl RecordReader {
    /// Takes the next piece of the stream.
    pub fn push(&mut self, piece: &[u8]) {
        self.0.extend_from_slice(piece);
    }

    /// The next record that is whole; none while more has to come.
    ///
    /// # Errors
    /// When the stream holds no records; for people.
    pub fn next_record(&mut self) -> Result<Option<DumpRecord>, String> {
        let Some(head) = self.0.get(..HEAD) else { return Ok(None) };
        let kind = head[0];
        let length = (&head[1..]).get_u32() as usize;
        if length > LONGEST {
            return Err(format!("a record of the dump has {length} bytes, at most {LONGEST} are taken"));
        }
        if self.0.len() < HEAD + length {
            return Ok(None);
        }
        self.0.advance(HEAD);
        let content = self.0.split_to(length).freeze();
        parse(kind, content).map(Some)
    }
}

fn parse(kind: u8, content: Bytes) -> Result<DumpRecord, String> {
    let wrong = || format!("a record of the dump is malformed: kind {kind} with {} bytes", content.len());
    let number = || content.as_ref().try_into().map(u64::from_be_bytes).map_err(|_| wrong());
    Ok(match kind {
        kind::BEGIN => DumpRecord::Begin { length: number()? },
        kind::DATA => DumpRecord::Data(content),
        kind::ZEROS => DumpRecord::Zeros(number()?),
        kind::KEEP => DumpRecord::Keep { sha256: content.as_ref().try_into().map_err(|_| wrong())? },
        kind::DONE if content.is_empty() => DumpRecord::Done,
        kind::REFUSED => DumpRecord::Refused(serde_json::from_slice(&content).map_err(|_| wrong())?),
        _ => return Err(wrong()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<DumpRecord> {
        let refusal = DumpRefusal {
            class: Class::Infrastructure,
            reason: "no room".into(),
            help: Some("make room".into()),
        };
        vec![
            DumpRecord::Begin { length: 1 << 40 },
            DumpRecord::Data(Bytes::from_static(b"abc")),
            DumpRecord::Zeros(7),
            DumpRecord::Keep { sha256: [9; 32] },
            DumpRecord::Done,
            DumpRecord::Refused(refusal),
        ]
    }

    #[test]
    fn records_come_back_however_the_stream_is_cut() {
        let stream: Vec<u8> = all().iter().flat_map(DumpRecord::bytes).collect();
        for piece in [1, 4, 5, 6, stream.len()] {
            let (mut reader, mut found) = (RecordReader::default(), Vec::new());
            for piece in stream.chunks(piece) {
                reader.push(piece);
                while let Some(record) = reader.next_record().unwrap() {
                    found.push(record);
                }
            }
            assert_eq!(found, all(), "{piece}");
        }
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for (bytes, expected) in [
            (&[2, 0, 16, 0, 1][..], "a record of the dump has 1048577 bytes, at most 1048576 are taken"),
            (&[0, 0, 0, 0, 0], "a record of the dump is malformed: kind 0 with 0 bytes"),
            (&[1, 0, 0, 0, 1, 7], "a record of the dump is malformed: kind 1 with 1 bytes"),
            (&[4, 0, 0, 0, 1, 7], "a record of the dump is malformed: kind 4 with 1 bytes"),
            (&[5, 0, 0, 0, 1, 7], "a record of the dump is malformed: kind 5 with 1 bytes"),
            (&[6, 0, 0, 0, 2, 123, 125], "a record of the dump is malformed: kind 6 with 2 bytes"),
        ] {
            let mut reader = RecordReader::default();
            reader.push(bytes);
            assert_eq!(reader.next_record(), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_refusal_is_the_error_it_was_made_of() {
        let error = Error::infrastructure("no room on the disk").help("make room");
        let made = DumpRefusal::of(&error).error();
        assert_eq!((made.class(), made.cause()), (error.class(), error.cause()));
        assert_eq!((made.next_step(), made.is_retryable()), (Some("make room"), false));
        assert_eq!(short(&"ü".repeat(2000)).len(), LONGEST_TEXT);
    }
}
