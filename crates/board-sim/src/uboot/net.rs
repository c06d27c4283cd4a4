//! U-Boot's network commands. `dhcp` invents a lease on the loopback network; `tftpboot` fetches for real.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::memory::hex;
use super::rough_size::rough_size;
use super::state::UBoot;
use crate::config::Config;
use crate::network_stack::NetworkStack;
use crate::tftp_client::{self, FetchFailure, FetchRequest, ProgressSign};

/// A progress sign stands for so many blocks, and a line takes so many signs (net/tftp.c).
pub(super) const BLOCKS_PER_HASH: u64 = 10;
const HASHES_PER_LINE: u64 = 65;
/// Blocks of 512 bytes after which a transfer with too large a window stops.
const STALLS_AFTER: u64 = 40;
/// Broadcasts of one try of `dhcp`.
const BROADCASTS: u32 = 3;

impl UBoot<'_> {
    pub(super) async fn dhcp(&mut self, arguments: &[&str]) -> i32 {
        let faults = &self.machine.config.faults;
        if faults.no_network {
            return self.say("No ethernet found.\n", 1);
        }
        if faults.dhcp_fail.strikes(self.machine.tally.read().dhcp_failures) {
            self.machine.tally.count(|counters| counters.dhcp_failures += 1);
            return self.dhcp_without_answer().await;
        }
        let status = self.take_lease(arguments).await;
        if self.machine.config.drop_after_dhcp {
            self.machine.keys.lose_next();
        }
        status
    }

    async fn take_lease(&mut self, arguments: &[&str]) -> i32 {
        let is_lwip = self.is_lwip();
        let before = self.env.clone();
        self.print(if is_lwip { "" } else { "BOOTP broadcast 1\n" });
        self.print("DHCP client bound to address 127.0.0.1 (1 ms)\n");
        for (name, value) in lease(&self.machine.config) {
            self.set(&name, value);
        }
        // lwIP fetches a file when one is named, the other one unless `autoload` forbids it.
        let autoload = self.variable("autoload").is_none_or(|autoload| !autoload.starts_with('n'));
        if if is_lwip { arguments.is_empty() } else { !autoload } {
            return 0;
        }
        let status = self.tftpboot(arguments).await;
        if status != 0 && !is_lwip {
            // The real one keeps its lease to itself when the file after it fails.
            self.env = before;
        }
        status
    }

    pub(super) fn is_lwip(&self) -> bool {
        self.machine.config.network == NetworkStack::Lwip
    }

    /// Repeats until interrupted when it never gets an answer, else gives up after one round.
    async fn dhcp_without_answer(&mut self) -> i32 {
        if self.is_lwip() {
            // Nothing is said; the real one waits 10 s.
            return tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1)) => 1,
                () = self.machine.keys.ctrl_c() => self.say("Abort\n", 1),
            };
        }
        let forever = self.machine.config.faults.dhcp_fail == crate::strikes::Times::Always(true);
        loop {
            for number in 1..=BROADCASTS {
                self.print(&format!("BOOTP broadcast {number}\n"));
                let wait = Duration::from_millis(100 << number);
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = self.machine.keys.ctrl_c() => return self.say("\nAbort\n", 1),
                }
            }
            self.print("\nRetry time exceeded; starting again\n");
            if !forever {
                return 1;
            }
        }
    }

    pub(super) fn ping(&mut self, arguments: &[&str]) -> i32 {
        let Some(host) = arguments.first() else { return self.usage("ping") };
        if self.machine.config.faults.no_network {
            return self.say("No ethernet found.\n", 1);
        }
        self.print("Using ethernet@32 device\n");
        if host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback()) && self.variable("ipaddr").is_some() {
            return self.say(&format!("host {host} is alive\n"), 0);
        }
        self.say(
            &format!("\nARP Retry count exceeded; starting again\nping failed; host {host} is not alive\n"),
            1,
        )
    }

    pub(super) async fn tftpboot(&mut self, arguments: &[&str]) -> i32 {
        if self.machine.config.faults.no_network {
            return self.say("No ethernet found.\n", 1);
        }
        let (address, file) = match arguments {
            [] => (self.variable("loadaddr").and_then(hex), self.variable("bootfile")),
            [only] if hex(only).is_some() => (hex(only), self.variable("bootfile")),
            [file] => (self.variable("loadaddr").and_then(hex), Some(*file)),
            [address, file, ..] => (hex(address), Some(*file)),
        };
        let Some(address) = address else { return self.usage("tftpboot") };
        let file = match file {
            Some(file) => file.to_owned(),
            None if self.is_lwip() => return self.say("error: no file name\n", 1),
            None => "7F000001.img".to_owned(),
        };
        let Some(mut request) = self.tftp_request(&file) else { return 1 };
        request.limit = self.layout.free_from(address) as usize;
        let own = self.variable("ipaddr").unwrap_or("<NULL>");
        self.print(&format!(
            "Using ethernet@32 device\nTFTP from server {}; our IP address is {own}\nFilename '{}'.\n",
            request.server.ip(),
            request.file,
        ));
        let is_lwip = self.is_lwip();
        if request.limit == 0 && !is_lwip {
            return self.refused(&FetchFailure::TooLarge);
        }
        self.print(&format!("Load address: 0x{address:x}\nLoading: {}", if is_lwip { "" } else { "*\x08" }));
        if is_lwip && self.variable(&numbered("ipaddr", &self.machine.config)).is_none() {
            return self.say("tftp_get() error -4\n", 1);
        }
        self.transfer(address, &request).await
    }

    /// The request as the environment wants it; none, with U-Boot's words, when something is missing.
    pub(super) fn tftp_request(&self, file: &str) -> Option<FetchRequest> {
        let number = |name: &str| self.variable(name).and_then(|text| text.parse::<u64>().ok());
        let is_lwip = self.is_lwip();
        let (server, own_port, file) = split_file(file, is_lwip);
        let next = self.variable("tftpserverip").filter(|_| is_lwip);
        let server = server.or(next).or(self.variable("serverip"));
        let Some(server) = server.and_then(|server| server.parse::<IpAddr>().ok()) else {
            self.print(if is_lwip {
                "error: tftpserverip/serverip has to be set\n"
            } else {
                "*** ERROR: `serverip' not set\n"
            });
            return None;
        };
        if !is_lwip && self.variable("ipaddr").is_none() {
            self.print("*** ERROR: `ipaddr' not set\n");
            return None;
        }
        let port = number("tftpdstp").filter(|_| !is_lwip).and_then(|port| u16::try_from(port).ok());
        let setting = |name: &str| number(name).filter(|_| !is_lwip);
        let window = setting("tftpwindowsize").unwrap_or(1).clamp(1, 65_535) as u16;
        let faults = &self.machine.config.faults;
        Some(FetchRequest {
            server: SocketAddr::new(server, own_port.or(port).unwrap_or(self.machine.config.tftp_port)),
            file: file.to_owned(),
            block_size: setting("tftpblocksize").unwrap_or(1468).clamp(8, 65_464) as u16,
            window,
            // The real lwIP waits 10 s.
            patience: Duration::from_millis(
                setting("tftptimeout").unwrap_or(if is_lwip { 1000 } else { 5000 }).clamp(10, 100_000),
            ),
            timeouts: setting("tftptimeoutcountmax").unwrap_or(if is_lwip { 5 } else { 10 }).min(1000) as u32,
            limit: 0,
            loss: faults.tftp_loss.min(100),
            duplicates: faults.tftp_duplicates,
            reorders: faults.tftp_reorders,
            delay: Duration::from_millis(faults.tftp_delay_ms),
            stalls_after: faults.tftp_stall_above_window.filter(|most| window > *most).map(|_| STALLS_AFTER),
        })
    }

    async fn transfer(&mut self, address: u64, request: &FetchRequest) -> i32 {
        let started = Instant::now();
        let screen = self.machine.screen.clone();
        let tally = std::sync::Arc::clone(&self.machine.tally);
        let is_lwip = self.is_lwip();
        let mut blocks = 0;
        let sign = |sign| match sign {
            ProgressSign::Block => {
                blocks += 1;
                // lwIP prints a sign when its blocks are there, the other one when the first of them is.
                if blocks % BLOCKS_PER_HASH == u64::from(!is_lwip) {
                    screen.print("#");
                }
                if blocks % (BLOCKS_PER_HASH * HASHES_PER_LINE) == 0 {
                    screen.print("\n\t ");
                }
            }
            ProgressSign::Timeout => screen.print(if is_lwip { "" } else { "T " }),
            ProgressSign::Lost => tally.count(|counters| counters.tftp_lost += 1),
        };
        if self.machine.config.faults.tftp_missing {
            return self.refused(&FetchFailure::Refused(1, "File not found".into()));
        }
        let fetched = tokio::select! {
            fetched = tftp_client::fetch(request, &mut self.dice, sign) => fetched,
            () = self.machine.keys.ctrl_c() => return self.say("\nAbort\n", 1),
        };
        match fetched {
            Ok(content) => self.loaded(address, content, started.elapsed()),
            Err(failure) => self.refused(&failure),
        }
    }

    fn loaded(&mut self, address: u64, mut content: Vec<u8>, took: Duration) -> i32 {
        let size = content.len();
        let so_far = self.machine.tally.read().tftp_bytes;
        let flip = self.machine.config.faults.uboot.flip_load_at;
        let flip = flip.and_then(|at| at.0.checked_sub(so_far)).and_then(|at| content.get_mut(at as usize));
        let flipped = flip.map(|byte| *byte ^= 1).is_some();
        self.machine.tally.count(|counters| {
            counters.tftp_files += 1;
            counters.load_flips += u64::from(flipped);
            counters.tftp_bytes += size as u64;
        });
        self.set("filesize", format!("{size:x}"));
        self.set("fileaddr", format!("{address:x}"));
        if self.memory.load(address, &content).is_err() {
            return self.memory_is_full();
        }
        let milliseconds = took.as_millis() as u64;
        let rate = (size as u64).checked_div(milliseconds).map(|rate| rough_size(rate * 1000));
        let rate = rate.map(|rate| format!("\n\t {rate}/s")).unwrap_or_default();
        self.say(&format!("{rate}\ndone\nBytes transferred = {size} ({size:x} hex)\n"), 0)
    }

    pub(super) fn refused(&self, failure: &FetchFailure) -> i32 {
        let is_lwip = self.is_lwip();
        let text = match failure {
            FetchFailure::Refused(code, text) if is_lwip => format!("\nTFTP error: {code} ({text})\n"),
            FetchFailure::TimedOut | FetchFailure::Unreachable if is_lwip => "Timeout!\n".to_owned(),
            FetchFailure::Refused(code, text) => {
                format!("\nTFTP error: '{text}' ({code})\nNot retrying...\n")
            }
            FetchFailure::TimedOut => "\nRetry count exceeded; starting again\n".to_owned(),
            FetchFailure::Unreachable => "\nARP Retry count exceeded; starting again\n".to_owned(),
            FetchFailure::TooLarge => "\nTFTP error: trying to overwrite reserved memory...\n".to_owned(),
            FetchFailure::Protocol(text) => format!("\nTFTP error: {text}\n"),
        };
        self.say(&text, 1)
    }
}

