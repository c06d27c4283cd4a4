//! Loads by HTTP, with U-Boot's `wget`: a stream where TFTP waits for an answer to every few blocks.

use std::net::{IpAddr, SocketAddr};

use board_console::UBoot;
use flasher_core::{Content, ContentServer, Error, Result};

use super::file::{LoadFailure, LoadFile};
use crate::config::seconds;
use crate::job::Session;

/// The port of HTTP, which the `wget` of older builds always asks.
const HTTP_PORT: u16 = 80;

/// A file that is served for as long as this lives.
struct ServedFile<'a>(&'a dyn ContentServer, &'a str);

impl Drop for ServedFile<'_> {
    fn drop(&mut self) {
        self.0.withdraw(self.1);
    }
}

/// Loads the file; gives how many bytes came.
pub(super) async fn load(
    session: Session<'_>,
    uboot: &mut UBoot,
    file: &LoadFile<'_>,
) -> Result<u64, LoadFailure> {
    let server = serve(session, file.server.ip()).await.map_err(LoadFailure::Ours)?;
    let staged = session.tftp().root().join(file.path);
    let content = tokio::fs::read(&staged).await.map_err(|error| {
        let text = format!("cannot read what was staged for the boot loader: `{}`", staged.display());
        LoadFailure::Ours(Error::infrastructure(text).because(error))
    })?;
    let http = session.http();
    http.publish(file.path, Content::bytes(content)).map_err(LoadFailure::Ours)?;
    let _served = ServedFile(http.as_ref(), file.path);
    let within = seconds(session.flasher.config.timeouts.tftp);
    let url = format!("http://{server}/{}", file.path);
    if session.run.load_ways.is_lwip() {
        return uboot.wget(file.address, &url, within).await.map_err(LoadFailure::Said);
    }
    if server.port() != HTTP_PORT {
        // Newer builds of the older stack ask the port of this variable.
        uboot.set("httpdstp", &server.port().to_string()).await.map_err(LoadFailure::Said)?;
    }
    let path = format!("{}:/{}", server.ip(), file.path);
    match uboot.wget(file.address, &path, within).await {
        // With an address that did not come by DHCP it is not known which stack this is.
        Err(_) if !session.run.evidence.saw("http", file.path) => {
            uboot.wget(file.address, &url, within).await.map_err(LoadFailure::Said)
        }
        done => done.map_err(LoadFailure::Said),
    }
}

/// Our HTTP server, as the board that reaches us at `own` reaches it; it is started where nothing has needed it so far.
async fn serve(session: Session<'_>, own: IpAddr) -> Result<SocketAddr> {
    let servers = &session.run.servers;
    let bound = match servers.http.running().and_then(|http| http.address()) {
        Some(bound) => bound,
        None => {
            let log = session.run.evidence.log(session.run.progress());
            let started = servers.http.start(&session.flasher.http, &session.run.token, log).await;
            started.map_err(|error| error.with("server", "http"))?
        }
    };
    Ok(if bound.ip().is_unspecified() { SocketAddr::new(own, bound.port()) } else { bound })
}
