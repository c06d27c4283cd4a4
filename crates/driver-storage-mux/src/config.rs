//! What an exporter YAML says about a mux with a command line.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use flasher_core::MuxPosition;
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::Error;

/// Longest time that a command or a confirmation may be given, seconds.
const LONGEST: f64 = 600.0;

/// `config:` of a `storage-mux` node. A command is a list: program and arguments. No shell reads it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Commands of a known tool, in place of `host`, `dut`, `off` and `status`; those given as well win.
    pub preset: Option<Preset>,
    /// Which mux the preset's tool means: the path `/dev/usb-sd-mux/id-…` for usbsdmux, the serial number for sd-mux-ctrl.
    pub device: Option<String>,
    /// Gives the medium to this machine; exit status 0 means done.
    pub host: Option<Vec<String>>,
    /// Gives the medium to the board; exit status 0 means done.
    pub dut: Option<Vec<String>>,
    /// Gives the medium to neither; `host` where the mux has no such position.
    pub off: Option<Vec<String>>,
    /// Prints who has the medium. Without it the mux is believed.
    pub status: Option<Vec<String>>,
    /// Regular expression in the output of `status` that means this machine.
    pub status_host: Option<String>,
    /// Regular expression in the output of `status` that means the board.
    pub status_dut: Option<String>,
    /// Regular expression in the output of `status` that means neither.
    pub status_off: Option<String>,
    /// Environment of the commands, added to that of this process. Values are never shown.
    pub env: BTreeMap<String, String>,
    /// Folder the commands run in; relative ones from the folder of the exporter YAML, which is also the default.
    pub folder: Option<PathBuf>,
    /// Longest time a command may take, seconds.
    pub timeout_seconds: f64,
    /// How long `status` may report the old position after an order, seconds.
    pub confirm_seconds: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            preset: None,
            device: None,
            host: None,
            dut: None,
            off: None,
            status: None,
            status_host: None,
            status_dut: None,
            status_off: None,
            env: BTreeMap::new(),
            folder: None,
            timeout_seconds: 30.0,
            confirm_seconds: 5.0,
        }
    }
}

/// A tool whose commands are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// `usbsdmux`: the USB-SD-Mux of Linux Automation.
    Usbsdmux,
    /// `sd-mux-ctrl`: SDWire and the SD MUX of Tizen's test lab.
    SdMuxCtrl,
}

/// What the commands are once presets and patterns are worked out.
#[derive(Debug)]
pub(crate) struct MuxCommands {
    pub(crate) host: Vec<String>,
    pub(crate) dut: Vec<String>,
    pub(crate) off: Vec<String>,
    pub(crate) status: Option<Vec<String>>,
    /// What a position looks like in the output of `status`.
    signs: [(MuxPosition, Regex); 3],
    /// Where the mux itself is, as far as its preset says so.
    pub(crate) path: Option<PathBuf>,
}

impl Config {
    pub(crate) fn commands(&self) -> Result<MuxCommands, Error> {
        let known = self.preset.map(|preset| preset.commands(self.device.as_deref())).transpose()?;
        let known = known.unwrap_or_default();
        let given = |key: &'static str, own: &Option<Vec<String>>, known: Option<Vec<String>>| {
            let is_none = |argv: &Vec<String>| argv.first().is_none_or(|program| program.trim().is_empty());
            match own.clone().or(known) {
                Some(argv) if is_none(&argv) => Err(Error::Words { key }),
                argv => Ok(argv),
            }
        };
        let host = given("host", &self.host, known.host)?.ok_or(Error::Lacking { key: "host" })?;
        let dut = given("dut", &self.dut, known.dut)?.ok_or(Error::Lacking { key: "dut" })?;
        let off = given("off", &self.off, known.off)?.unwrap_or_else(|| host.clone());
        let sign = |key: &'static str, own: &Option<String>, position: MuxPosition, default: &str| {
            let text = own.as_deref().unwrap_or(default);
            let regex =
                Regex::new(text).map_err(|error| Error::Pattern { key, reason: error.to_string() })?;
            Ok::<_, Error>((position, regex))
        };
        Ok(MuxCommands {
            host,
            dut,
            off,
            status: given("status", &self.status, known.status)?,
            signs: [
                sign("status_host", &self.status_host, MuxPosition::Host, r"(?i)\b(host|ts)\b")?,
                sign("status_dut", &self.status_dut, MuxPosition::Dut, r"(?i)\b(dut|client)\b")?,
                sign("status_off", &self.status_off, MuxPosition::Off, r"(?i)\boff\b")?,
            ],
            path: known.path,
        })
    }

    pub(crate) fn timeout(&self) -> Result<Duration, Error> {
        let seconds = self.timeout_seconds;
        span(seconds).filter(|span| !span.is_zero()).ok_or(Error::Seconds { key: "timeout_seconds", seconds })
    }

    pub(crate) fn confirm(&self) -> Result<Duration, Error> {
        let seconds = self.confirm_seconds;
        span(seconds).ok_or(Error::Seconds { key: "confirm_seconds", seconds })
    }
}

fn span(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|_| seconds <= LONGEST)
}

impl MuxCommands {
    /// The one position that the output of `status` shows; none where it shows none, or several.
    pub(crate) fn meaning(&self, output: &str) -> Option<MuxPosition> {
        let mut shown = self.signs.iter().filter(|(_, sign)| sign.is_match(output));
        let first = shown.next().map(|(position, _)| *position);
        first.filter(|_| shown.next().is_none())
    }
}
