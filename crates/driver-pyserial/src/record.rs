//! The recorder: everything a line prints, with the time of each line, in a file that is cut into parts. Its own thread writes, so
//! that a slow disk holds up no reader; what it cannot keep up with is counted, and the file says so.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use line_share::Take;
use rustix::fs::Access;

use crate::error::PortError;

/// Pieces that wait for the disk at most; each has at most [`line_share::PIECE`] bytes.
const WAITING: usize = 1024;
/// Parts that are kept beside the one being written.
const PARTS: u32 = 4;
/// How long something may wait before it is in the file.
const SOON: Duration = Duration::from_millis(200);

/// Whether a file could be written, without making it. Blocks.
///
/// # Errors
/// Why not.
pub(crate) fn look(file: &Path) -> Result<(), PortError> {
    let wrong = |reason: String| PortError::File { file: file.display().to_string(), reason };
    let system = |error: io::Error| wrong(error.to_string());
    let folder = file.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (place, access) = match fs::metadata(file) {
        Ok(about) if about.is_dir() => return Err(system(io::ErrorKind::IsADirectory.into())),
        Ok(_) => (file, Access::WRITE_OK),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(system(error)),
        Err(_) => match fs::metadata(folder).map_err(system)?.is_dir() {
            true => (folder, Access::WRITE_OK | Access::EXEC_OK),
            false => return Err(system(io::ErrorKind::NotADirectory.into())),
        },
    };
    rustix::fs::access(place, access).map_err(|error| system(error.into()))
}

/// Takes what a line prints.
#[derive(Debug)]
pub(crate) struct Recorder {
    to: Mutex<SyncSender<(SystemTime, Bytes)>>,
    missed: AtomicUsize,
}

impl Recorder {
    /// Records at the end of `file`; a new part begins once it has `part` bytes. Blocks.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn new(file: &Path, part: u64) -> Result<Self, PortError> {
        let wrong = |error: io::Error| PortError::File {
            file: file.display().to_string(),
            reason: error.to_string(),
        };
        let writer = RecordWriter::open(file.to_owned(), part).map_err(wrong)?;
        let (to, pieces) = sync_channel(WAITING);
        std::thread::Builder::new().spawn(move || writer.run(&pieces)).map_err(wrong)?;
        Ok(Self { to: Mutex::new(to), missed: AtomicUsize::new(0) })
    }
}

impl Take for Recorder {
    fn take(&self, piece: Bytes) {
        let to = self.to.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let missed = self.missed.load(Ordering::Relaxed);
        let length = piece.len();
        let gap = (missed > 0)
            .then(|| Bytes::from(format!("\n[{missed} bytes left out: the disk was too slow]\n")));
        let mut all = gap.into_iter().chain([piece]).map(|it| to.try_send((SystemTime::now(), it)));
        match all.any(|sent| matches!(sent, Err(TrySendError::Full(_)))) {
            true => self.missed.fetch_add(length, Ordering::Relaxed),
            false => self.missed.swap(0, Ordering::Relaxed),
        };
    }
}

/// The thread's half.
struct RecordWriter {
    path: PathBuf,
    file: io::BufWriter<File>,
    written: u64,
    part: u64,
    /// The next byte begins a line.
    fresh: bool,
}

impl RecordWriter {
    fn open(path: PathBuf, part: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        let written = file.metadata()?.len();
        Ok(Self { path, file: io::BufWriter::new(file), written, part, fresh: true })
    }

    fn run(mut self, pieces: &Receiver<(SystemTime, Bytes)>) {
        if let Err(error) = self.write_all(pieces) {
            tracing::warn!(file = %self.path.display(), %error, "the line is no longer recorded");
        }
    }

    fn write_all(&mut self, pieces: &Receiver<(SystemTime, Bytes)>) -> io::Result<()> {
        loop {
            match pieces.recv_timeout(SOON) {
                Ok((time, piece)) => self.write(time, &piece)?,
                Err(RecvTimeoutError::Timeout) => self.file.flush()?,
                Err(RecvTimeoutError::Disconnected) => return self.file.flush(),
            }
        }
    }

    fn write(&mut self, time: SystemTime, piece: &[u8]) -> io::Result<()> {
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            if self.fresh {
                self.rotate()?;
                self.put(format!("{} ", flasher_core::clock::milliseconds(time)).as_bytes())?;
            }
            self.put(&printable(line))?;
            self.fresh = line.ends_with(b"\n");
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// Begins a new part when this one is full: `FILE` becomes `FILE.1`, and so on.
    fn rotate(&mut self) -> io::Result<()> {
        if self.written < self.part {
            return Ok(());
        }
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
        *self = Self::open(self.path.clone(), self.part)?;
        Ok(())
    }
}

/// A board's text is hostile to terminals: control characters other than tab and newline are written as `\xNN`; `\r` goes.
fn printable(line: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(line.len());
    for &byte in line {
        match byte {
            b'\r' => {}
            b'\t' | b'\n' | b' '..=b'~' | 0x80.. => text.push(byte),
            _ => text.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    /// Lines without their times.
    fn lines(path: &Path) -> Vec<String> {
        read(path).lines().map(|line| line.split_once(' ').map_or("", |it| it.1).to_owned()).collect()
    }

    #[test]
    fn lines_have_their_time_once_and_nothing_that_moves_a_cursor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        let mut writer = RecordWriter::open(path.clone(), 1 << 20).unwrap();
        let time = std::time::UNIX_EPOCH;
        for piece in [&b"U-Boot "[..], b"2023.01\r\n\x1b[2J", b"=> "] {
            writer.write(time, piece).unwrap();
        }
        writer.file.flush().unwrap();
        assert_eq!(
            read(&path),
            "1970-01-01T00:00:00.000Z U-Boot 2023.01\n1970-01-01T00:00:00.000Z \\x1b[2J=> "
        );
    }

    #[test]
    fn parts_are_kept_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        let mut writer = RecordWriter::open(path.clone(), 1).unwrap();
        for number in 0..8 {
            writer.write(std::time::UNIX_EPOCH, format!("line {number}\n").as_bytes()).unwrap();
        }
        writer.file.flush().unwrap();
        let part = |number: u32| lines(&PathBuf::from(format!("{}.{number}", path.display())));
        assert_eq!(
            (lines(&path), part(1), part(4)),
            (vec!["line 7".into()], vec!["line 6".into()], vec!["line 3".into()])
        );
        assert!(part(5).is_empty());
    }

    #[test]
    fn a_disk_that_is_too_slow_loses_nothing_silently() {
        let (to, pieces) = sync_channel(2);
        let recorder = Recorder { to: Mutex::new(to), missed: AtomicUsize::new(0) };
        for _ in 0..5 {
            recorder.take(Bytes::from_static(b"0123456789"));
        }
        let mut got: Vec<Bytes> = pieces.try_iter().map(|it| it.1).collect();
        recorder.take(Bytes::from_static(b"again"));
        got.extend(pieces.try_iter().map(|it| it.1));
        let text = String::from_utf8(got.concat()).unwrap();
        assert!(text.starts_with("01234567890123456789\n[") && text.ends_with(" too slow]\nagain"), "{text}");
    }
}
