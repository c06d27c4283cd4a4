//! The driver type `storage-mux-switch`: a switch selects the side, or feeds a USB stick that only this machine sees.

use std::sync::Arc;

use flasher_core::device::Absent;
use flasher_core::{
    ChildSpec, Device, Driver, DriverType, Kind, MuxPosition, PowerDriver, Result, StorageMux, Wiring,
    async_trait,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// `config:` of a `storage-mux-switch` node.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SwitchMuxConfig {
    /// How the switch gives the medium to this machine; the other way gives it to the board.
    pub host: HostWhen,
}

/// The state of a switch that gives the medium to this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HostWhen {
    /// When it is on.
    #[default]
    On,
    /// When it is off.
    Off,
}

/// A mux that is a switch: a GPIO line, a relay, or a port of a USB hub.
#[derive(Debug)]
pub struct SwitchMux {
    switch: Arc<dyn PowerDriver>,
    /// What the switch is when this machine has the medium.
    host: bool,
}

impl SwitchMux {
    async fn give(&self, to_host: bool) -> Result<()> {
        match to_host == self.host {
            true => self.switch.on().await,
            false => self.switch.off().await,
        }
    }
}

// The switch is a node of its own, which is probed, locked and closed as such.
#[async_trait]
impl Driver for SwitchMux {}

#[async_trait]
impl StorageMux for SwitchMux {
    async fn host(&self) -> Result<()> {
        self.give(true).await
    }

    async fn dut(&self) -> Result<()> {
        self.give(false).await
    }

    /// A switch has two positions, and this machine uses nothing by itself.
    async fn off(&self) -> Result<()> {
        self.give(true).await
    }

    async fn position(&self) -> Result<Option<MuxPosition>> {
        let is_host = self.switch.state().await?.map(|on| on == self.host);
        Ok(is_host.map(|is_host| if is_host { MuxPosition::Host } else { MuxPosition::Dut }))
    }
}

impl DriverType for SwitchMux {
    const NAME: &'static str = "storage-mux-switch";
    const SUMMARY: &'static str = "gives a medium to its board or to this machine by a switch: a GPIO line, a relay, a port of a USB hub";
    const EXAMPLE: &'static str = "\
type: storage-mux-switch
config: { host: on }
children:
  switch: { type: power-mock }   # power-gpio for the select line of a mux, power-command with uhubctl for a stick on a hub
";
    const CHILDREN: &'static [ChildSpec] = &[ChildSpec {
        role: "switch",
        kind: Kind::Power,
        absent: Absent::Refused,
        purpose: "selects who has the medium",
    }];
    type Config = SwitchMuxConfig;

    fn build(config: SwitchMuxConfig, wiring: Wiring) -> Result<Device> {
        let switch = wiring.power("switch")?;
        Ok(Device::StorageMux(Arc::new(Self { switch, host: config.host == HostWhen::On })))
    }
}
