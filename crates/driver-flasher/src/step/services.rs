//! Step 4: boot files are staged, TFTP and HTTP are bound. A port that cannot be had is an error now, not later.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bundle_store::Files;
use flasher_core::{Error, Result};

use super::resolve::Resolved;
use crate::flasher::blocking;
use crate::transaction::Session;

/// Where the servers are bound; the host may be the wildcard.
pub(crate) struct Services {
    pub(crate) tftp: SocketAddr,
    pub(crate) http: SocketAddr,
}

pub(crate) async fn start(session: Session<'_>, resolved: &Resolved) -> Result<Services> {
    let staged = stage(&resolved.files, session.flasher.tftp.root()).await?;
    session.run.set_staged(staged);
    let log = session.run.evidence.log(session.run.progress());
    let tftp = session.flasher.tftp.start(log.clone()).await.map_err(|error| error.with("server", "tftp"))?;
    let http = session.flasher.http.start(log).await.map_err(|error| error.with("server", "http"))?;
    Ok(Services { tftp, http })
}

/// Copies the boot files into the TFTP folder under their base names, each in one move.
pub(crate) async fn stage(files: &Files, root: PathBuf) -> Result<Vec<PathBuf>> {
    let all: Vec<_> = [Some(&files.kernel), files.initram.as_ref(), files.dtb.as_ref()]
        .into_iter()
        .flatten()
        .map(|file| (file.path.clone(), root.join(&file.name)))
        .collect();
    blocking(move || {
        std::fs::create_dir_all(&root).map_err(|error| unwritable(&root, error))?;
        all.into_iter().map(|(from, to)| copy(&from, &to).map(|()| to)).collect()
    })
    .await
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let temporary = to.with_file_name(format!(".{name}.{}", std::process::id()));
    std::fs::copy(from, &temporary)
        .and_then(|_| std::fs::rename(&temporary, to))
        .map_err(|error| unwritable(to, error))
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    Error::infrastructure(format!("cannot put boot files into the TFTP folder: `{}`", path.display()))
        .because(error)
        .help("set `tftp_dir` (or the tftp child's `root_dir`) to a folder that this user may write")
        .retryable(false)
}