/// What a lease sets in the environment.
fn lease(config: &Config) -> Vec<(String, String)> {
    let own = [("ipaddr", "127.0.0.1"), ("netmask", "255.0.0.0"), ("gatewayip", "127.0.0.1")];
    let mut lease: Vec<_> =
        own.map(|(name, value)| (numbered(name, config), value.to_owned())).into_iter().collect();
    let next = config.next_server.map(|next| next.to_string());
    let local = || "127.0.0.1".to_owned();
    match config.network {
        NetworkStack::Legacy => lease.push(("serverip".to_owned(), next.unwrap_or_else(local))),
        NetworkStack::Lwip => {
            lease.push(("serverip".to_owned(), local()));
            lease.extend(next.map(|next| ("tftpserverip".to_owned(), next)));
        }
    }
    lease.push(("dnsip".to_owned(), local()));
    lease
}

/// A variable of this network interface: lwIP gives those of any but the first its number.
pub(super) fn numbered(name: &str, config: &Config) -> String {
    match (config.network, config.network_interface) {
        (NetworkStack::Lwip, number @ 1..) => format!("{name}{number}"),
        _ => name.to_owned(),
    }
}

/// Server, port and file of `[SERVER:]FILE`; lwIP takes `SERVER:PORT:FILE` too.
fn split_file(file: &str, is_lwip: bool) -> (Option<&str>, Option<u16>, &str) {
    let Some((server, file)) = file.split_once(':') else { return (None, None, file) };
    match file.split_once(':').filter(|_| is_lwip) {
        Some((port, file)) => (Some(server), port.parse().ok(), file),
        None => (Some(server), None, file),
    }
}
