//! A board with a step of its own: the supply of the Own Two only holds when it is switched on twice.
//!
//! The step is overridden where it belongs, between the flasher and its power switch. Everything else is the flasher of
//! the project, built with its own config and children.

use std::sync::Arc;
use std::time::Duration;

use driver_flasher::{BaseFlasher, FlasherConfig};
use flasher_core::{ChildSpec, Device, Driver, DriverType, PowerDriver, Result, Wiring, async_trait};
use serde_json::Value;

/// How long the supply takes to notice.
const NOTICE: Duration = Duration::from_millis(50);

/// A power switch that nudges before it switches on.
#[derive(Debug)]
struct Nudged(Arc<dyn PowerDriver>);

#[async_trait]
impl Driver for Nudged {
    async fn probe(&self) -> Result<()> {
        self.0.probe().await
    }

    async fn identities(&self) -> Vec<String> {
        self.0.identities().await
    }
}

#[async_trait]
impl PowerDriver for Nudged {
    async fn on(&self) -> Result<()> {
        self.0.on().await?;
        tokio::time::sleep(NOTICE).await;
        self.0.off().await?;
        tokio::time::sleep(NOTICE).await;
        self.0.on().await
    }

    async fn off(&self) -> Result<()> {
        self.0.off().await
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

    fn build(config: FlasherConfig, wiring: Wiring) -> Result<Device> {
        let (path, folder) = (wiring.path().to_owned(), wiring.file(""));
        let power = Nudged(wiring.power("power")?);
        let mut children = wiring.into_children();
        children.insert("power".to_owned(), Device::Power(Arc::new(power), None));
        BaseFlasher::build(config, Wiring::new(path, folder, children))
    }
}
