//! One disk of this machine, opened by us alone, read and written around the page cache. All calls block.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use flasher_core::{Class, Error, RootCause};
use rustix::fs::{Advice, FallocateFlags, FlockOperation, OFlags, fadvise, fallocate, fdatasync, flock};
use rustix::io::{Errno, pread, pwrite};
use tokio::sync::OwnedMutexGuard;

use super::sysfs::HostDisk;

/// What memory for direct reading and writing is aligned to, bytes.
const ALIGNMENT: usize = 4096;

/// A disk that nothing else has open exclusively: no mount, no volume, no other flash.
#[derive(Debug)]
pub(super) struct Disk {
    file: File,
    /// Its device file, for messages.
    pub(super) node: String,
    /// Bytes of a sector.
    pub(super) sector: u64,
    /// Since when the device works for each thread that waits for it.
    busy_since: Mutex<HashMap<ThreadId, Instant>>,
    /// Held until the file is closed, so that the mux is not switched before.
    _open: Arc<OwnedMutexGuard<()>>,
}

impl Disk {
    /// Opens the disk. `open` is held for as long as it is.
    ///
    /// # Errors
    /// EBUSY when something uses it; ENODEV when another device has its place.
    pub(super) fn open(about: &HostDisk, open: Arc<OwnedMutexGuard<()>>) -> io::Result<Self> {
        let flags = OFlags::EXCL | OFlags::DIRECT | OFlags::CLOEXEC;
        let flags = flags.bits().cast_signed();
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(&about.node)?;
        let found = file.metadata()?.rdev();
        if (rustix::fs::major(found), rustix::fs::minor(found)) != about.number {
            return Err(Errno::NODEV.into());
        }
        // udev leaves a disk alone that is locked so. Where it is locked already, it is only disturbed.
        flock(&file, FlockOperation::NonBlockingLockExclusive).ok();
        let node = about.node.display().to_string();
        Ok(Self { file, node, sector: about.sector.max(512), busy_since: Mutex::default(), _open: open })
    }

    /// How long the device has been at the operation that it has not ended for the longest time.
    pub(super) fn busy_for(&self) -> Option<Duration> {
        let busy = self.busy_since.lock().unwrap_or_else(PoisonError::into_inner);
        busy.values().map(Instant::elapsed).max()
    }

    fn busy<T>(&self, work: impl FnOnce() -> Result<T, Errno>) -> io::Result<T> {
        let busy = || self.busy_since.lock().unwrap_or_else(PoisonError::into_inner);
        let thread = thread::current().id();
        busy().insert(thread, Instant::now());
        let done = work();
        busy().remove(&thread);
        Ok(done?)
    }

    /// Reads whole sectors from byte `offset` on.
    ///
    /// # Errors
    /// Names the byte from which on it failed.
    pub(super) fn read(&self, mut offset: u64, mut bytes: &mut [u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let read = self.busy(|| pread(&self.file, &mut *bytes, offset));
            let count =
                self.counted(read, bytes.len()).map_err(|it| self.failed(DiskAction::Read, offset, &it))?;
            offset += count as u64;
            bytes = &mut bytes[count..];
        }
        Ok(())
    }

    /// Writes whole sectors from byte `offset` on. An error is given once and never tried again: the kernel forgets it.
    ///
    /// # Errors
    /// Names the byte from which on it failed.
    pub(super) fn write(&self, mut offset: u64, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let written = self.busy(|| pwrite(&self.file, bytes, offset));
            let count = self
                .counted(written, bytes.len())
                .map_err(|it| self.failed(DiskAction::Write, offset, &it))?;
            offset += count as u64;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// How many bytes are done of those that were wanted; none where a signal came first. Less than was asked for is gone on with
    /// where a sector ends, and nowhere else.
    fn counted(&self, done: io::Result<usize>, wanted: usize) -> io::Result<usize> {
        match done {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) if count == wanted || (count as u64).is_multiple_of(self.sector) => Ok(count),
            Ok(_) => Err(Errno::IO.into()),
            Err(error) => Err(error),
        }
    }

    /// Makes whole sectors zeros by the kernel, which vouches for it; false when the device has nothing of the kind.
    pub(super) fn zero(&self, offset: u64, length: u64) -> io::Result<bool> {
        let how = FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE;
        self.busy(|| match fallocate(&self.file, how, offset, length) {
            Ok(()) => Ok(true),
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => Ok(false),
            Err(error) => Err(error),
        })
    }

