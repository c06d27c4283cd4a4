//! Reading and writing the file that is the medium.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::super::state::UBoot;

impl UBoot<'_> {
    /// Bytes of the medium.
    pub(super) async fn read_disk(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let path = self.machine.medium.clone();
        let work = self.machine.file_work.spawn_blocking(move || read(&path, offset, length));
        work.await.map_err(io::Error::other)?
    }

    /// Writes bytes to the medium. Goes on when the power is cut meanwhile, as a device does with what it has.
    pub(super) async fn write_disk(&self, offset: u64, bytes: Vec<u8>) -> io::Result<()> {
        let path = self.machine.medium.clone();
        let work = self.machine.file_work.spawn_blocking(move || write(&path, offset, &bytes));
        work.await.map_err(io::Error::other)?
    }
}

fn read(path: &Path, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    File::open(path)?.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

fn write(path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all_at(bytes, offset)
}
