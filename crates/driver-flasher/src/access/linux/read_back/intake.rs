//! Where the board sends what it reads: good for one body, and a reader that sees its end without an error has exactly the
//! bytes that were expected.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flasher_core::Upload;
use flasher_core::driver::UploadSink;
use tokio::sync::mpsc;

use crate::access::Incoming;

/// Chunks that may wait to be hashed.
const WAITING: usize = 16;

/// A place for one body of `length` bytes, and the end where they come out.
pub(super) fn intake(length: u64) -> (Upload, Incoming) {
    let (sender, chunks) = mpsc::channel(WAITING);
    let sender = Arc::new(Mutex::new(Some(sender)));
    let upload = Upload::new(length, move || {
        let sender = sender.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(sink(sender))
    });
    (upload, Incoming::new(length, chunks))
}

fn sink(sender: mpsc::Sender<Bytes>) -> UploadSink {
    Box::pin(futures_util::sink::unfold(sender, |sender, chunk| async move {
        match sender.send(chunk).await {
            Ok(()) => Ok(sender),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }))
}

#[cfg(test)]
mod tests {
    use futures_util::SinkExt;

    use super::*;

    /// What comes out when `chunks` go into a place for `length` bytes.
    async fn pass(length: u64, chunks: &[&'static str]) -> Result<String, String> {
        let (upload, mut incoming) = intake(length);
        let mut sink = upload.open().unwrap();
        assert!(upload.open().is_none(), "good for one body");
        for chunk in chunks {
            sink.send(Bytes::from_static(chunk.as_bytes())).await.unwrap();
        }
        drop(sink);
        let taking = tokio::task::spawn_blocking(move || {
            let mut all = Vec::new();
            while let Some(chunk) = incoming.next()? {
                all.extend_from_slice(&chunk);
            }
            Ok(String::from_utf8(all).unwrap())
        });
        taking.await.unwrap()
    }

    #[tokio::test]
    async fn a_body_comes_out_as_it_went_in_and_only_whole() {
        assert_eq!(pass(5, &["ab", "cde"]).await, Ok("abcde".to_owned()));
        assert_eq!(pass(0, &[]).await, Ok(String::new()));
        assert_eq!(pass(5, &["ab"]).await, Err("only 2 of 5 bytes came".to_owned()));
    }

    #[tokio::test]
    async fn nobody_who_listens_is_told_to_the_sender() {
        let (upload, incoming) = intake(9);
        let mut sink = upload.open().unwrap();
        drop(incoming);
        let error = sink.send(Bytes::from_static(b"abc")).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
