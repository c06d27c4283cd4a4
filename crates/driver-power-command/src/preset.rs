//! The commands of known tools. uhubctl 2.x: `-l LOCATION -p PORT -a ACTION`; ykushcmd 1.x: `-s SERIAL -u|-d|-g PORT`.

use crate::config::{Config, Preset};
use crate::error::Error;

/// Commands and patterns of a preset.
#[derive(Debug, Default)]
pub(crate) struct PresetCommands {
    pub(crate) on: Option<Vec<String>>,
    pub(crate) off: Option<Vec<String>>,
    pub(crate) status: Option<Vec<String>>,
    pub(crate) is_on: Option<String>,
    pub(crate) is_off: Option<String>,
}

impl Preset {
    pub(crate) fn commands(self, config: &Config) -> Result<PresetCommands, Error> {
        let port = match (self, config.port) {
            (_, Some(port)) => port,
            (Self::Ykushxs, None) => 1,
            (_, None) => return Err(Error::Port),
        };
        Ok(match self {
            Self::Uhubctl => uhubctl(config.hub.as_deref(), port),
            Self::Ykush => ykush(&[], config.hub.as_deref(), port),
            Self::Ykush3 => ykush(&["ykush3"], config.hub.as_deref(), port),
            Self::Ykushxs => ykush(&["ykushxs"], config.hub.as_deref(), port),
        })
    }
}

fn words(text: &[&str]) -> Vec<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
}

/// A port that is on shows the word `power` in its status line, one that is off the word `off`.
fn uhubctl(location: Option<&str>, port: u32) -> PresetCommands {
    let number = port.to_string();
    let command = |action: &[&str]| {
        let place = location.map(|it| vec!["-l", it]).unwrap_or_default();
        words(&[&["uhubctl"][..], &place, &["-p", &number], action].concat())
    };
    PresetCommands {
        on: Some(command(&["-a", "on"])),
        off: Some(command(&["-a", "off"])),
        status: Some(command(&[])),
        is_on: Some(format!(r"(?m)^\s*Port {port}: [0-9a-f]{{4}}.*\bpower\b")),
        is_off: Some(format!(r"(?m)^\s*Port {port}: [0-9a-f]{{4}}.*\boff\b")),
    }
}

/// `-g` prints `Downstream port 1 is ON`, or `is OFF`.
fn ykush(model: &[&str], serial: Option<&str>, port: u32) -> PresetCommands {
    let number = port.to_string();
    let command = |action: &str| {
        let which = serial.map(|it| vec!["-s", it]).unwrap_or_default();
        words(&[&["ykushcmd"][..], model, &which, &[action, &number]].concat())
    };
    PresetCommands {
        on: Some(command("-u")),
        off: Some(command("-d")),
        status: Some(command("-g")),
        is_on: Some(r"(?i)\bis on\b".to_owned()),
        is_off: Some(r"(?i)\bis off\b".to_owned()),
    }
}
