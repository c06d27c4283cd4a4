//! What the medium holds, sent here by U-Boot's `tftpput` where it has that: piece by piece, each checked by its CRC-32.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use disk_image::{Digest, Range, RangeHash};
use flasher_core::driver::UploadSink;
use flasher_core::flash::CacheBypass;
use flasher_core::{Class, Error, FileServer, Result, RootCause, Upload};
use futures_util::Sink;
use tokio::sync::mpsc;

use super::enter::{BootLoader, Window};
use crate::access::{Broken, Incoming, ReadEvidence, Stretch, Take, Target};
use crate::config::seconds;
use crate::{load_path, staging};

/// Most that is sent at once, bytes: U-Boot waits for an answer to each block, so a long way makes it slow.
const PIECE: u64 = 2 << 20;
/// How often a piece is sent before its path counts as one that loses or changes bytes.
const TRIES: u32 = 3;
/// Pieces that may wait for their taker.
const WAITING: usize = 2;

/// Reads these stretches and hands their bytes to `take`, which runs on a thread of its own.
pub(super) async fn read(
    loader: &mut BootLoader<'_>,
    target: &Target,
    stretches: &[Stretch],
    take: Take,
    evidence: &mut ReadEvidence,
) -> Result<()> {
    if !loader.has_put {
        return Err(cannot_send());
    }
    let window = loader.window(&target.device)?;
    evidence.cache_bypass = Some(CacheBypass::Bootloader);
    let length = stretches.iter().map(|stretch| stretch.length).sum();
    let (sender, chunks) = mpsc::channel(WAITING);
    let taking = tokio::task::spawn_blocking(move || take(Incoming::new(length, chunks)));
    let sent = all(loader, &window, stretches, sender).await;
    let taken = taking.await.unwrap_or_else(|error| {
        Err(Broken::Ours(Error::new(Class::Internal, "a worker thread ended unexpectedly").because(error)))
    });
    match (taken, sent) {
        (Err(Broken::Ours(error)), _) | (_, Err(error)) => Err(error),
        (Err(Broken::Bytes(why)), Ok(())) => {
            Err(Error::infrastructure(format!("reading `{}` broke off: {why}", target.device)))
        }
        (Ok(()), Ok(())) => Ok(()),
    }
}

async fn all(
    loader: &mut BootLoader<'_>,
    window: &Window,
    stretches: &[Stretch],
    sender: mpsc::Sender<Bytes>,
) -> Result<()> {
    for stretch in stretches {
        for (offset, length) in pieces(loader, stretch.offset, stretch.length) {
            let bytes = loader.sent(window, offset, length).await?;
            if sender.send(bytes).await.is_err() {
                // The taker has failed, and says why.
                return Ok(());
            }
        }
    }
    Ok(())
}

/// SHA-256 of a range, made here of the bytes that the board sends.
pub(super) async fn digest(loader: &mut BootLoader<'_>, window: &Window, range: &Range) -> Result<Digest> {
    let mut hash = RangeHash::default();
    for (offset, length) in pieces(loader, range.offset, range.length) {
        hash.update(&loader.sent(window, offset, length).await?);
    }
    Ok(hash.finish())
}

/// Offset and length of each piece of a stretch.
fn pieces(loader: &BootLoader<'_>, offset: u64, length: u64) -> impl Iterator<Item = (u64, u64)> + use<> {
    let piece = PIECE.min(loader.areas.length);
    (0..length.div_ceil(piece)).map(move |number| {
        let from = number * piece;
        (offset + from, piece.min(length - from))
    })
}

fn cannot_send() -> Error {
    Error::new(
        Class::Board,
        "this boot loader was built without `tftpput`, so it cannot send what is on a medium",
    )
    .help("take a U-Boot with this command, or `via: linux` with a bundle")
    .caused_by(RootCause::UnknownCommand)
    .retryable(false)
}

