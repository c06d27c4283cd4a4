//! Reads a file piece by piece: from the page cache at once, from the disk on a thread that may wait.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use rustix::io::ReadWriteFlags;

/// An open file. It is the one that was opened, whatever takes its name meanwhile.
#[derive(Clone, Debug)]
pub struct Reader(Arc<File>);

impl Reader {
    /// Reads `file`, which must be a regular one.
    pub fn new(file: File) -> Self {
        Self(Arc::new(file))
    }

    /// The `wanted` bytes from offset `at` on. What is in the page cache is copied on the spot, which takes microseconds;
    /// only what has to come from the disk takes another thread.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file has become shorter; those of the disk.
    pub async fn read(&self, at: u64, wanted: usize) -> io::Result<Bytes> {
        if let Some(piece) = self.cached(at, wanted) {
            return Ok(piece);
        }
        let file = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || read(&file, at, wanted)).await.map_err(io::Error::other)?
    }

    /// None when not all of it is in the page cache, or the file system cannot tell.
    fn cached(&self, at: u64, wanted: usize) -> Option<Bytes> {
        let mut piece = vec![0; wanted];
        let read =
            rustix::io::preadv2(&self.0, &mut [IoSliceMut::new(&mut piece)], at, ReadWriteFlags::NOWAIT);
        (read == Ok(wanted)).then(|| piece.into())
    }
}

fn read(file: &File, at: u64, wanted: usize) -> io::Result<Bytes> {
    let mut piece = vec![0; wanted];
    file.read_exact_at(&mut piece, at).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent")
        }
        _ => error,
    })?;
    Ok(piece.into())
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
        let reader = Reader::new(file);
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
        let reader = Reader::new(crate::open(folder.path(), "kernel".as_ref()).unwrap());
        std::fs::write(&next, "new one").unwrap();
        std::fs::rename(&next, &path).unwrap();
        assert_eq!(reader.read(0, 10).await.unwrap(), "old kernel");
    }
}
