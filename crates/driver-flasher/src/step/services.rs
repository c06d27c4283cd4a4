//! Step 4: boot files are staged, TFTP and HTTP are bound. A port that cannot be had is an error now, not later.

use std::net::SocketAddr;

use flasher_core::Result;

use super::resolve::Resolved;
use crate::job::Session;
use crate::shared_servers;

/// Where the servers are bound; the host may be the wildcard.
pub(crate) struct Services {
    pub(crate) tftp: SocketAddr,
    /// None where nothing needs it.
    pub(crate) http: Option<SocketAddr>,
}

pub(crate) async fn start(session: Session<'_>, resolved: &Resolved) -> Result<Services> {
    let (staging, root) = (session.run.staging(), session.flasher.tftp.root());
    staging.fill_for(&session.run.token, resolved.files(), root).await?;
    let log = session.run.evidence.log(session.run.progress());
    let (tftp, token) = (session.flasher.tftp.as_ref(), &session.run.token);
    let tftp = shared_servers::start(tftp, token, log.clone()).await;
    let tftp = tftp.map_err(|error| error.with("server", "tftp"))?;
    let http = match resolved.boots {
        Some(_) => {
            let http = shared_servers::start(session.flasher.http.as_ref(), token, log).await;
            Some(http.map_err(|error| error.with("server", "http"))?)
        }
        None => None,
    };
    Ok(Services { tftp, http })
}
