//! The upload area: a folder of bounded size that clients may put files into, each whole or not at all.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::fs::File;
use tokio::io::AsyncWriteExt;

/// What a file costs besides its bytes, so that empty files are bounded too.
const OVERHEAD: u64 = 4096;
/// Names of files under way begin so; a name a client gives may not begin with a dot.
const UNFINISHED: &str = ".upload-";
/// Longest name, bytes, so that the name of the unfinished file fits too.
const NAME: usize = 200;

/// A folder that takes files of at most `limit` bytes in all.
#[derive(Clone, Debug)]
pub(crate) struct Area {
    folder: PathBuf,
    limit: u64,
    ledger: Arc<Mutex<AreaUsage>>,
    serial: Arc<AtomicU64>,
}

/// What the area holds.
#[derive(Debug, Default)]
struct AreaUsage {
    /// Bytes of finished files, as last looked at.
    stored: u64,
    /// Bytes of files under way.
    arriving: u64,
    /// Files under way.
    open: usize,
}

impl Area {
    pub(crate) fn new(folder: impl Into<PathBuf>, limit: u64) -> Self {
        Self { folder: folder.into(), limit, ledger: Arc::default(), serial: Arc::default() }
    }

    /// The most bytes of all files together.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder, and removes what a server that was killed left unfinished. Blocks on the disk.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                match std::fs::remove_file(entry.path()) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Begins a file.
    ///
    /// # Errors
    /// `InvalidInput` for a name that is no plain file name, `StorageFull` when the area is full; those of the disk.
    pub(crate) async fn receive(&self, name: &str) -> io::Result<Receiving> {
        if !is_plain(name) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a plain file name"));
        }
        self.open().await?;
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let temporary = self.folder.join(format!("{UNFINISHED}{serial}-{name}"));
        let mut receiving = Receiving {
            area: self.clone(),
            file: None,
            arrived: 0,
            unfinished: Some(temporary.clone()),
            path: self.folder.join(name),
        };
        self.reserve(OVERHEAD)?;
        receiving.arrived = OVERHEAD;
        receiving.file = Some(File::create_new(&temporary).await?);
        Ok(receiving)
    }

    /// Counts one more file under way; the first looks what the folder holds, for others may have removed files.
    async fn open(&self) -> io::Result<()> {
        let folder = self.folder.clone();
        let stored =
            tokio::task::spawn_blocking(move || stored(&folder)).await.map_err(io::Error::other)??;
        let mut ledger = self.ledger();
        if ledger.open == 0 {
            ledger.stored = stored;
        }
        ledger.open += 1;
        Ok(())
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        let mut ledger = self.ledger();
        if ledger.stored + ledger.arriving + bytes > self.limit {
            let text = format!("the upload area is full: it takes {} bytes in all", self.limit);
            return Err(io::Error::new(io::ErrorKind::StorageFull, text));
        }
        ledger.arriving += bytes;
        Ok(())
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, AreaUsage> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file under way. Removed when dropped before [`Receiving::finish`].
#[derive(Debug)]
pub(crate) struct Receiving {
    area: Area,
    file: Option<File>,
    arrived: u64,
    unfinished: Option<PathBuf>,
    path: PathBuf,
}

impl Receiving {
    /// Appends.
    pub(crate) async fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.area.reserve(piece.len() as u64)?;
        self.arrived += piece.len() as u64;
        match &mut self.file {
            Some(file) => file.write_all(piece).await,
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Gives the file its name; one of that name is replaced.
    pub(crate) async fn finish(mut self) -> io::Result<()> {
        if let Some(mut file) = self.file.take() {
            file.flush().await?;
        }
        if let Some(unfinished) = &self.unfinished {
            tokio::fs::rename(unfinished, &self.path).await?;
        }
        self.unfinished = None;
        self.area.ledger().stored += self.arrived;
        Ok(())
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        let mut ledger = self.area.ledger();
        ledger.arriving -= self.arrived;
        ledger.open -= 1;
        drop(ledger);
        if let Some(unfinished) = self.unfinished.take() {
            // One that cannot be removed is removed by the next start.
            tokio::task::spawn_blocking(move || std::fs::remove_file(unfinished));
        }
    }
}

fn stored(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            bytes += entry.metadata()?.len() + OVERHEAD;
        }
    }
    Ok(bytes)
}

fn is_plain(name: &str) -> bool {
    (1..=NAME).contains(&name.len())
        && !name.starts_with('.')
        && !name.chars().any(|letter| letter.is_control() || matches!(letter, '/' | '\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn files_are_whole_or_not_there_and_never_more_than_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let area = Area::new(folder.path().join("made"), 3 * OVERHEAD);
        area.prepare().unwrap();
        let mut first = area.receive("first").await.unwrap();
        first.write(&[1; 1000]).await.unwrap();
        let mut second = area.receive("second").await.unwrap();
        second.write(&[2; 3000]).await.unwrap();
        let full = second.write(&[2; 97]).await.unwrap_err();
        assert_eq!(full.to_string(), "the upload area is full: it takes 12288 bytes in all");
        drop(second);
        first.write(&[1; 3000]).await.unwrap();
        first.finish().await.unwrap();
        // The one that was dropped is removed by another thread.
        while names(&area.folder) != ["first"] {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(std::fs::read(area.folder.join("first")).unwrap(), [1; 4000]);
        drop(area.receive("third").await.unwrap());
        std::fs::write(area.folder.join(".upload-9-x"), "left by a server that was killed").unwrap();
        std::fs::remove_file(area.folder.join("first")).unwrap();
        area.prepare().unwrap();
        assert_eq!(names(&area.folder), [""; 0]);
        area.receive("again").await.unwrap().write(&[3; 2 * OVERHEAD as usize]).await.unwrap();
    }

    #[tokio::test]
    async fn only_plain_names_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let area = Area::new(folder.path(), 1 << 20);
        let long = "n".repeat(201);
        for name in ["", ".", "..", ".hidden", "a/b", "a\\b", "a\nb", "/etc/passwd", &long] {
            let error = area.receive(name).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name:?}");
        }
        area.receive("log 1.txt").await.unwrap().finish().await.unwrap();
        assert_eq!(names(folder.path()), ["log 1.txt"]);
    }
}
