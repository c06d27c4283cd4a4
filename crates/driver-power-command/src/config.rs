//! What an exporter YAML says about a switch with a command line.

use std::collections::BTreeMap;
use std::path::PathBuf;

use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::Error;
use crate::words::Words;

/// `config:` of a `power-command` node.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Commands of a known tool, in place of `on`, `off` and `status`; those given as well win.
    #[serde(default)]
    pub preset: Option<Preset>,
    /// Port of the preset's hub, as its tool counts.
    #[serde(default)]
    pub port: Option<u32>,
    /// Which hub: the location for uhubctl (`1-1`), the serial number for ykush. Not needed when there is only one.
    #[serde(default)]
    pub hub: Option<String>,
    /// Switches power on; exit status 0 means done.
    #[serde(default)]
    pub on: Option<Words>,
    /// Switches power off; exit status 0 means done.
    #[serde(default)]
    pub off: Option<Words>,
    /// Prints whether power is on. Without it a switch is believed, and a receipt says `not confirmed`.
    #[serde(default)]
    pub status: Option<Words>,
    /// Does a whole power cycle; without it `off`, a wait and `on` do.
    #[serde(default)]
    pub cycle: Option<Words>,
    /// Regular expression in the output of `status` that means on.
    #[serde(default)]
    pub status_on: Option<String>,
    /// Regular expression in the output of `status` that means off.
    #[serde(default)]
    pub status_off: Option<String>,
    /// Give lines to `sh -c`, for those with variables, pipes or redirections. A list of words is never given to a shell.
    #[serde(default)]
    pub shell: bool,
    /// Environment of the commands, added to that of this process. Values are never shown.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Folder the commands run in; relative ones from the folder of the exporter YAML, which is also the default.
    #[serde(default)]
    pub folder: Option<PathBuf>,
}

/// A tool whose commands are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// `uhubctl`: USB hubs with switched ports.
    Uhubctl,
    /// `ykushcmd`: Yepkit YKUSH hubs.
    Ykush,
    /// `ykushcmd ykush3`: Yepkit YKUSH 3.
    Ykush3,
    /// `ykushcmd ykushxs`: Yepkit YKUSH XS, one port.
    Ykushxs,
}

/// What the commands are once presets, words and patterns are worked out.
#[derive(Debug)]
pub(crate) struct ResolvedCommands {
    pub(crate) on: Vec<String>,
    pub(crate) off: Vec<String>,
    pub(crate) status: Option<Vec<String>>,
    pub(crate) cycle: Option<Vec<String>>,
    pub(crate) is_on: Regex,
    pub(crate) is_off: Regex,
    /// Lines go through a shell.
    pub(crate) shell: bool,
    /// Both orders are those of a preset, whose tools do not care where they run.
    pub(crate) is_known: bool,
}

impl Config {
    pub(crate) fn plan(&self) -> Result<ResolvedCommands, Error> {
        let known = self.preset.map(|preset| preset.commands(self)).transpose()?.unwrap_or_default();
        let needed = |key, given: Option<Vec<String>>| given.ok_or(Error::Lacking { key });
        let pattern = |key, given: &Option<String>, known: Option<String>, default: &str| {
            let text = given.clone().or(known).unwrap_or_else(|| default.to_owned());
            Regex::new(&text).map_err(|error| Error::Pattern { key, reason: error.to_string() })
        };
        Ok(ResolvedCommands {
            on: needed("on", self.argv("on", &self.on)?.or(known.on))?,
            off: needed("off", self.argv("off", &self.off)?.or(known.off))?,
            status: self.argv("status", &self.status)?.or(known.status),
            cycle: self.argv("cycle", &self.cycle)?,
            is_on: pattern("status_on", &self.status_on, known.is_on, r"(?i)\b(on|1|true)\b")?,
            is_off: pattern("status_off", &self.status_off, known.is_off, r"(?i)\b(off|0|false)\b")?,
            shell: self.shell,
            is_known: self.on.is_none() && self.off.is_none(),
        })
    }

    fn argv(&self, key: &'static str, words: &Option<Words>) -> Result<Option<Vec<String>>, Error> {
        let Some(words) = words else { return Ok(None) };
        if let Some(sign) = words.sign_of_a_shell(self.shell) {
            return Err(Error::Shell { key, sign, is_list: matches!(words, Words::List(_)) });
        }
        words.argv(self.shell).map(Some).ok_or(Error::Words { key })
    }
}
