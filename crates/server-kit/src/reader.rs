//! Reads a file piece by piece: from the page cache at once, from the disk on a thread that may wait.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rustix::io::ReadWriteFlags;

/// Pieces that are kept to be used again.
const KEPT: usize = 4;

/// An open file. It is the one that was opened, whatever takes its name meanwhile.
#[derive(Debug)]
pub struct Reader {
    file: Arc<File>,
    /// Pieces handed out, oldest first; their memory is used again once nobody else has them. Empty unless wanted.
    kept: VecDeque<Bytes>,
    reuses: bool,
}

impl Reader {
    /// Reads `file`, which must be a regular one.
    pub fn new(file: File) -> Self {
        Self { file: Arc::new(file), kept: VecDeque::new(), reuses: false }
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
    /// `UnexpectedEof` when the file has become shorter; those of the disk.
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
        if self.reuses {
            self.kept.push_back(piece.clone());
        }
        Ok(piece)
    }

    /// The oldest piece that nobody else has any more, or new memory.
    fn memory(&mut self, wanted: usize) -> BytesMut {
        match self.kept.pop_front().map(Bytes::try_into_mut) {
            Some(Ok(old)) if old.len() == wanted => return old,
            Some(Err(busy)) if self.kept.len() + 1 < KEPT => self.kept.push_front(busy),
            _ => {}
        }
        BytesMut::zeroed(wanted)
    }
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
    async fn memory_that_nobody_has_any_more_is_used_again_and_other_memory_never() {
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
