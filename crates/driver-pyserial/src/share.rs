//! Lets other processes of the same user hear a line that this one has open: a socket in the user's runtime folder, named after the line.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::address::Address;
use crate::tap::{Tap, forward};

/// Watchers from outside at most.
const MOST: usize = 16;

/// Serves watchers until it is dropped.
#[derive(Debug)]
pub(crate) struct WatchSocket {
    socket: PathBuf,
    server: JoinHandle<()>,
}

impl Drop for WatchSocket {
    fn drop(&mut self) {
        self.server.abort();
        // Another opening may have taken the name already only after this one: the line is held exclusively.
        let _ = fs::remove_file(&self.socket);
    }
}

/// Serves watchers of `line`. None when the folder cannot be had or another process serves the same line: the line works without.
pub(crate) async fn serve(line: &Address, tap: &Tap) -> Option<WatchSocket> {
    let socket = socket(line)?;
    let refused = |error: io::Error| tracing::debug!(%error, "other processes cannot watch this line");
    if UnixStream::connect(&socket).await.is_ok() {
        return None;
    }
    // Nobody serves it: what is there was left behind.
    let _ = fs::remove_file(&socket);
    // Somebody may just have removed an empty folder.
    let listener = UnixListener::bind(&socket).or_else(|_| {
        folder();
        UnixListener::bind(&socket)
    });
    let listener = listener.map_err(refused).ok()?;
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).map_err(refused).ok()?;
    let server = tokio::spawn(accept(listener, tap.again()));
    Some(WatchSocket { socket, server })
}

async fn accept(listener: UnixListener, tap: Tap) {
    let mut watchers = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while watchers.try_join_next().is_some() {}
        if watchers.len() < MOST {
            watchers.spawn(forward(tap.subscribe(), stream));
        }
    }
}

/// What another process hears of `line`; none when no process has it open.
///
/// # Errors
/// When there is one, and it does not let us.
pub(crate) async fn watch(line: &Address) -> io::Result<Option<UnixStream>> {
    let Some(socket) = socket(line) else { return Ok(None) };
    match UnixStream::connect(&socket).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The socket of a line: none for an echo, which is private.
fn socket(line: &Address) -> Option<PathBuf> {
    let name = match line.innermost() {
        Address::Loop => return None,
        Address::Device(path) => {
            fs::canonicalize(path).unwrap_or_else(|_| path.clone()).display().to_string()
        }
        other => other.to_string(),
    };
    Some(folder()?.join(format!("serial-{}", flasher_core::owner::stable_name(&name))))
}

/// A folder that is this user's alone.
fn folder() -> Option<PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|it| is_private(it, user));
    let folder =
        runtime.map_or_else(|| std::env::temp_dir().join(format!("flasher-{user}")), |it| it.join("flasher"));
    // It may be there already; whose it is decides.
    let _ = fs::DirBuilder::new().mode(0o700).create(&folder);
    Some(folder).filter(|folder| is_private(folder, user))
}

/// A folder, no link, that belongs to `user` and that nobody else may enter.
fn is_private(folder: &Path, user: u32) -> bool {
    fs::symlink_metadata(folder).is_ok_and(|it| it.is_dir() && it.uid() == user && it.mode() & 0o077 == 0)
}
