//! Standard input as a file without a name: it can be had once, and an image may be read several times.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::OnceCell;

use crate::Error;

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// What standard input held: a process has only one.
static STDIN: OnceCell<Arc<File>> = OnceCell::const_new();

/// Standard input, read to its end once in the life of the process.
pub(crate) async fn stdin(folder: Option<&Path>) -> Result<Arc<File>, Error> {
    let read = STDIN.get_or_try_init(|| spool("-", tokio::io::stdin(), folder));
    read.await.map(Arc::clone)
}

/// Copies `from` into a file without a name, below `folder` or where temporary files are.
pub(crate) async fn spool(
    label: &str,
    mut from: impl AsyncRead + Unpin,
    folder: Option<&Path>,
) -> Result<Arc<File>, Error> {
    let folder = folder.map_or_else(std::env::temp_dir, Path::to_owned);
    let failed = |source: io::Error| Error::Spool { label: label.into(), folder: folder.clone(), source };
    let mut file = tempfile::tempfile_in(&folder).map_err(failed)?;
    let (mut buffer, mut offset) = (vec![0; BUFFER], 0);
    loop {
        let count = from.read(&mut buffer).await.map_err(|source| Error::Read {
            label: label.into(),
            offset,
            source,
        })?;
        if count == 0 {
            return Ok(Arc::new(file));
        }
        offset += count as u64;
        let write = tokio::task::spawn_blocking(move || {
            let written = file.write_all(&buffer[..count]);
            (file, buffer, written)
        });
        let written;
        (file, buffer, written) =
            write.await.map_err(|e| Error::Machine { label: label.into(), reason: e.to_string() })?;
        written.map_err(failed)?;
    }
}
