//! Reads a file piece by piece: from the page cache at once, from the disk on a thread that may wait.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use rustix::io::ReadWriteFlags;

/// Pieces that are kept to be used again.
const KEPT: usize = 4;
/// The kernel fills and empties its page cache in runs of about this length, bytes.
const RUN: usize = 128 * 1024;

/// An open file. It is the one that was opened, whatever takes its name meanwhile.
#[derive(Debug)]
pub struct Reader {
    file: Arc<File>,
    /// Length and time of the last change when it was opened; none when the file system cannot tell.
    opened: Option<(u64, SystemTime)>,
    /// Pieces handed out, oldest first; their memory is used again once they have no other user. Empty unless wanted.
    kept: VecDeque<Bytes>,
    reuses: bool,
}

impl Reader {
    /// Reads `file`, which must be a regular one.
    pub fn new(file: File) -> Self {
        let opened = state(&file).ok();
        Self { file: Arc::new(file), opened, kept: VecDeque::new(), reuses: false }
    }

    /// The file itself.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Keeps the memory of a few pieces for the next ones: faster for large pieces, more memory for each reader.
    #[must_use]
    pub fn reusing(self) -> Self {
        Self { reuses: true, ..self }
    }

    /// The `wanted` bytes from offset `at` on. What is in the page cache is copied on the spot, which takes microseconds;
    /// only what has to come from the disk takes another thread.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file has become shorter, another when it was written to since it was opened; those of the disk.
    pub async fn read(&mut self, at: u64, wanted: usize) -> io::Result<Bytes> {
        let mut piece = self.memory(wanted);
        // Fails when not all of it is in the page cache, or the file system cannot tell.
        let slices = &mut [IoSliceMut::new(&mut piece)];
        let piece = match rustix::io::preadv2(&self.file, slices, at, ReadWriteFlags::NOWAIT) {
            Ok(read) if read == wanted => piece.freeze(),
            _ => {
                let file = Arc::clone(&self.file);
                let reading = tokio::task::spawn_blocking(move || read(&file, at, piece));
                reading.await.map_err(io::Error::other)??
            }
        };
        // After reading: a change of the file changes its time first.
        self.is_unchanged()?;
        if self.reuses {
            self.kept.push_back(piece.clone());
        }
        Ok(piece)
    }

    /// Whether the `length` bytes from offset `at` on can most likely be had without waiting for the disk. The page cache is
    /// asked every 128 KiB.
    pub fn is_at_hand(&self, at: u64, length: usize) -> bool {
        let Some(last) = length.checked_sub(1) else { return true };
        (0..last).step_by(RUN).chain([last]).all(|offset| {
            let mut byte = [0];
            let slices = &mut [IoSliceMut::new(&mut byte)];
            rustix::io::preadv2(&self.file, slices, at + offset as u64, ReadWriteFlags::NOWAIT) == Ok(1)
        })
    }

    fn is_unchanged(&self) -> io::Result<()> {
        match self.opened {
            Some(opened) if state(&self.file)? != opened => {
                Err(io::Error::other("the file changed while it was sent"))
            }
            _ => Ok(()),
        }
    }

    /// The oldest piece without another user, or new memory.
    fn memory(&mut self, wanted: usize) -> BytesMut {
        match self.kept.pop_front().map(Bytes::try_into_mut) {
            Some(Ok(old)) if old.len() == wanted => return old,
            Some(Err(busy)) if self.kept.len() + 1 < KEPT => self.kept.push_front(busy),
            _ => {}
        }
        BytesMut::zeroed(wanted)
    }
}

fn state(file: &File) -> io::Result<(u64, SystemTime)> {
    let about = file.metadata()?;
    Ok((about.len(), about.modified()?))
}

fn read(file: &File, at: u64, mut piece: BytesMut) -> io::Result<Bytes> {
    file.read_exact_at(&mut piece, at).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent")
        }
        _ => error,
    })?;
    Ok(piece.freeze())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_file_is_read_at_any_place_and_not_beyond_its_end() {
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..100_000_u32).map(|at| at as u8).collect();
        file.write_all(&content).unwrap();
        let mut reader = Reader::new(file);
        for (at, wanted) in [(0, 0), (0, 1), (7, 65_536), (99_999, 1), (0, 100_000)] {
            assert_eq!(reader.read(at as u64, wanted).await.unwrap(), content[at..at + wanted], "{at}");
        }
        let error = reader.read(99_999, 2).await.unwrap_err();
        assert_eq!(error.to_string(), "the file became shorter while it was sent");
    }

    #[tokio::test]
    async fn what_takes_the_name_of_an_open_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (path, next) = (folder.path().join("kernel"), folder.path().join("next"));
        std::fs::write(&path, "old kernel").unwrap();
        let mut reader = Reader::new(crate::open(folder.path(), "kernel".as_ref()).unwrap());
        std::fs::write(&next, "new one").unwrap();
        std::fs::rename(&next, &path).unwrap();
        assert_eq!(reader.read(0, 10).await.unwrap(), "old kernel");
    }

    #[tokio::test]
    async fn two_versions_of_a_file_are_not_mixed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kernel");
        let write = |text: &str, second: u64| {
            std::fs::write(&path, text).unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).unwrap();
        };
        for (next, says) in [
            ("a new kernel", "the file changed while it was sent"),
            ("an old kernel, longer", "the file changed while it was sent"),
            ("no", "the file became shorter while it was sent"),
        ] {
            write("an old one", 1);
            let mut reader = Reader::new(File::open(&path).unwrap());
            assert_eq!(reader.read(0, 6).await.unwrap(), "an old");
            write(next, 2);
            assert_eq!(reader.read(6, 4).await.unwrap_err().to_string(), says, "{next}");
        }
    }

    #[test]
    fn recently_written_files_are_cached() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; 300_000]).unwrap();
        let reader = Reader::new(file);
        if !reader.is_at_hand(0, 1) {
            eprintln!("skipped: this file system cannot tell what is in the page cache");
            return;
        }
        for (at, length, there) in [
            (0, 0, true),
            (0, 300_000, true),
            (299_999, 1, true),
            (299_999, 2, false),
            (0, 300_001, false),
            (400_000, 1, false),
        ] {
            assert_eq!(reader.is_at_hand(at, length), there, "{at} {length}");
        }
    }

    #[tokio::test]
    async fn only_free_memory_is_reused() {
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..80_000_u32).map(|at| (at / 1000) as u8).collect();
        file.write_all(&content).unwrap();
        let mut reader = Reader::new(file).reusing();
        let mut held = Vec::new();
        let mut places = std::collections::HashSet::new();
        for at in (0..80_000).step_by(1000) {
            let piece = reader.read(at as u64, 1000).await.unwrap();
            places.insert(piece.as_ptr());
            if at % 3000 == 0 {
                held.push((at, piece));
            }
        }
        assert!(places.len() < 70, "no memory was used again: {}", places.len());
        for (at, piece) in held {
            assert_eq!(piece, content[at..at + 1000], "memory in use was overwritten");
        }
    }
}
