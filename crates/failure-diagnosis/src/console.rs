//! What the board printed since it was switched on, read line by line: a few facts, and signs that tell of a cause.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// The longest line that is kept as evidence, characters.
const LONGEST: usize = 160;

/// What the board printed since its power was switched on in this attempt.
#[derive(Clone, Debug, Default)]
pub struct ConsoleView {
    /// Bytes that came in this time.
    pub heard: u64,
    /// Bytes that came while the power was to be off, after time for what was on its way.
    pub heard_while_off: u64,
    /// How long nothing has come, seconds.
    pub quiet: f64,
    /// Whether the board's Linux answered after the failure; none when it was not asked.
    pub answers: Option<bool>,
    /// How often U-Boot began.
    pub(crate) banners: u32,
    /// The server that U-Boot said it asks.
    pub(crate) server_asked: Option<IpAddr>,
    /// How often U-Boot asked for an address by DHCP.
    pub(crate) dhcp_asked: u32,
    /// How often U-Boot waited in vain for a packet of a transfer.
    pub(crate) timeouts: usize,
    /// Whether a kernel was started.
    pub(crate) is_kernel_started: bool,
    /// Lines since then.
    pub(crate) kernel_lines: u32,
    /// Whether the kernel's Ethernet link was down when it was mentioned last.
    pub(crate) is_link_down: bool,
    pub(crate) signs: BTreeMap<Sign, String>,
}

/// A line that tells of a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// A watchdog has reset the board.
    Watchdog,
    /// The supply voltage fell.
    UnderVoltage,
    /// The kernel found no root file system.
    NoRoot,
    /// The kernel panicked.
    Panic,
    /// The kernel ended a process for want of memory.
    OutOfMemory,
    /// A device did not read or write a sector.
    InputOutput,
    /// A medium is write-protected.
    Protected,
    /// A medium or its controller went away.
    Gone,
    /// A device of the USB went away, which may be any.
    UsbGone,
    /// A medium or its controller does not answer.
    NoAnswer,
    /// The network refused a connection, or has no way to the server.
    Unreachable,
}

/// What kernels (drivers/mmc, drivers/nvme, drivers/usb, block/blk-core.c, mm/oom_kill.c, init/do_mounts.c, kernel/panic.c), U-Boot (the
/// reset cause of its board files, drivers/mmc) and busybox print, in lower case.
const SIGNS: &[(&str, Sign)] = &[
    ("reset cause: wdog", Sign::Watchdog),
    ("reset cause: wdt", Sign::Watchdog),
    ("reset cause: watchdog", Sign::Watchdog),
    ("reset reason: watchdog", Sign::Watchdog),
    ("reset status: watchdog", Sign::Watchdog),
    ("watchdog reset", Sign::Watchdog),
    ("under-voltage detected", Sign::UnderVoltage),
    ("undervoltage detected", Sign::UnderVoltage),
    ("reset cause: brownout", Sign::UnderVoltage),
    ("brownout reset", Sign::UnderVoltage),
    ("unable to mount root fs", Sign::NoRoot),
    ("no working init found", Sign::NoRoot),
    ("cannot open root device", Sign::NoRoot),
    ("kernel panic - not syncing", Sign::Panic),
    ("out of memory: kill", Sign::OutOfMemory),
    ("invoked oom-killer", Sign::OutOfMemory),
    ("i/o error, dev ", Sign::InputOutput),
    ("buffer i/o error on dev", Sign::InputOutput),
    ("critical medium error, dev ", Sign::InputOutput),
    ("card is write protected", Sign::Protected),
    ("write protect is on", Sign::Protected),
    ("usb disconnect, device number", Sign::UsbGone),
    ("removing after probe failure", Sign::Gone),
    ("card removed", Sign::Gone),
    ("i/o timeout, completion polled", Sign::NoAnswer),
    ("timeout, aborting", Sign::NoAnswer),
    ("controller is down; will reset", Sign::NoAnswer),
    ("timeout waiting for hardware interrupt", Sign::NoAnswer),
    ("blocked for more than", Sign::NoAnswer),
    ("network is unreachable", Sign::Unreachable),
    ("no route to host", Sign::Unreachable),
    ("connection refused", Sign::Unreachable),
    ("connection timed out", Sign::Unreachable),
];

impl ConsoleView {
    /// The power is switched off: what was printed before does not count.
    pub fn power_off(&mut self) {
        *self = Self::default();
    }

    /// Takes the next line of the board, safe to show.
    pub fn line(&mut self, line: &str) {
        let lower = line.to_lowercase();
        for (_, sign) in SIGNS.iter().filter(|(text, _)| lower.contains(text)) {
            self.signs.entry(*sign).or_insert_with(|| shortened(line));
        }
        if self.is_card_removed(&lower) {
            self.signs.entry(Sign::Gone).or_insert_with(|| shortened(line));
        }
        self.of_boot_loader(line, &lower);
        if self.is_kernel_started && !lower.trim().is_empty() {
            self.kernel_lines += 1;
        }
        if lower.contains("starting kernel") {
            (self.is_kernel_started, self.kernel_lines) = (true, 0);
        }
        if let Some(at) = lower.find("link is ") {
            self.is_link_down = lower[at..].starts_with("link is down");
        }
    }

