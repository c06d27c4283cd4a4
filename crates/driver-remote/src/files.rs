//! Files on their way to an exporter: sent when the exporter asks for them, hashed while they go.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use exporter_wire::notice::JobNotice;
use exporter_wire::proto::{FrameType, StreamRequest};
use flasher_core::{Class, Error, Result};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, stream};
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::{mpsc, oneshot};

/// Bytes of one frame.
const FRAME: usize = 64 * 1024;

/// A flash that has been ordered.
pub struct StartedFlash {
    /// The events of the flash.
    pub events: BoxStream<'static, Result<String>>,
    /// SHA-256 of each file that was sent, lower-case hex, once all of them were.
    pub sha256: Arc<OnceLock<Vec<String>>>,
}

impl fmt::Debug for StartedFlash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartedFlash").field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

/// Files that are to be sent.
pub(super) struct OutgoingFiles(Vec<OutgoingFile>);

struct OutgoingFile {
    file: File,
    path: PathBuf,
    length: u64,
}

impl OutgoingFiles {
    /// Opens the files at `paths`.
    ///
    /// # Errors
    /// Class source when one cannot be read, or is no regular file.
    pub(super) async fn open(paths: &[PathBuf]) -> Result<Self> {
        let mut files = Vec::new();
        for path in paths {
            files.push(OutgoingFile::open(path).await?);
        }
        Ok(Self(files))
    }

    /// Of each file, bytes.
    pub(super) fn lengths(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|file| file.length)
    }

    /// The events of the flash without the request for the files, which is answered. A file that cannot be read to its end is
    /// the last event.
    pub(super) fn send_when_asked(
        self,
        events: impl Stream<Item = Result<String>> + Send + 'static,
        frames: mpsc::Sender<StreamRequest>,
        sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> StartedFlash {
        let sha256 = Arc::new(OnceLock::new());
        let (asked, wait) = oneshot::channel();
        let (broken, failure) = oneshot::channel();
        let known = Arc::clone(&sha256);
        tokio::spawn(async move {
            // Without a request there is nothing to do: the flash was refused.
            if wait.await.is_err() {
                return;
            }
            match self.send(&frames, sent).await {
                Ok(Some(digests)) => drop(known.set(digests)),
                Ok(None) => {}
                Err(error) => drop(broken.send(error)), // when it fails, the caller has dropped the events
            }
        });
        let (mut asked, request) = (Some(asked), JobNotice::SendFiles.json());
        let events = events.filter_map(move |event| {
            let is_request = matches!(&event, Ok(text) if *text == request);
            if is_request && let Some(asked) = asked.take() {
                asked.send(()).ok(); // the task that waits for it cannot end before
            }
            std::future::ready((!is_request).then_some(event))
        });
        let failure =
            stream::once(failure).filter_map(async |failed| failed.ok().map(|error| Some(Err(error))));
        // Over with the events: the other stream ends only when the request can no longer come.
        let events = events.map(Some).chain(stream::once(async { None }));
        let all = stream::select(failure, events).take_while(|event| std::future::ready(event.is_some()));
        StartedFlash { events: all.filter_map(async |event| event).boxed(), sha256 }
    }

    /// Sends every file and its digest behind it; gives the digests, or none when the exporter takes no more: its events say
    /// why. `sent` hears how many bytes have gone.
    async fn send(
        self,
        frames: &mpsc::Sender<StreamRequest>,
        sent: impl Fn(u64) + Sync,
    ) -> Result<Option<Vec<String>>> {
        let (mut digests, mut before) = (Vec::new(), 0);
        sent(before);
        for file in self.0 {
            let length = file.length;
            let Some(digest) = file.send(frames, |count| sent(before + count)).await? else {
                return Ok(None);
            };
            before += length;
            digests.push(digest);
        }
        let ended = send(frames, Bytes::new(), FrameType::Goaway).await;
        Ok(ended.then_some(digests))
    }
}

impl OutgoingFile {
    async fn open(path: &Path) -> Result<Self> {
        let failed = |error| unreadable(path, error);
        // Looked at first: opening a pipe would wait for its writer.
        if !tokio::fs::metadata(path).await.map_err(failed)?.is_file() {
            return Err(Error::new(Class::Source, format!("`{}` is no regular file", path.display()))
                .help("give a file: its length must be known before it is sent"));
        }
        let file = File::open(path).await.map_err(failed)?;
        let length = file.metadata().await.map_err(failed)?.len();
        Ok(Self { file, path: path.to_owned(), length })
    }

    async fn send(
        mut self,
        frames: &mpsc::Sender<StreamRequest>,
        sent: impl Fn(u64) + Sync,
    ) -> Result<Option<String>> {
        let (mut hash, mut buffer, mut total) = (Sha256::new(), BytesMut::new(), 0);
        while total < self.length {
            buffer.reserve(FRAME);
            let count =
                self.file.read_buf(&mut buffer).await.map_err(|error| unreadable(&self.path, error))?;
            let left = usize::try_from(self.length - total).unwrap_or(usize::MAX);
            let data = buffer.split().freeze();
            let data = data.slice(..count.min(left));
            if data.is_empty() {
                return Err(Error::new(
                    Class::Source,
                    format!("`{}` became shorter while it was sent", self.path.display()),
                ));
            }
            hash.update(&data);
            total += data.len() as u64;
            if !send(frames, data, FrameType::Data).await {
                return Ok(None);
            }
            sent(total);
        }
        let digest = hash.finalize();
        let is_sent = send(frames, Bytes::copy_from_slice(&digest), FrameType::Data).await;
        Ok(is_sent.then(|| digest.iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}

/// Sends a frame; false when the receiver is gone.
async fn send(frames: &mpsc::Sender<StreamRequest>, payload: Bytes, kind: FrameType) -> bool {
    frames.send(StreamRequest { payload, frame_type: kind.into() }).await.is_ok()
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::new(Class::Source, format!("cannot read `{}`", path.display())).because(error)
}
