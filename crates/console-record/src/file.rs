//! The thread that writes entries to a file, so that a slow disk holds up no console.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::{Duration, SystemTime};

use flasher_base::digest::Digest;
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use crate::entry::{ConsoleEntry, Direction};
use crate::recorder::Sink;

/// Text that waits for a slow disk, in bytes; what comes beyond is left out, and the file says so.
const LONGEST_BACKLOG: usize = 16 * 1024 * 1024;
/// Parts that are kept beside the one being written.
const PARTS: u32 = 4;
/// How often an idle writer looks for unfinished lines.
const IDLE: Duration = Duration::from_secs(1);

/// What becomes of what a file holds already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileEnd {
    /// It is replaced. The file must be a regular one, or new.
    Replace,
    /// It stays, and a write error is logged as it happens. With `part_bytes`, a new file begins once this one has so many bytes.
    Append {
        /// Bytes at which a new file begins.
        part_bytes: Option<u64>,
    },
}

/// What the writer does while it has nothing to write.
pub(crate) type OnIdle = Box<dyn Fn() + Send>;

enum Message {
    Line(String),
    Flush(oneshot::Sender<io::Result<Digest>>),
}

/// A file that a thread of its own writes; the thread ends, with everything written, when this is dropped.
pub struct FileSink {
    queue: Sender<Message>,
    backlog: Arc<AtomicUsize>,
    left_out: AtomicUsize,
}

impl FileSink {
    /// Opens the file `path` for writing. Blocks.
    ///
    /// # Errors
    /// When it cannot be written. Later errors are reported by [`Self::flush`].
    pub fn open(path: &Path, end: FileEnd) -> io::Result<Self> {
        Self::create(path, end, None)
    }

    pub(crate) fn create(path: &Path, end: FileEnd, on_idle: Option<OnIdle>) -> io::Result<Self> {
        let backlog = Arc::new(AtomicUsize::new(0));
        let writer = Writer::open(path, end, Arc::clone(&backlog))?;
        let (queue, messages) = channel();
        std::thread::Builder::new()
            .name("console-record".into())
            .spawn(move || writer.run(&messages, on_idle.as_deref()))?;
        Ok(Self { queue, backlog, left_out: AtomicUsize::new(0) })
    }

    /// Queues a line of the caller's own format, without its end.
    pub fn line(&self, line: &str) {
        if self.backlog.load(Ordering::Relaxed) > LONGEST_BACKLOG {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            let text = format!("{left_out} lines left out: the disk is too slow");
            let gap = ConsoleEntry { time: SystemTime::now(), direction: Direction::Note, text };
            self.queue_line(format!("{gap}\n"));
        }
        self.queue_line(format!("{line}\n"));
    }

    /// Waits until everything is in the file; gives the digest of what this sink has written.
    ///
    /// # Errors
    /// When the file could not be written, now or earlier.
    pub async fn flush(&self) -> io::Result<Digest> {
        let (done, written) = oneshot::channel();
        let gone = || io::Error::other("the writing thread has ended");
        self.queue.send(Message::Flush(done)).map_err(|_| gone())?;
        written.await.unwrap_or_else(|_| Err(gone()))
    }

    fn queue_line(&self, line: String) {
        self.backlog.fetch_add(line.len(), Ordering::Relaxed);
        // A thread that is gone is reported by `flush`.
        let _ = self.queue.send(Message::Line(line));
    }
}

impl Sink for FileSink {
    fn take(&self, entry: &ConsoleEntry) {
        self.line(&entry.to_string());
    }
}

impl fmt::Debug for FileSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSink").field("backlog", &self.backlog).finish_non_exhaustive()
    }
}

/// The thread's half.
struct Writer {
    path: PathBuf,
    end: FileEnd,
    file: BufWriter<File>,
    backlog: Arc<AtomicUsize>,
    /// Bytes of the file.
    length: u64,
    hash: Sha256,
    /// The first error; nothing is written after it.
    failed: Option<io::Error>,
}

impl Writer {
    fn open(path: &Path, end: FileEnd, backlog: Arc<AtomicUsize>) -> io::Result<Self> {
        let file = match end {
            FileEnd::Replace => replaced(path)?,
            FileEnd::Append { .. } => appended(path)?,
        };
        let length = file.metadata()?.len();
        let file = BufWriter::new(file);
        Ok(Self { path: path.to_owned(), end, file, backlog, length, hash: Sha256::new(), failed: None })
    }

