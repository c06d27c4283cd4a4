//! Step 4: TFTP and HTTP are bound, boot files are staged. A port that cannot be had is an error now, not later.

use std::net::SocketAddr;

use flasher_core::Result;
use job_recording::ServerName;

use super::resolve::Resolved;
use crate::job::Session;
use crate::recording;

/// Where the servers are bound; the host may be the wildcard.
pub(crate) struct Services {
    pub(crate) tftp: SocketAddr,
    /// None where nothing needs it.
    pub(crate) http: Option<SocketAddr>,
}

pub(crate) async fn start(session: Session<'_>, resolved: &Resolved) -> Result<Services> {
    let log = session.run.evidence.log(session.run.progress());
    let (servers, token) = (&session.run.servers, &session.run.token);
    let tftp = servers.tftp.start(&session.flasher.tftp, token, log.clone()).await;
    recording::started(session, ServerName::Tftp, &tftp);
    let tftp = tftp.map_err(|error| error.with("server", "tftp"))?;
    let http = match resolved.boots {
        Some(_) => {
            let http = servers.http.start(&session.flasher.http, token, log).await;
            recording::started(session, ServerName::Http, &http);
            Some(http.map_err(|error| error.with("server", "http"))?)
        }
        None => None,
    };
    session.run.staging().fill_for(token, resolved.files(), session.tftp().root()).await?;
    Ok(Services { tftp, http })
}
