//! A counterfeit card for the emulated board.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

/// A card that tells more than it holds, served over NBD. It ends with this.
pub(super) struct Card(Child);

impl Card {
    /// Its content is the folder's `disk`; it tells `tells` bytes and holds `holds`.
    pub(super) async fn new(folder: &Path, tells: usize, beyond: &str, holds: usize) -> Self {
        let socket = folder.join("card");
        let plugin = concat!(env!("CARGO_MANIFEST_DIR"), "/python/card.py");
        let mut server = Command::new("nbdkit");
        server.args(["--foreground", "--exit-with-parent", "--unix"]).arg(&socket).args(["python", plugin]);
        server.arg(format!("file={}", folder.join("disk").display()));
        server.args([format!("tells={tells}"), format!("holds={holds}"), format!("beyond={beyond}")]);
        let mut card = Self(server.spawn().unwrap());
        while !socket.exists() {
            assert!(card.0.try_wait().unwrap().is_none(), "the card's server has ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        card
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).ok();
    }
}

/// QEMU's arguments for the counterfeit card.
pub(super) fn arguments(folder: &Path) -> Vec<String> {
    let drive = format!("if=none,id=d0,format=raw,file=nbd:unix:{}", folder.join("card").display());
    ["-drive", &drive, "-device", "virtio-blk-pci,drive=d0"].map(str::to_owned).to_vec()
}
