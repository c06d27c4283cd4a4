//! A board with a step of its own: the supply of the Own Two only holds when it is switched on twice.
//!
//! The step is overridden where it belongs, between the flasher and its power switch. Everything else is the flasher of
//! the project, built with its own config and children.

use std::sync::Arc;
use std::time::Duration;

use driver_flasher::{BaseFlasher, FlasherConfig};
use flasher_core::wrapper::{PowerWrapper, Wrapper};
use flasher_core::{ChildSpec, Device, DriverType, PowerDriver, Result, Wiring, async_trait};
use serde_json::Value;

/// How long the supply takes to notice.
const NOTICE: Duration = Duration::from_millis(50);

/// A power switch that is nudged before it is on. Everything but `on` and `cycle` is forwarded to the switch.
#[derive(Debug)]
struct Nudged(Arc<dyn PowerDriver>);

impl Wrapper for Nudged {
    type Device = dyn PowerDriver;

    fn wrapped(&self) -> &Self::Device {
        self.0.as_ref()
    }
}

#[async_trait]
impl PowerWrapper for Nudged {
    async fn on(&self) -> Result<()> {
        self.0.on().await?;
        tokio::time::sleep(NOTICE).await;
        self.0.off().await?;
        tokio::time::sleep(NOTICE).await;
        self.0.on().await
    }

    async fn cycle(&self, wait: Duration) -> Result<()> {
        self.off().await?;
        tokio::time::sleep(wait).await;
        self.on().await
    }
}

/// The flasher of the Own Two.
#[derive(Debug)]
pub struct OwnFlasher;

impl DriverType for OwnFlasher {
    const NAME: &'static str = "own-flasher";
    const SUMMARY: &'static str = "flashes an Own Two, whose supply must be switched on twice";
    const EXAMPLE: &'static str = "\
type: own-flasher
config:
  flasher_bundle: ./bundle
children:
  serial: { type: serial, config: { url: \"loop://\" } }
  power: { type: power-mock }
";
    const CHILDREN: &'static [ChildSpec] = BaseFlasher::CHILDREN;
    type Config = FlasherConfig;

    fn made_child(config: &FlasherConfig, role: &str) -> Value {
        BaseFlasher::made_child(config, role)
    }

    fn build(config: FlasherConfig, mut wiring: Wiring) -> Result<Device> {
        wiring.wrap_power("power", Nudged)?;
        BaseFlasher::build(config, wiring)
    }
}