    /// Has the device make durable what it was given, and the kernel forget what it holds of it.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.busy(|| fdatasync(&self.file))?;
        self.busy(|| fadvise(&self.file, 0, None, Advice::DontNeed))
    }

    /// The failure of an operation at byte `offset`.
    pub(super) fn failed(&self, action: DiskAction, offset: u64, error: &io::Error) -> Error {
        failed(&self.node, action, offset, error)
    }
}

/// What is done with a stretch of a disk.
#[derive(Clone, Copy, Debug)]
pub(super) enum DiskAction {
    Read,
    Write,
    Zero,
    /// What was written before is made durable.
    Flush,
}

impl DiskAction {
    fn done(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "written",
            Self::Zero => "zeroed",
            Self::Flush => "written through",
        }
    }

    fn root_cause(self) -> RootCause {
        match self {
            Self::Read => RootCause::ReadError,
            Self::Write | Self::Zero | Self::Flush => RootCause::WriteError,
        }
    }
}

/// The failure of an operation at byte `offset` of `node`.
fn failed(node: &str, action: DiskAction, offset: u64, error: &io::Error) -> Error {
    let gone = [Errno::NODEV, Errno::NXIO, Errno::NOMEDIUM].map(Errno::raw_os_error);
    let (cause, class, text, help) = match error.raw_os_error() {
        Some(code) if gone.contains(&code) => (
            RootCause::MediumGone,
            Class::Infrastructure,
            format!("`{node}` vanished while it was used, at byte {offset}"),
            "is the mux, the reader or its cable loose? the kernel's log (`dmesg`) says when it went",
        ),
        _ => (
            action.root_cause(),
            Class::Medium,
            format!("`{node}` cannot be {} at byte {offset}: {error}", action.done()),
            "the kernel's log (`dmesg`) says more; a card, a reader or a cable that is bad looks like this",
        ),
    };
    Error::new(class, text).with("device", node.to_owned()).help(help).caused_by(cause)
}

/// Memory that the kernel reads into and writes from directly.
#[derive(Debug)]
pub(super) struct AlignedBuffer {
    bytes: Vec<u8>,
    from: usize,
}

impl AlignedBuffer {
    /// Zeros, `length` bytes.
    pub(super) fn new(length: usize) -> Self {
        let bytes = vec![0; length + ALIGNMENT];
        let from = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { bytes, from }
    }

    /// The first `length` bytes.
    pub(super) fn first(&self, length: usize) -> &[u8] {
        &self.bytes[self.from..self.from + length]
    }

    /// The first `length` bytes, to be filled.
    pub(super) fn first_mut(&mut self, length: usize) -> &mut [u8] {
        &mut self.bytes[self.from..self.from + length]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn failures_of_a_disk() {
        let check = |errno: Errno, cause: RootCause, expected: &str| {
            let error = failed("/dev/sdb", DiskAction::Write, 4096, &errno.into());
            assert_eq!((format!("{error:?}").as_str(), error.root()), (expected, Some(cause)));
        };
        check(
            Errno::IO,
            RootCause::WriteError,
            "medium error: `/dev/sdb` cannot be written at byte 4096: Input/output error (os error 5) [device: /dev/sdb]",
        );
        check(
            Errno::NODEV,
            RootCause::MediumGone,
            "infrastructure error: `/dev/sdb` vanished while it was used, at byte 4096 [device: /dev/sdb]",
        );
    }

    #[test]
    fn an_operation_that_hangs_is_seen_beside_others() {
        let open = Arc::new(tokio::sync::Mutex::new(())).try_lock_owned().unwrap();
        let disk = Disk {
            file: File::open("/dev/null").unwrap(),
            node: "/dev/sdb".to_owned(),
            sector: 512,
            busy_since: Mutex::default(),
            _open: Arc::new(open),
        };
        let ((begin, begun), (go_on, wait)) = (mpsc::channel(), mpsc::channel());
        thread::scope(|scope| {
            let hangs = move || {
                begin.send(()).unwrap();
                wait.recv().map_err(|_| Errno::IO)
            };
            let disk = &disk;
            scope.spawn(move || disk.busy(hangs).unwrap());
            begun.recv().unwrap();
            disk.busy(|| Ok(())).unwrap();
            assert!(disk.busy_for().is_some(), "the other one still hangs");
            go_on.send(()).unwrap();
        });
        assert_eq!(disk.busy_for(), None);
    }

    #[test]
    fn memory_is_aligned() {
        for length in [1, 4096, 70_000] {
            let mut buffer = AlignedBuffer::new(length);
            assert_eq!(buffer.first_mut(length).as_ptr().align_offset(ALIGNMENT), 0);
            assert_eq!(buffer.first(length).len(), length);
        }
    }
}