    /// Writes until the queue is closed; after the first error only reports it.
    fn run(mut self, messages: &Receiver<Message>, on_idle: Option<&(dyn Fn() + Send)>) {
        while let Some(message) = self.next(messages, on_idle) {
            match message {
                Message::Line(line) => {
                    self.backlog.fetch_sub(line.len(), Ordering::Relaxed);
                    self.attempt(|writer| writer.write(&line));
                }
                Message::Flush(done) => {
                    self.attempt(|writer| writer.file.flush());
                    let digest = Digest::from(<[u8; 32]>::from(self.hash.clone().finalize()));
                    // The caller does not wait any more: it gave up.
                    let _ = done.send(self.failed.as_ref().map_or(Ok(digest), |error| Err(copy_of(error))));
                }
            }
        }
        self.attempt(|writer| writer.file.flush());
    }

    /// The next message; writes out what is buffered before it waits for one.
    fn next(&mut self, messages: &Receiver<Message>, on_idle: Option<&(dyn Fn() + Send)>) -> Option<Message> {
        match messages.try_recv() {
            Ok(message) => return Some(message),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => self.attempt(|writer| writer.file.flush()),
        }
        let Some(on_idle) = on_idle else { return messages.recv().ok() };
        loop {
            match messages.recv_timeout(IDLE) {
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Timeout) => on_idle(),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Does `work` unless something failed before.
    fn attempt(&mut self, work: impl FnOnce(&mut Self) -> io::Result<()>) {
        if self.failed.is_some() {
            return;
        }
        if let Err(error) = work(self) {
            if self.end != FileEnd::Replace {
                tracing::warn!(file = %self.path.display(), %error, "the console is no longer recorded");
            }
            self.failed = Some(error);
        }
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        if let FileEnd::Append { part_bytes: Some(part) } = self.end
            && self.length >= part
        {
            self.rotate()?;
        }
        self.hash.update(line.as_bytes());
        self.length += line.len() as u64;
        self.file.write_all(line.as_bytes())
    }

    /// Begins a new part: `FILE` becomes `FILE.1`, and so on.
    fn rotate(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let name = |number: u32| match number {
            0 => self.path.clone(),
            number => PathBuf::from(format!("{}.{number}", self.path.display())),
        };
        for number in (0..PARTS).rev() {
            match fs::rename(name(number), name(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        (self.file, self.length) = (BufWriter::new(appended(&self.path)?), 0);
        Ok(())
    }
}

/// An empty regular file at `path`. A pipe would wait for its reader, and a device never end.
fn replaced(path: &Path) -> io::Result<File> {
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

fn appended(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn copy_of(error: &io::Error) -> io::Error {
    error
        .raw_os_error()
        .map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parts_are_kept_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        let file = FileSink::open(&path, FileEnd::Append { part_bytes: Some(1) }).unwrap();
        (0..8).for_each(|number| file.line(&format!("line {number}")));
        file.flush().await.unwrap();
        let read = |path: String| fs::read_to_string(path).ok();
        let part = |number: u32| read(format!("{}.{number}", path.display()));
        assert_eq!(
            [read(path.display().to_string()), part(1), part(4), part(5)],
            [Some("line 7\n".into()), Some("line 6\n".into()), Some("line 3\n".into()), None]
        );
    }

    #[test]
    fn a_slow_disk_loses_nothing_silently() {
        let (queue, messages) = channel();
        let backlog = Arc::new(AtomicUsize::new(LONGEST_BACKLOG + 1));
        let file = FileSink { queue, backlog: Arc::clone(&backlog), left_out: AtomicUsize::new(0) };
        ["one", "two"].iter().for_each(|line| file.line(line));
        backlog.store(0, Ordering::Relaxed);
        file.line("three");
        let lines: Vec<String> = messages
            .try_iter()
            .map(|message| match message {
                Message::Line(line) => line,
                Message::Flush(_) => "flush".to_owned(),
            })
            .collect();
        assert!(lines[0].ends_with("Z # 2 lines left out: the disk is too slow\n"), "{lines:?}");
        assert_eq!(lines[1..], ["three\n"]);
    }

    #[tokio::test]
    async fn a_disk_that_fails_is_told() {
        for end in [FileEnd::Replace, FileEnd::Append { part_bytes: None }] {
            let full = Path::new("/dev/full");
            match FileSink::open(full, end) {
                // Only regular files are replaced.
                Err(error) => {
                    assert_eq!((end, error.kind()), (FileEnd::Replace, io::ErrorKind::InvalidInput))
                }
                Ok(file) => {
                    file.line("lost");
                    assert_eq!(file.flush().await.unwrap_err().kind(), io::ErrorKind::StorageFull);
                }
            }
        }
    }
}
