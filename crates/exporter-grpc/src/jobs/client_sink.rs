//! Where a dump for a client goes: over a stream, to the client that writes the file.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use flasher_core::{DumpSink, Error, Result};
use sha2::{Digest as _, Sha256};

use crate::dump_stream::{DumpRecord, LONGEST, RecordReader};
use crate::failure::CallFailure;
use crate::resource::Duplex;

/// Bound on the client's answer to a beginning.
const BEGUN: Duration = Duration::from_secs(60);
/// Bound on the client having all of a dump on its disk.
const KEPT: Duration = Duration::from_secs(600);

/// The file of a client, as a dump writes it.
pub(super) struct ClientSink {
    /// What the client calls it.
    name: String,
    stream: Mutex<ClientStream>,
}

struct ClientStream {
    duplex: Duplex,
    answers: RecordReader,
    /// Of what was sent since the last beginning.
    hash: Sha256,
}

impl ClientSink {
    /// A dump that the client at the other end of `duplex` calls `name`.
    pub(super) fn new(name: String, duplex: Duplex) -> Self {
        let stream = ClientStream { duplex, answers: RecordReader::default(), hash: Sha256::new() };
        Self { name, stream: Mutex::new(stream) }
    }

    fn stream(&self) -> MutexGuard<'_, ClientStream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DumpSink for ClientSink {
    fn label(&self) -> String {
        self.name.clone()
    }

    fn begin(&self, length: u64) -> Result<()> {
        let mut stream = self.stream();
        stream.hash = Sha256::new();
        stream.send(&DumpRecord::Begin { length })?;
        stream.answer(BEGUN)
    }

    fn take(&self, bytes: &[u8]) -> Result<()> {
        let mut stream = self.stream();
        stream.hash.update(bytes);
        for piece in bytes.chunks(LONGEST) {
            let record = match piece.iter().all(|byte| *byte == 0) {
                true => DumpRecord::Zeros(piece.len() as u64),
                false => DumpRecord::Data(Bytes::copy_from_slice(piece)),
            };
            stream.send(&record)?;
        }
        Ok(())
    }

    fn keep(&self) -> Result<()> {
        let mut stream = self.stream();
        let sha256 = stream.hash.finalize_reset().into();
        stream.send(&DumpRecord::Keep { sha256 })?;
        stream.answer(KEPT)
    }
}

impl ClientStream {
    /// Sends a record, unless the client has said that it cannot write.
    fn send(&mut self, record: &DumpRecord) -> Result<()> {
        self.hear()?;
        let sent = self.duplex.send(record.bytes());
        sent.map_err(|failure| self.hear().err().unwrap_or_else(|| broken(failure)))
    }

    /// Looks at what the client says without being asked: that it cannot write, or nothing.
    fn hear(&mut self) -> Result<()> {
        let gone = loop {
            match self.duplex.try_next() {
                Ok(Some(piece)) => self.answers.push(&piece),
                Ok(None) => break None,
                Err(failure) => break Some(failure),
            }
        };
        match (self.answers.next_record().map_err(malformed)?, gone) {
            (Some(DumpRecord::Refused(refusal)), _) => Err(refusal.error()),
            (Some(_), _) => Err(malformed("a record that was not asked for".to_owned())),
            (None, Some(failure)) => Err(broken(failure)),
            (None, None) => Ok(()),
        }
    }

    /// The client's answer to what was sent last.
    fn answer(&mut self, bound: Duration) -> Result<()> {
        loop {
            match self.answers.next_record().map_err(malformed)? {
                Some(DumpRecord::Done) => return Ok(()),
                Some(DumpRecord::Refused(refusal)) => return Err(refusal.error()),
                Some(_) => return Err(malformed("a record that is no answer".to_owned())),
                None => {
                    let piece = self.duplex.next_within(bound).map_err(broken)?;
                    self.answers.push(&piece);
                }
            }
        }
    }
}

fn broken(failure: CallFailure) -> Error {
    Error::infrastructure("the dump does not reach the client that writes it")
        .help("run `flasher --remote … dump` again; nothing was written to the medium")
        .retryable(false)
        .because(io::Error::other(failure.text))
}