    /// The first line that is this sign.
    pub(crate) fn sign(&self, sign: Sign) -> Option<&str> {
        self.signs.get(&sign).map(String::as_str)
    }

    /// A kernel says `mmc0: card aaaa removed` (drivers/mmc/core/bus.c).
    fn is_card_removed(&self, lower: &str) -> bool {
        lower.contains(": card ") && lower.trim_end().ends_with(" removed")
    }

    /// What U-Boot says of itself and of its network (common/main.c, net/bootp.c, net/tftp.c).
    fn of_boot_loader(&mut self, line: &str, lower: &str) {
        if lower.trim_start().starts_with("u-boot 20") {
            self.banners += 1;
            self.is_kernel_started = false;
        }
        if lower.contains("bootp broadcast") {
            self.dhcp_asked += 1;
        }
        if let Some(server) = word_after(line, "TFTP from server ") {
            self.server_asked = server.trim_end_matches(';').parse().ok();
            self.timeouts = 0;
        }
        if self.server_asked.is_none() {
            return;
        }
        if let Some((_, marks)) = line.split_once("Loading: ") {
            self.timeouts += marks.matches("T ").count();
        } else if !line.is_empty() && line.chars().all(|mark| matches!(mark, 'T' | ' ' | '#' | '*' | '\t')) {
            self.timeouts += line.matches('T').count();
        }
    }
}

fn word_after<'l>(line: &'l str, text: &str) -> Option<&'l str> {
    line.split_once(text)?.1.split_whitespace().next()
}

fn shortened(line: &str) -> String {
    line.trim().chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> ConsoleView {
        let mut view = ConsoleView::default();
        lines.iter().for_each(|line| view.line(line));
        view
    }

    #[test]
    fn lines_that_are_signs() {
        for (line, sign) in [
            ("Reset cause: WDOG", Some(Sign::Watchdog)),
            ("[    8.1] hwmon hwmon1: Undervoltage detected!", Some(Sign::UnderVoltage)),
            ("VFS: Cannot open root device \"\" or unknown-block(0,0): error -6", Some(Sign::NoRoot)),
            ("Out of memory: Killed process 88 (gzip) total-vm:1234kB", Some(Sign::OutOfMemory)),
            ("[  9.9] I/O error, dev mmcblk0, sector 2048 op 0x1:(WRITE)", Some(Sign::InputOutput)),
            ("mmc1: card b368 removed", Some(Sign::Gone)),
            ("usb 1-1: USB disconnect, device number 2", Some(Sign::UsbGone)),
            ("nvme nvme0: I/O tag 3 (1003) QID 1 timeout, aborting req_op:WRITE(1)", Some(Sign::NoAnswer)),
            ("wget: can't connect to remote host (10.0.0.7): No route to host", Some(Sign::Unreachable)),
            ("WDT:   Started watchdog@30bb0000 with servicing every 1000ms (60s timeout)", None),
            ("mmc0: new high speed SDHC card at address b368", None),
        ] {
            let view = read(&[line]);
            assert_eq!(view.signs.keys().next().copied(), sign, "{line}");
        }
    }

    #[test]
    fn what_a_boot_loader_says_of_its_network() {
        let view = read(&[
            "U-Boot SPL 2024.01 (Jan 01 2024)",
            "U-Boot 2024.01 (Jan 01 2024)",
            "BOOTP broadcast 1",
            "BOOTP broadcast 2",
            "TFTP from server 10.0.0.7; our IP address is 10.0.0.21",
            "Loading: T T T T ",
            "\t T T T",
            "Retry count exceeded; starting again",
        ]);
        assert_eq!((view.banners, view.dhcp_asked, view.timeouts), (1, 2, 7));
        assert_eq!(view.server_asked, "10.0.0.7".parse().ok());
    }

    #[test]
    fn a_kernel_that_was_started_and_what_it_says() {
        let mut view = read(&["Starting kernel ...", ""]);
        assert_eq!((view.is_kernel_started, view.kernel_lines), (true, 0));
        view.line("[    0.0] Booting Linux");
        view.line("[    2.0] eth0: Link is Up - 1Gbps/Full");
        view.line("[    9.0] eth0: Link is Down");
        assert_eq!((view.kernel_lines, view.is_link_down), (3, true));
        view.line("U-Boot 2024.01");
        assert!(!view.is_kernel_started);
        view.power_off();
        assert_eq!(view.banners, 0);
    }
}
