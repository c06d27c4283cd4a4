//! U-Boot's `tftpput`, which sends memory (net/tftp.c).

use std::sync::Arc;

use super::memory::hex;
use super::net::BLOCKS_PER_HASH;
use super::state::UBoot;
use crate::tftp_client::{FetchFailure, FetchRequest, ProgressSign};
use crate::tftp_upload;

impl UBoot<'_> {
    /// `tftpput ADDRESS SIZE FILE`.
    pub(super) async fn tftpput(&mut self, arguments: &[&str]) -> i32 {
        if self.machine.config.faults.no_network {
            return self.say("No ethernet found.\n", 1);
        }
        let [address, size, file] = arguments else { return self.usage("tftpput") };
        let (Some(address), Some(size)) = (hex(address), hex(size)) else { return self.usage("tftpput") };
        if !self.touches(address, size) {
            return 1;
        }
        let Some(request) = self.tftp_request(file) else { return 1 };
        let own = self.variable("ipaddr").unwrap_or("<NULL>");
        self.print(&format!(
            "Using ethernet@32 device\nTFTP to server {}; our IP address is {own}\nFilename '{}'.\n\
             Save address: 0x{address:x}\nSave size:    0x{size:x}\nSaving: *\x08",
            request.server.ip(),
            request.file,
        ));
        let content = self.content_to_send(address, size);
        match self.send(&request, &content).await {
            None => return self.say("\nAbort\n", 1),
            Some(Err(failure)) => return self.refused(&failure),
            Some(Ok(())) => {}
        }
        self.machine.tally.count(|counters| counters.tftp_sent += size);
        self.set("filesize", format!("{size:x}"));
        self.say(&format!("\ndone\nBytes transferred = {size} ({size:x} hex)\n"), 0)
    }

    /// Sends it; none when it was interrupted.
    async fn send(&mut self, request: &FetchRequest, content: &[u8]) -> Option<Result<(), FetchFailure>> {
        let (screen, tally) = (self.machine.screen.clone(), Arc::clone(&self.machine.tally));
        let mut blocks = 0;
        let sign = |sign| match sign {
            ProgressSign::Block => {
                blocks += 1;
                if blocks % BLOCKS_PER_HASH == 1 {
                    screen.print("#");
                }
            }
            ProgressSign::Timeout => screen.print("T "),
            ProgressSign::Lost => tally.count(|counters| counters.tftp_lost += 1),
        };
        tokio::select! {
            sent = tftp_upload::send(request, content, &mut self.dice, sign) => Some(sent),
            () = self.machine.keys.ctrl_c() => None,
        }
    }

    /// What lies in memory, but for the fault knob `flip_put_at`.
    fn content_to_send(&self, address: u64, size: u64) -> Vec<u8> {
        let mut content = self.memory.read(address, size);
        let sent = self.machine.tally.read().tftp_sent;
        let flip = self.machine.config.faults.uboot.flip_put_at.and_then(|at| at.0.checked_sub(sent));
        if let Some(byte) = flip.and_then(|at| content.get_mut(at as usize)) {
            *byte ^= 1;
        }
        content
    }
}
