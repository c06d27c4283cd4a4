//! The thread that writes a transcript to its file.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use crate::error::Error;

/// Text that waits for a slow disk; what comes beyond is left out and the gap is marked.
const LONGEST_BACKLOG: usize = 16 * 1024 * 1024;

enum FileMessage {
    Line(String),
    Flush(oneshot::Sender<io::Result<String>>),
}

/// The sending end; the thread ends when it is dropped.
pub(super) struct FileWriter {
    path: PathBuf,
    queue: Sender<FileMessage>,
    backlog: Arc<AtomicUsize>,
    left_out: AtomicUsize,
}

impl FileWriter {
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Transcript { path: path.to_owned(), source };
        let file = create(path).map_err(failed)?;
        let (queue, messages) = channel();
        let backlog = Arc::new(AtomicUsize::new(0));
        let thread_backlog = Arc::clone(&backlog);
        std::thread::Builder::new()
            .name("console-transcript".into())
            .spawn(move || write_messages(BufWriter::new(file), &messages, &thread_backlog))
            .map_err(failed)?;
        Ok(Self { path: path.to_owned(), queue, backlog, left_out: AtomicUsize::new(0) })
    }

    /// Queues a line; errors show at the next flush.
    pub(super) fn write(&self, line: String) {
        if self.backlog.load(Ordering::Relaxed) > LONGEST_BACKLOG {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            self.queue_line(format!("         # {left_out} lines left out: the disk is too slow\n"));
        }
        self.queue_line(line);
    }

    /// Waits until everything is in the file; gives the SHA-256 of what was written, in hex.
    pub(super) async fn flush(&self) -> Result<String, Error> {
        let (done, written) = oneshot::channel();
        let gone = || io::Error::other("the writing thread has ended");
        let sent = self.queue.send(FileMessage::Flush(done)).map_err(|_| gone());
        let result = match sent {
            Ok(()) => written.await.unwrap_or_else(|_| Err(gone())),
            Err(error) => Err(error),
        };
        result.map_err(|source| Error::Transcript { path: self.path.clone(), source })
    }

    fn queue_line(&self, line: String) {
        self.backlog.fetch_add(line.len(), Ordering::Relaxed);
        // A thread that is gone is reported by `flush`.
        let _ = self.queue.send(FileMessage::Line(line));
    }
}

/// An empty regular file at `path`. A pipe would wait for its reader, and a device never end.
fn create(path: &Path) -> io::Result<File> {
    // On a pipe this fails in place of waiting; on a regular file it has no effect (open(2)).
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).custom_flags(nonblocking).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    file.set_len(0)?;
    Ok(file)
}

/// Writes until the queue is closed; after the first error only reports it.
fn write_messages(mut file: BufWriter<File>, messages: &Receiver<FileMessage>, backlog: &AtomicUsize) {
    let (mut failed, mut hash): (Option<io::Error>, _) = (None, Sha256::new());
    while let Some(message) = next_message(messages, &mut file, &mut failed) {
        match message {
            FileMessage::Line(line) => {
                backlog.fetch_sub(line.len(), Ordering::Relaxed);
                if failed.is_none() {
                    hash.update(line.as_bytes());
                    failed = file.write_all(line.as_bytes()).err();
                }
            }
            FileMessage::Flush(done) => {
                if failed.is_none() {
                    failed = file.flush().err();
                }
                let result = match &failed {
                    Some(error) => Err(copy_of(error)),
                    None => Ok(hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
                };
                // The caller does not wait any more: it gave up.
                let _ = done.send(result);
            }
        }
    }
}

/// The next message; writes out what is buffered before it waits for one.
fn next_message(
    messages: &Receiver<FileMessage>,
    file: &mut BufWriter<File>,
    failed: &mut Option<io::Error>,
) -> Option<FileMessage> {
    match messages.try_recv() {
        Ok(message) => Some(message),
        Err(TryRecvError::Disconnected) => None,
        Err(TryRecvError::Empty) => {
            if failed.is_none() {
                *failed = file.flush().err();
            }
            messages.recv().ok()
        }
    }
}

fn copy_of(error: &io::Error) -> io::Error {
    error
        .raw_os_error()
        .map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}
