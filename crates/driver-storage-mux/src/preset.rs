//! The commands of known tools. usbsdmux: `usbsdmux PATH host|dut|off|get`; sd-mux-ctrl: `--device-serial=SERIAL --ts|--dut|--status`.

use std::path::PathBuf;

use crate::config::Preset;
use crate::error::Error;

/// Commands of a preset.
#[derive(Debug, Default)]
pub(crate) struct PresetCommands {
    pub(crate) host: Option<Vec<String>>,
    pub(crate) dut: Option<Vec<String>>,
    pub(crate) off: Option<Vec<String>>,
    pub(crate) status: Option<Vec<String>>,
    /// Where the mux itself is.
    pub(crate) path: Option<PathBuf>,
}

impl Preset {
    pub(crate) fn commands(self, device: Option<&str>) -> Result<PresetCommands, Error> {
        let device = device.filter(|device| !device.is_empty()).ok_or(Error::Device)?;
        Ok(match self {
            Self::Usbsdmux => usbsdmux(device),
            Self::SdMuxCtrl => sd_mux_ctrl(device),
        })
    }
}

fn usbsdmux(path: &str) -> PresetCommands {
    let command = |order: &str| Some(["usbsdmux", path, order].map(str::to_owned).to_vec());
    PresetCommands {
        host: command("host"),
        dut: command("dut"),
        off: command("off"),
        status: command("get"),
        path: path.starts_with('/').then(|| path.into()),
    }
}

/// It has no position that gives the medium to neither.
fn sd_mux_ctrl(serial: &str) -> PresetCommands {
    let which = format!("--device-serial={serial}");
    let command = |order: &str| Some(["sd-mux-ctrl", &which, order].map(str::to_owned).to_vec());
    PresetCommands {
        host: command("--ts"),
        dut: command("--dut"),
        off: None,
        status: command("--status"),
        path: None,
    }
}
