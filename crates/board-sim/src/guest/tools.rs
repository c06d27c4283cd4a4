//! The simulation's own tools of the guest: shell scripts made for one power cycle.

use std::path::Path;

use super::hosttools;
use crate::config::Config;
use crate::counters::Counters;
use crate::error::SimError;
use crate::faults::{Beyond, Faults};
use crate::size::Size;
use crate::strikes::FlipBit;

/// Tools whose text needs no more than the placeholders; name and text.
const PLAIN: &[(&str, &str)] = &[
    ("reboot", include_str!("tools/reboot.sh")),
    ("poweroff", include_str!("tools/poweroff.sh")),
    ("halt", include_str!("tools/poweroff.sh")),
    ("sh", include_str!("tools/sh.sh")),
    ("dd", include_str!("tools/dd.sh")),
    ("pidof", include_str!("tools/pidof.sh")),
    ("date", include_str!("tools/date.sh")),
    ("udhcpc", include_str!("tools/udhcpc.sh")),
    ("ip", include_str!("tools/ip.sh")),
    ("ifconfig", include_str!("tools/ifconfig.sh")),
    ("mount", include_str!("tools/mount.sh")),
    ("umount", include_str!("tools/umount.sh")),
    ("blkdiscard", include_str!("tools/blkdiscard.sh")),
    ("blockdev", include_str!("tools/blockdev.sh")),
    ("sha256sum", include_str!("tools/sha256sum.sh")),
    ("dmesg", include_str!("tools/dmesg.sh")),
    ("hwclock", include_str!("tools/quiet.sh")),
    ("mdev", include_str!("tools/quiet.sh")),
];
/// What a script takes for true or false.
fn yes(set: bool) -> String {
    if set { "yes" } else { "" }.to_owned()
}

/// State of the knob `flip_read`: offset, mask, how often it may strike (-1: always).
fn flip_read(faults: &Faults) -> String {
    let of = |flip: FlipBit| format!("{} {} {}", flip.offset, flip.mask, flip.times.map_or(-1, i64::from));
    faults.linux.flip_read.map(of).unwrap_or_default()
}

/// How many bytes may be written in this power cycle until the power is cut; nothing when it is not.
fn cut(config: &Config, so_far: &Counters) -> String {
    let always = config.faults.cut_power_always;
    let left = config.faults.cut_power_after_bytes.filter(|_| always || so_far.power_cuts == 0);
    let written = if always { 0 } else { so_far.written_bytes };
    left.map(|limit| limit.0.saturating_sub(written).to_string()).unwrap_or_default()
}

/// Tools that fail when the board has no network, where the real ones were.
const FETCHERS: &[&str] = &["wget", "curl"];

/// Makes the scripts of one power cycle.
#[derive(Debug)]
pub(crate) struct Scripts<'c> {
    config: &'c Config,
    places: Vec<(&'static str, String)>,
    flips: u64,
}

impl<'c> Scripts<'c> {
    pub(crate) fn new(
        config: &'c Config,
        root: &Path,
        medium: &Path,
        so_far: &Counters,
    ) -> Result<Self, SimError> {
        let faults = &config.faults;
        let tool = |name: &'static str| match hosttools::find(name) {
            Some(path) => Ok(path.display().to_string()),
            None => Err(SimError::Tools(vec![name])),
        };
        let shell = hosttools::shell(root).ok_or(SimError::Tools(vec!["sh"]))?;
        let number = |size: Option<Size>| size.map(|size| size.0.to_string()).unwrap_or_default();
        let wraps = faults.real_size.is_some_and(|real| real.beyond == Beyond::Wrap);
        let places = vec![
            ("@SH@", shell.display().to_string()),
            ("@DD@", tool("dd")?),
            ("@DATE@", tool("date")?),
            ("@ROOT@", root.display().to_string()),
            ("@MEDIUM@", medium.display().to_string()),
            ("@SECTOR@", config.sector_size.to_string()),
            ("@FULL_AT@", number(faults.full_at)),
            ("@WRITE_ERROR@", number(faults.write_error)),
            ("@READ_ERROR@", number(faults.read_error_at)),
            ("@CUT@", cut(config, so_far)),
            ("@SLOW@", number(faults.slow.filter(|rate| rate.0 > 0))),
            ("@STUCK@", yes(faults.dd_stuck)),
            ("@ZEROOUT@", yes(config.zeroout)),
            ("@NETWORK@", yes(!faults.no_network)),
            ("@REAL@", number(faults.real_size.map(|real| real.bytes))),
            ("@SIZE@", number(Some(config.size))),
            ("@WRAPS@", yes(wraps)),
            ("@LOST@", yes(faults.linux.lost_writes)),
            ("@STALE@", yes(faults.linux.stale_reads)),
            ("@READ_ONLY@", yes(faults.linux.read_only)),
            ("@FLIP_READ@", flip_read(faults)),
            (
                "@LIES_AFTER@",
                faults.linux.digests_lie_after.map(|times| times.to_string()).unwrap_or_default(),
            ),
            ("@SHA256SUM@", tool("sha256sum")?),
            ("@ESC@", "\x1b".to_owned()),
        ];
        Ok(Self { config, places, flips: so_far.flips })
    }

    /// Name and text of each tool.
    pub(crate) fn all(&self) -> Vec<(&'static str, String)> {
        let mut all: Vec<_> = PLAIN.iter().map(|(name, text)| (*name, self.fill(text))).collect();
        if self.config.faults.no_network {
            let faults = &self.config.faults;
            let missing = |name: &str| {
                (name == "wget" && faults.wget_missing) || (name == "curl" && faults.curl_missing)
            };
            let present = FETCHERS.iter().filter(|name| !missing(name));
            all.extend(present.map(|name| (*name, self.fill(include_str!("tools/unreachable.sh")))));
        }
        all
    }

    /// What every shell of the guest knows.
    pub(crate) fn functions(&self) -> String {
        self.fill(include_str!("tools/functions.sh"))
    }

    /// What the login shell reads first.
    pub(crate) fn profile(&self, prompt: &str) -> String {
        let quoted = prompt.replace('\'', r"'\''");
        self.fill(include_str!("tools/profile.sh")).replace("@PROMPT@", &quoted)
    }

    /// State of the fault knob `flip_bit`: offset, mask, how often it may still strike (-1: always).
    pub(crate) fn flips(&self) -> String {
        let Some(flip) = self.config.faults.flip_bit else { return String::new() };
        let left = flip.times.map(|times| i64::from(times).saturating_sub(self.flips as i64).max(0));
        format!("{} {} {}\n", flip.offset, flip.mask, left.unwrap_or(-1))
    }

    fn fill(&self, text: &str) -> String {
        self.places.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}