fn malformed(what: String) -> Error {
    Error::infrastructure(format!("the client that writes the dump sent no answer: {what}"))
        .help("use the same release of `flasher` here and on the exporter's machine")
        .retryable(false)
}

#[cfg(test)]
mod tests {
    use flasher_core::Class;

    use super::*;
    use crate::dump_stream::DumpRefusal;
    use crate::resource::{Pipe, StreamItem};

    /// What the client at the other end does.
    enum Client {
        Takes,
        RefusesTheBeginning,
        RefusesData,
        GoesAway,
        SaysNonsense,
    }

    fn refused() -> DumpRecord {
        let (reason, help) = ("no room".to_owned(), Some("make room".to_owned()));
        DumpRecord::Refused(DumpRefusal { class: Class::Infrastructure, reason, help })
    }

    /// Dumps `parts` to such a client; gives what it has heard, and how it ended.
    async fn dump(client: Client, parts: Vec<Vec<u8>>) -> (Vec<DumpRecord>, Result<()>) {
        let (pipe, mut ends) = Pipe::new(None);
        let sink = ClientSink::new("os.img".to_owned(), Duplex::new(pipe).unwrap());
        let work = tokio::task::spawn_blocking(move || {
            sink.begin(parts.iter().map(|part| part.len() as u64).sum())?;
            parts.iter().try_for_each(|part| sink.take(part))?;
            sink.keep()
        });
        let (mut reader, mut heard) = (RecordReader::default(), Vec::new());
        'heard: while let Some(piece) = ends.outgoing.recv().await {
            reader.push(&piece.unwrap());
            while let Some(record) = reader.next_record().unwrap() {
                let answer = match (&client, &record) {
                    (Client::GoesAway, DumpRecord::Data(_)) => break 'heard,
                    (Client::RefusesTheBeginning, DumpRecord::Begin { .. })
                    | (Client::RefusesData, DumpRecord::Data(_)) => Some(refused()),
                    (Client::SaysNonsense, DumpRecord::Begin { .. }) => Some(DumpRecord::Zeros(1)),
                    (_, DumpRecord::Begin { .. } | DumpRecord::Keep { .. }) => Some(DumpRecord::Done),
                    _ => None,
                };
                heard.push(record);
                if let Some(answer) = answer {
                    // Cut in two, as a stream may be.
                    let mut bytes = answer.bytes();
                    for part in [bytes.split_to(1), bytes] {
                        ends.incoming.send(StreamItem::Data(part)).await.ok(); // the dump may have ended
                    }
                }
            }
        }
        drop(ends);
        (heard, work.await.unwrap())
    }

    fn data(length: usize) -> Vec<u8> {
        vec![7; length]
    }

    #[tokio::test]
    async fn a_client_gets_all_bytes_and_their_digest() {
        let parts = vec![data(3), vec![0; 9], data(LONGEST + 1)];
        let (heard, ended) = dump(Client::Takes, parts.clone()).await;
        ended.unwrap();
        let sha256 = Sha256::digest(parts.concat()).into();
        let expected = [
            DumpRecord::Begin { length: (LONGEST + 13) as u64 },
            DumpRecord::Data(data(3).into()),
            DumpRecord::Zeros(9),
            DumpRecord::Data(data(LONGEST).into()),
            DumpRecord::Data(data(1).into()),
            DumpRecord::Keep { sha256 },
        ];
        assert!(heard == expected);
    }

    #[tokio::test]
    async fn what_a_client_cannot_write_ends_the_dump() {
        let check = async |client, class: Class, cause: &str| {
            // More than what may wait on the way.
            let (_, ended) = dump(client, (0..64).map(|_| data(1000)).collect()).await;
            let error = ended.unwrap_err();
            assert_eq!((error.class(), error.cause().as_str()), (class, cause));
            assert!(!error.is_retryable() && error.next_step().is_some());
        };
        check(Client::RefusesTheBeginning, Class::Infrastructure, "no room").await;
        check(Client::RefusesData, Class::Infrastructure, "no room").await;
        let gone = "the dump does not reach the client that writes it: the client went away";
        check(Client::GoesAway, Class::Infrastructure, gone).await;
        let nonsense = "the client that writes the dump sent no answer: a record that is no answer";
        check(Client::SaysNonsense, Class::Infrastructure, nonsense).await;
    }
}
