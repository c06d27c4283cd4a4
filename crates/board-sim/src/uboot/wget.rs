//! U-Boot's `wget`: the older stack takes `[SERVER:]PATH`, lwIP a URL (net/wget.c, net/lwip/wget.c).

use std::net::{IpAddr, SocketAddr};

use super::memory::hex;
use super::net::numbered;
use super::state::UBoot;
use crate::http_client;

/// Where a server listens unless something else is said.
const HTTP_PORT: u16 = 80;

impl UBoot<'_> {
    /// `wget ADDRESS WHAT`.
    pub(super) async fn wget(&mut self, arguments: &[&str]) -> i32 {
        if self.machine.config.faults.no_network {
            return self.say("No ethernet found.\n", 1);
        }
        let [address, what] = arguments else { return self.usage("wget") };
        let Some(address) = hex(address) else { return self.usage("wget") };
        let target = if self.is_lwip() { of_url(what) } else { self.of_path(what) };
        let Some((server, path)) = target else { return self.say("wget: Fail\n", 1) };
        if self.variable(&numbered("ipaddr", &self.machine.config)).is_none() {
            return self.say("*** ERROR: `ipaddr' not set\n", 1);
        }
        let fetched = tokio::select! {
            fetched = http_client::fetch(server, &path) => fetched,
            () = self.machine.keys.ctrl_c() => return self.say("\nAbort\n", 1),
        };
        match fetched {
            Ok(content) if content.len() as u64 <= self.layout.free_from(address) => {
                self.fetched(address, &content)
            }
            Ok(_) => self.say("\nwget error: trying to overwrite reserved memory...\n", 1),
            Err(error) => self.say(&format!("\nwget: Transfer Fail - {error}\n"), 1),
        }
    }

    fn fetched(&mut self, address: u64, content: &[u8]) -> i32 {
        let size = content.len();
        self.machine.tally.count(|counters| counters.http_bytes += size as u64);
        self.set("filesize", format!("{size:x}"));
        self.set("fileaddr", format!("{address:x}"));
        if self.memory.load(address, content).is_err() {
            return self.memory_is_full();
        }
        if self.is_lwip() {
            return self.say(&format!("\n{size} bytes transferred in 1 ms ({size} Bytes/s)\n"), 0);
        }
        let packets = size.div_ceil(1460);
        self.say(
            &format!("HTTP/1.1 200 OK\nPackets received {packets}, Transfer Successful\nBytes transferred = {size} ({size:x} hex)\n"),
            0,
        )
    }

    /// Server and path of `[SERVER:]PATH`; newer builds take the port of `httpdstp`.
    fn of_path(&self, what: &str) -> Option<(SocketAddr, String)> {
        let (server, path) = match what.split_once(':') {
            Some(named) => named,
            None => (self.variable("serverip")?, what),
        };
        let port = self.variable("httpdstp").and_then(|port| port.parse().ok()).unwrap_or(HTTP_PORT);
        Some((SocketAddr::new(server.parse().ok()?, port), path.to_owned()))
    }
}

/// Server and path of a URL.
fn of_url(what: &str) -> Option<(SocketAddr, String)> {
    let (server, path) = what.strip_prefix("http://")?.split_once('/')?;
    let (host, port) = server.split_once(':').unwrap_or((server, "80"));
    Some((SocketAddr::new(host.parse::<IpAddr>().ok()?, port.parse().ok()?), format!("/{path}")))
}
