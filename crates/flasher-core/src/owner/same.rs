//! The same thing under its different names.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::net::{IpAddr, ToSocketAddrs};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// Longest wait for a name server.
const PATIENCE: Duration = Duration::from_secs(5);

/// `host:port` for each address that `host` (a name or an address, without brackets) has now, so that two names of one device
/// meet; the name itself, in small letters, when it has none.
pub async fn hosts(host: &str, port: u16) -> Vec<String> {
    let name = host.to_ascii_lowercase();
    let asked = (name.clone(), port);
    let asking = tokio::task::spawn_blocking(move || asked.to_socket_addrs().map(Vec::from_iter));
    let found = tokio::time::timeout(PATIENCE, asking).await.ok().and_then(Result::ok).and_then(Result::ok);
    let addresses: BTreeSet<IpAddr> =
        found.unwrap_or_default().into_iter().map(|it| it.ip().to_canonical()).collect();
    if addresses.is_empty() {
        return vec![format!("{name}:{port}")];
    }
    addresses.into_iter().map(|address| format!("{address}:{port}")).collect()
}

/// What identifies a file that a job writes: its place without links, which it has before it is made, and its inode, which its hard
/// links share. Blocks on the disk.
pub fn file(path: &Path) -> Vec<String> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let inside = || fs::canonicalize(folder).map(|it| it.join(path.file_name().unwrap_or(OsStr::new(""))));
    let place = fs::canonicalize(path).or_else(|_| inside()).unwrap_or_else(|_| path.to_owned());
    let inode = fs::metadata(path).map(|about| format!("file {}:{}", about.dev(), about.ino()));
    [Ok(format!("file {}", place.display())), inode].into_iter().flatten().collect()
}
