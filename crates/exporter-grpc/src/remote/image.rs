//! An image on its way to an exporter: sent when the exporter asks for it, hashed while it goes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use flasher_core::{Class, Error, Result};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, stream};
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::{mpsc, oneshot};

use crate::jobs::SEND;
use crate::proto::{FrameType, StreamRequest};

/// Bytes of one frame.
const PIECE: usize = 64 * 1024;

/// A flash that has been ordered with a file.
pub struct StartedFlash {
    /// The events of the flash.
    pub events: BoxStream<'static, Result<String>>,
    /// SHA-256 of what was sent, lower-case hex, once all of it was.
    pub sha256: Arc<OnceLock<String>>,
}

impl fmt::Debug for StartedFlash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartedFlash").field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

/// A file that is to be sent.
pub(super) struct OutgoingFile {
    file: File,
    path: PathBuf,
    length: u64,
}

impl OutgoingFile {
    pub(super) async fn open(path: &Path) -> Result<Self> {
        let failed = |error| unreadable(path, error);
        let file = File::open(path).await.map_err(failed)?;
        let facts = file.metadata().await.map_err(failed)?;
        if !facts.is_file() {
            return Err(Error::new(
                Class::Source,
                format!("the image `{}` is no regular file", path.display()),
            )
            .help("give a file: its length must be known before it is sent"));
        }
        Ok(Self { file, path: path.to_owned(), length: facts.len() })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The events of the flash without the request for the image, which is answered. An image that cannot be read to its end is
    /// the last event.
    pub(super) fn send_when_asked(
        self,
        events: impl Stream<Item = Result<String>> + Send + 'static,
        frames: mpsc::Sender<StreamRequest>,
        sent: impl Fn(u64) + Send + 'static,
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
                Ok(Some(digest)) => drop(known.set(digest)),
                Ok(None) => {}
                Err(error) => drop(broken.send(error)), // when it fails, the caller has dropped the events
            }
        });
        let mut asked = Some(asked);
        let events = events.filter_map(move |event| {
            let is_request = matches!(&event, Ok(text) if text == SEND);
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

    /// Sends the whole file and its digest behind it; gives the digest, or none when the exporter takes no more: its events say
    /// why.
    async fn send(
        mut self,
        frames: &mpsc::Sender<StreamRequest>,
        sent: impl Fn(u64),
    ) -> Result<Option<String>> {
        let (mut hash, mut buffer, mut total) = (Sha256::new(), BytesMut::new(), 0);
        sent(total);
        while total < self.length {
            buffer.reserve(PIECE);
            let count =
                self.file.read_buf(&mut buffer).await.map_err(|error| unreadable(&self.path, error))?;
            let left = usize::try_from(self.length - total).unwrap_or(usize::MAX);
            let piece = buffer.split().freeze();
            let piece = piece.slice(..count.min(left));
            if piece.is_empty() {
                return Err(Error::new(
                    Class::Source,
                    format!("the image `{}` became shorter while it was sent", self.path.display()),
                ));
            }
            hash.update(&piece);
            total += piece.len() as u64;
            if !send(frames, piece, FrameType::Data).await {
                return Ok(None);
            }
            sent(total);
        }
        let digest = hash.finalize();
        let all = send(frames, Bytes::copy_from_slice(&digest), FrameType::Data).await
            && send(frames, Bytes::new(), FrameType::Goaway).await;
        Ok(all.then(|| digest.iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}

/// Sends a frame; false when the receiver is gone.
async fn send(frames: &mpsc::Sender<StreamRequest>, payload: Bytes, kind: FrameType) -> bool {
    frames.send(StreamRequest { payload, frame_type: kind.into() }).await.is_ok()
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::new(Class::Source, format!("cannot read the image `{}`", path.display())).because(error)
}
