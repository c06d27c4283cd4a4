//! Lets other processes of the same user hear a line that this one has open: a socket in the user's runtime folder, named after the line.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::PathBuf;

use flasher_base::user_folder;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

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
        // The name is still that of this socket: no other owner has a line that is held exclusively.
        let _ = fs::remove_file(&self.socket);
        // The folder goes with the last socket; while there are others, it cannot be removed.
        let _ = self.socket.parent().map(fs::remove_dir);
    }
}

/// Serves watchers of the line called `name`. None when the folder cannot be had or another process serves the same line: the line works without.
pub(crate) async fn serve(name: &str, tap: &Tap) -> Option<WatchSocket> {
    make_folder();
    let socket = socket(name)?;
    let refused = |error: io::Error| tracing::debug!(%error, "other processes cannot watch this line");
    if UnixStream::connect(&socket).await.is_ok() {
        return None;
    }
    // No process serves it: what is there was left behind.
    let _ = fs::remove_file(&socket);
    // Another process may just have removed an empty folder.
    let listener = UnixListener::bind(&socket).or_else(|_| {
        make_folder();
        UnixListener::bind(&socket)
    });
    let listener = listener.map_err(refused).ok()?;
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).map_err(refused).ok()?;
    let server = tokio::spawn(accept(listener, tap.clone()));
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

/// What another process hears of the line called `name`; none when no process has it open.
///
/// # Errors
/// When there is one, and it does not let us.
pub(crate) async fn watch(name: &str) -> io::Result<Option<UnixStream>> {
    let Some(socket) = socket(name) else { return Ok(None) };
    match UnixStream::connect(&socket).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The socket of a line; none without a folder that is this user's alone.
fn socket(name: &str) -> Option<PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    Some(user_folder::of(user))
        .filter(|folder| user_folder::is_private(folder, user))
        .map(|folder| folder.join(format!("serial-{name}")))
}

/// Makes the folder of the sockets. It may be there already; whose it is decides.
fn make_folder() {
    let user = rustix::process::geteuid().as_raw();
    let _ = fs::DirBuilder::new().mode(0o700).create(user_folder::of(user));
}
