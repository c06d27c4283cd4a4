//! The bytes of a dump that an exporter sends, into a file of this machine: a thread writes them and answers.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use exporter_wire::dump_stream::{DumpRecord, DumpRefusal, RecordReader};
use exporter_wire::proto::{FrameType, StreamRequest, StreamResponse};
use flasher_core::{DumpSink, Error, Result};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tonic::Streaming;

/// Pieces that wait for the disk.
const QUEUE: usize = 8;
/// Zeros that are written at once.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// What takes the records.
struct DumpWriter {
    sink: Arc<dyn DumpSink>,
    answers: mpsc::Sender<StreamRequest>,
    records: RecordReader,
    /// Of all bytes since the beginning.
    hash: Sha256,
    /// Bytes of the medium that have not come yet.
    missing: u64,
    /// SHA-256 of what was kept.
    kept: Arc<OnceLock<String>>,
}

/// Writes what comes into `sink`; gives where the SHA-256 of what was kept will be, lower-case hex.
pub(crate) fn start(
    inward: Streaming<StreamResponse>,
    answers: mpsc::Sender<StreamRequest>,
    sink: Arc<dyn DumpSink>,
) -> Arc<OnceLock<String>> {
    let kept = Arc::new(OnceLock::new());
    let (pieces, queue) = mpsc::channel(QUEUE);
    let writer = DumpWriter {
        sink,
        answers: answers.clone(),
        records: RecordReader::default(),
        hash: Sha256::new(),
        missing: 0,
        kept: Arc::clone(&kept),
    };
    tokio::task::spawn_blocking(move || writer.run(queue));
    tokio::spawn(pass_on(inward, pieces, answers));
    kept
}

/// Hands the pieces to the writer, and reads on to the end when that has given up: the exporter then hears why. Our direction of the
/// stream stays open until its own has ended.
async fn pass_on(
    mut inward: Streaming<StreamResponse>,
    pieces: mpsc::Sender<Bytes>,
    answers: mpsc::Sender<StreamRequest>,
) {
    while let Ok(Some(frame)) = inward.message().await {
        if frame.frame_type == i32::from(FrameType::Goaway) {
            break;
        }
        if frame.frame_type == i32::from(FrameType::Data) {
            pieces.send(frame.payload).await.ok(); // the writer may have given up
        }
    }
    drop(answers);
}

impl DumpWriter {
    fn run(mut self, mut pieces: mpsc::Receiver<Bytes>) {
        while let Some(piece) = pieces.blocking_recv() {
            if let Err(error) = self.piece(&piece) {
                self.answer(&DumpRecord::Refused(DumpRefusal::of(&error)));
                return;
            }
        }
    }

    fn piece(&mut self, piece: &[u8]) -> Result<()> {
        self.records.push(piece);
        while let Some(record) = self.records.next_record().map_err(malformed)? {
            self.record(record)?;
        }
        Ok(())
    }

    fn record(&mut self, record: DumpRecord) -> Result<()> {
        match record {
            DumpRecord::Begin { length } => {
                (self.hash, self.missing) = (Sha256::new(), length);
                self.sink.begin(length)?;
                self.answer(&DumpRecord::Done);
            }
            DumpRecord::Data(data) => {
                self.expect(data.len() as u64)?;
                self.take(&data)?;
            }
            DumpRecord::Zeros(mut count) => {
                self.expect(count)?;
                while count > 0 {
                    let part = usize::try_from(count).unwrap_or(usize::MAX).min(ZEROS.len());
                    self.take(&ZEROS[..part])?;
                    count -= part as u64;
                }
            }
            DumpRecord::Keep { sha256 } => {
                self.keep(sha256)?;
                self.answer(&DumpRecord::Done);
            }
            DumpRecord::Done | DumpRecord::Refused(_) => {
                return Err(malformed("a record that only a client sends".to_owned()));
            }
        }
        Ok(())
    }

    /// So many bytes come.
    fn expect(&mut self, count: u64) -> Result<()> {
        let missing = self.missing.checked_sub(count);
        self.missing = missing.ok_or_else(|| malformed("more bytes than the medium has".to_owned()))?;
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.sink.take(bytes)
    }

    /// Keeps the dump, when it is what the exporter has read.
    fn keep(&mut self, sent: [u8; 32]) -> Result<()> {
        let own: [u8; 32] = self.hash.finalize_reset().into();
        if own != sent || self.missing > 0 {
            return Err(Error::infrastructure(
                "what has come of the dump is not what the exporter sent: its SHA-256 differs",
            )
            .help("dump again; the network or a machine changes bytes when it comes again"));
        }
        self.sink.keep()?;
        self.kept.set(own.iter().map(|byte| format!("{byte:02x}")).collect()).ok(); // the first one stands
        Ok(())
    }

    fn answer(&self, record: &DumpRecord) {
        let frame = StreamRequest { payload: record.bytes(), frame_type: FrameType::Data.into() };
        self.answers.blocking_send(frame).ok(); // an exporter that is gone is seen by its events
    }
}

fn malformed(what: String) -> Error {
    Error::infrastructure(format!("the exporter sent no dump: {what}"))
        .help("use the same release of `flasher` here and on the exporter's machine")
}
