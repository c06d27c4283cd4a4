//! What an exporter YAML says about a serial line.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serialport::{DataBits, StopBits};

use crate::error::ConfigError;
use crate::settings::{Flow, Parity, Settings};

/// `config:` of a `serial` node.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A device path (`/dev/serial/by-id/…`, `/dev/ttyUSB0`), `socket://HOST:PORT`, `rfc2217://HOST:PORT`, `loop://` for an
    /// echo, or `spy://FILE?URL` to have the traffic of a URL written to a file.
    pub url: String,
    /// Bits a second.
    #[serde(default = "default_baudrate")]
    pub baudrate: u32,
    /// Data bits of a character, 5 to 8.
    #[serde(default = "default_data_bits")]
    pub data_bits: u8,
    /// Parity bit.
    #[serde(default)]
    pub parity: Parity,
    /// Stop bits, 1 or 2.
    #[serde(default = "default_stop_bits")]
    pub stop_bits: u8,
    /// Flow control.
    #[serde(default)]
    pub flow_control: Flow,
    /// Look for the port before a job begins.
    #[serde(default = "default_check_present")]
    pub check_present: bool,
    /// Most characters a second that are sent, for boards that drop what comes faster; 0 or nothing leaves it to `auto_pace`.
    #[serde(default)]
    pub cps: Option<f64>,
    /// Send as fast as the line takes it, and slower once the board's echo differs from what was sent.
    #[serde(default = "default_auto_pace")]
    pub auto_pace: bool,
    /// Leave DTR as it is when the port is closed, for boards that reset when it drops.
    #[serde(default)]
    pub disable_hupcl: bool,
    /// DTR after opening; left as the system sets it (raised) when not given.
    #[serde(default)]
    pub dtr: Option<bool>,
    /// RTS after opening; left as the system sets it (raised) when not given.
    #[serde(default)]
    pub rts: Option<bool>,
    /// How long a device that vanished may take to come back, seconds. 10 for paths that are links, as those in
    /// `/dev/serial/by-id` are; 0 for others, as another adapter may get their name.
    #[serde(default)]
    pub reopen_seconds: Option<f64>,
    /// Keeps every line that is received, with its time and in a form that is safe to show, from the first opening to the end of this program; the port stays open meanwhile.
    #[serde(default)]
    pub record: Option<Record>,
}

/// Where received lines are kept, with the time of each.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The file. Older parts are beside it, with `.1` (newest) to `.4`.
    pub file: PathBuf,
    /// Size at which a new part begins, MiB.
    #[serde(default = "default_part")]
    pub part_mib: u64,
}

fn default_baudrate() -> u32 {
    115_200
}

fn default_data_bits() -> u8 {
    8
}

fn default_stop_bits() -> u8 {
    1
}

fn default_check_present() -> bool {
    true
}

fn default_auto_pace() -> bool {
    true
}

fn default_part() -> u64 {
    16
}

/// Longest pause between two bytes that makes sense, and longest wait for a port to come back.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_AWAY: Duration = Duration::from_secs(600);

impl Config {
    /// The pause after each byte that is sent; none without a limit.
    pub(crate) fn pause(&self) -> Result<Option<Duration>, ConfigError> {
        let Some(cps) = self.cps.filter(|cps| *cps != 0.0) else { return Ok(None) };
        let pause = Duration::try_from_secs_f64(1.0 / cps).ok().filter(|pause| *pause <= LONGEST_PAUSE);
        pause.map(Some).ok_or(ConfigError::Pace { cps })
    }

    /// How long a device may be away, when the config says so.
    pub(crate) fn away(&self) -> Result<Option<Duration>, ConfigError> {
        let Some(seconds) = self.reopen_seconds else { return Ok(None) };
        let away = Duration::try_from_secs_f64(seconds).ok().filter(|away| *away <= LONGEST_AWAY);
        away.map(Some).ok_or(ConfigError::Away { seconds })
    }

    /// How the port is set up.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        if self.baudrate == 0 {
            return Err(ConfigError::Baudrate);
        }
        let data_bits = match self.data_bits {
            5 => DataBits::Five,
            6 => DataBits::Six,
            7 => DataBits::Seven,
            8 => DataBits::Eight,
            bits => return Err(ConfigError::Bits { key: "data_bits", bits, expected: "5 to 8" }),
        };
        let stop_bits = match self.stop_bits {
            1 => StopBits::One,
            2 => StopBits::Two,
            bits => return Err(ConfigError::Bits { key: "stop_bits", bits, expected: "1 or 2" }),
        };
        Ok(Settings {
            baudrate: self.baudrate,
            data_bits,
            stop_bits,
            parity: self.parity,
            flow: self.flow_control,
            dtr: self.dtr,
            rts: self.rts,
            keep_dtr: self.disable_hupcl,
        })
    }

    pub(crate) fn part(&self) -> Result<(), ConfigError> {
        match &self.record {
            Some(record) if !(1..=4096).contains(&record.part_mib) => {
                Err(ConfigError::Part { mib: record.part_mib })
            }
            _ => Ok(()),
        }
    }
}
