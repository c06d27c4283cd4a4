//! `uboot`: how the boot loader's console is recognised. Settings only; the dialogue is the transaction's.

use std::sync::Arc;

use bundle_store::Interrupt;
use flasher_core::device::Absent;
use flasher_core::{BootConsole, ChildSpec, Device, Driver, DriverType, Kind, Result, StopKeys, Wiring};
use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of a U-Boot console.
#[derive(Debug)]
pub struct UbootConsole {
    prompt: String,
    interrupt: Option<Interrupt>,
}

/// Config of `uboot`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UbootConfig {
    /// The prompt, literal text; a leading newline means "at the beginning of a line".
    pub prompt: String,
    /// What stops the countdown: keys by name (`space`, `enter`, `esc`, `esc esc`, `ctrl-c`), or a stop string as
    /// `{text: STRING}`, with `enter: true` where U-Boot holds only a hash of it. The manifest's when not given.
    pub interrupt: Option<Interrupt>,
}

impl Default for UbootConfig {
    fn default() -> Self {
        Self { prompt: "\n=>".to_owned(), interrupt: None }
    }
}

impl Driver for UbootConsole {}

impl BootConsole for UbootConsole {
    fn prompt(&self) -> String {
        self.prompt.clone()
    }

    fn interrupt(&self) -> Option<StopKeys> {
        self.interrupt.as_ref().map(stop_keys)
    }
}

/// What is typed for an `interrupt`.
pub(crate) fn stop_keys(interrupt: &Interrupt) -> StopKeys {
    StopKeys {
        bytes: interrupt.bytes(),
        shown: interrupt.to_string(),
        password: interrupt.password().map(str::to_owned),
    }
}

impl DriverType for UbootConsole {
    const NAME: &'static str = "uboot";
    const ALIASES: &'static [&'static str] = &["jumpstarter_driver_uboot.driver.UbootConsole"];
    const SUMMARY: &'static str = "how the console of a U-Boot is recognised";
    const EXAMPLE: &'static str = "type: uboot\nconfig:\n  prompt: \"=>\"\n  interrupt: space\n";
    const CHILDREN: &'static [ChildSpec] = &[
        ChildSpec {
            role: "power",
            kind: Kind::Power,
            absent: Absent::Fine,
            purpose: "accepted for Jumpstarter's files",
        },
        ChildSpec {
            role: "serial",
            kind: Kind::Serial,
            absent: Absent::Fine,
            purpose: "accepted for Jumpstarter's files",
        },
    ];
    type Config = UbootConfig;

    fn build(config: UbootConfig, wiring: Wiring) -> Result<Device> {
        if config.prompt.trim().is_empty() {
            return Err(flasher_core::Error::config("`prompt` is empty")
                .help("give the prompt as the board prints it, for example `=>`")
                .with("node", wiring.path()));
        }
        Ok(Device::BootConsole(Arc::new(Self { prompt: config.prompt, interrupt: config.interrupt })))
    }
}