impl BootLoader<'_> {
    /// Bytes of the medium, read into memory that held something else, and sent from there.
    async fn sent(&mut self, window: &Window, offset: u64, length: u64) -> Result<Bytes> {
        let address = self.read_fresh(window, offset, length).await?;
        for tries_left in (0..TRIES).rev() {
            match self.put(address, length).await {
                Ok(bytes) => {
                    let mut crc = flate2::Crc::new();
                    crc.update(&bytes);
                    if self.crc32(address, length, crc.sum()).await? == crc.sum() {
                        return Ok(bytes);
                    }
                }
                Err(error) if tries_left == 0 || error.class() != Class::Infrastructure => return Err(error),
                Err(_) => {}
            }
            if tries_left > 0 {
                self.session.run.warn("what the board sent did not arrive as it was, and was sent again");
            }
        }
        Err(Error::infrastructure(format!(
            "{length} bytes that the board sent arrived changed {TRIES} times"
        ))
        .help("the network or the board's memory is bad: check the cable"))
    }

    async fn put(&mut self, address: u64, length: u64) -> Result<Bytes> {
        let session = self.session;
        let name = format!("{}/part-{}", staging::folder(&session.run.token), self.files);
        self.files += 1;
        let (upload, whole) = collect(length);
        let tftp = session.tftp();
        let announced = AnnouncedFile::new(tftp.as_ref(), &name, upload)?;
        let within = seconds(session.flasher.config.timeouts.tftp);
        let sent = self.uboot.tftp_put((address, length), &name, within).await;
        let said = sent.map_err(|error| load_path::failed(&name, &error))?;
        drop(announced);
        let bytes = whole.lock().unwrap_or_else(PoisonError::into_inner).take();
        bytes.filter(|bytes| bytes.len() as u64 == length).ok_or_else(|| {
            Error::infrastructure(format!(
                "the board says that it sent {said} of {length} bytes, and they did not arrive"
            ))
            .with("server", session.run.evidence.about("tftp", &name))
        })
    }
}

/// A file that the board may send for as long as this lives.
struct AnnouncedFile<'a>(&'a dyn FileServer, &'a str);

impl<'a> AnnouncedFile<'a> {
    fn new(server: &'a dyn FileServer, name: &'a str, upload: Upload) -> Result<Self> {
        server.accept(name, upload)?;
        Ok(Self(server, name))
    }
}

impl Drop for AnnouncedFile<'_> {
    fn drop(&mut self) {
        self.0.withdraw(self.1);
    }
}

/// Bytes that are there once all of them are.
type Whole = Arc<Mutex<Option<Bytes>>>;

/// A place for one file of at most `length` bytes, and where it is found when it is whole.
fn collect(length: u64) -> (Upload, Whole) {
    let whole = Whole::default();
    let (place, is_open) = (Arc::clone(&whole), Mutex::new(true));
    let upload = Upload::new(length, move || {
        let is_first = std::mem::take(&mut *is_open.lock().unwrap_or_else(PoisonError::into_inner));
        let sink = Collector { bytes: BytesMut::new(), whole: Arc::clone(&place) };
        is_first.then(|| Box::pin(sink) as UploadSink)
    });
    (upload, whole)
}

/// Keeps what comes until it is whole.
struct Collector {
    bytes: BytesMut,
    whole: Whole,
}

impl Sink<Bytes> for Collector {
    type Error = std::io::Error;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(mut self: Pin<&mut Self>, item: Bytes) -> std::io::Result<()> {
        self.bytes.extend_from_slice(&item);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let bytes = self.bytes.split().freeze();
        *self.whole.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::SinkExt;

    use super::*;

    #[tokio::test]
    async fn a_file_counts_when_it_is_whole_and_comes_once() {
        let (upload, whole) = collect(5);
        let mut sink = upload.open().unwrap();
        assert!(upload.open().is_none());
        for part in ["ab", "cde"] {
            sink.send(Bytes::from_static(part.as_bytes())).await.unwrap();
            assert_eq!(*whole.lock().unwrap(), None);
        }
        sink.close().await.unwrap();
        assert_eq!(whole.lock().unwrap().as_deref(), Some(&b"abcde"[..]));
    }
}
