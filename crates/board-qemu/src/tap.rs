//! The tap between the board and this machine, in a network namespace that nothing leaves.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::config::BoardNetwork;
use crate::error::QemuError;
use crate::host::{self, ip};

/// What stands before the id of the process in the alias of our taps.
const OWNER: &str = "flasher qemu-board, process ";
/// Tunnels that the kernel itself puts into every new namespace when their modules are loaded. Without an address and
/// down they lead nowhere.
const KERNEL_MADE: [&str; 9] =
    ["tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"];

/// A tap of ours. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Tap {
    name: String,
    removed: bool,
}

/// What `ip -json link` says about an interface.
#[derive(Debug, Deserialize)]
struct Interface {
    ifname: String,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    ifalias: String,
    #[serde(default)]
    linkinfo: LinkInfo,
}

#[derive(Debug, Default, Deserialize)]
struct LinkInfo {
    #[serde(default)]
    info_kind: String,
}

impl Interface {
    /// The process that made this tap, when it is one of ours.
    fn owner(&self) -> Option<u32> {
        let id = self.ifalias.strip_prefix(OWNER)?;
        (self.linkinfo.info_kind == "tun").then(|| id.parse().ok())?
    }

    fn is_harmless(&self) -> bool {
        let down = !self.flags.iter().any(|flag| flag == "UP");
        self.ifname == "lo" || self.owner().is_some() || (down && KERNEL_MADE.contains(&self.ifname.as_str()))
    }
}

impl Tap {
    /// Makes the tap and sets it up with this side's address.
    pub(crate) async fn make(network: &BoardNetwork) -> Result<Self, QemuError> {
        let name = network.tap.as_str();
        clear(&private_interfaces().await?, name).await?;
        let tap = Self { name: name.to_owned(), removed: false };
        let owner = format!("{OWNER}{}", std::process::id());
        ip(&["tuntap", "add", "dev", name, "mode", "tap"]).await?;
        ip(&["link", "set", "dev", name, "alias", &owner]).await?;
        ip(&["address", "add", &network.address.to_string(), "dev", name]).await?;
        ip(&["link", "set", "dev", name, "up"]).await?;
        Ok(tap)
    }

    /// Removes it.
    pub(crate) async fn remove(mut self) -> Result<(), QemuError> {
        ip(&["link", "delete", "dev", &self.name]).await?;
        self.removed = true;
        Ok(())
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let Some(ip) = host::find("ip".as_ref()).filter(|_| !self.removed) else { return };
        let mut command = Command::new(ip);
        command.args(["link", "delete", "dev", &self.name]).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // A few milliseconds; there is no runtime to count on. One that was never made cannot be removed.
        command.status().ok();
    }
}

/// Fails unless the namespace is private: nothing but `lo`, taps of ours and what the kernel puts into every namespace.
pub(crate) async fn check_namespace() -> Result<(), QemuError> {
    private_interfaces().await.map(drop)
}

async fn private_interfaces() -> Result<Vec<Interface>, QemuError> {
    let arguments = ["-json", "-details", "link", "show"];
    let listing = ip(&arguments).await?;
    let interfaces = parse(&listing)
        .map_err(|stderr| QemuError::Tool { command: format!("ip {}", arguments.join(" ")), stderr })?;
    let strange = strange(&interfaces);
    if strange.is_empty() { Ok(interfaces) } else { Err(QemuError::SharedNamespace(strange)) }
}

/// `sysfs` would show the namespace it was mounted in, so `ip` is asked.
fn parse(listing: &[u8]) -> Result<Vec<Interface>, String> {
    serde_json::from_slice(listing).map_err(|error| format!("its answer is not that of iproute2: {error}"))
}

fn strange(interfaces: &[Interface]) -> Vec<String> {
    interfaces.iter().filter(|one| !one.is_harmless()).map(|one| one.ifname.clone()).collect()
}

/// Removes a tap of that name whose process is gone.
async fn clear(interfaces: &[Interface], name: &str) -> Result<(), QemuError> {
    let Some(owner) = interfaces.iter().find(|one| one.ifname == name).and_then(Interface::owner) else {
        return Ok(());
    };
    if fs::exists(format!("/proc/{owner}")).unwrap_or(true) {
        return Err(QemuError::TapTaken { tap: name.to_owned(), owner });
    }
    ip(&["link", "delete", "dev", name]).await.map(drop)
}

#[cfg(test)]
mod tests;
