//! The board as drivers: a group of `power` and `serial`.

use std::sync::Arc;

use flasher_core::virtual_board::{self, VirtualBoard};
use flasher_core::{ByteStream, Device, DriverType, PowerDriver, Result, SerialDriver, Wiring, async_trait};

use tokio::io::AsyncRead;

use crate::board::SimBoard;
use crate::config::Config;
use crate::error::SimError;

impl SimBoard {
    /// Its power switch.
    pub fn power(self: &Arc<Self>) -> Arc<dyn PowerDriver> {
        virtual_board::power(self)
    }

    /// Its serial line. It stays open across power cycles; one user at a time.
    pub fn serial(self: &Arc<Self>) -> Arc<dyn SerialDriver> {
        virtual_board::serial(self)
    }
}

#[async_trait]
impl VirtualBoard for SimBoard {
    const LABEL: &'static str = "the simulated board";

    async fn probe(&self) -> Result<()> {
        Ok(self.probe().await?)
    }

    async fn identities(&self) -> Vec<String> {
        self.identities().await
    }

    async fn close(&self) -> Result<()> {
        Ok(self.close().await?)
    }

    /// The line may be all that an exporter YAML has of the board.
    async fn close_serial(&self) -> Result<()> {
        Ok(self.close().await?)
    }

    async fn switch_on(&self) -> Result<()> {
        Ok(self.switch_on().await?)
    }

    async fn switch_off(&self) -> Result<()> {
        Ok(self.switch_off().await?)
    }

    async fn is_on(&self) -> bool {
        self.is_on().await
    }

    async fn open_serial(self: Arc<Self>) -> Result<Box<dyn ByteStream>> {
        Ok(Box::new(Self::open_serial(&self).await?))
    }

    async fn watch_serial(&self) -> std::io::Result<Option<Box<dyn AsyncRead + Send + Unpin>>> {
        Ok(self.watch_serial().await?.map(|heard| Box::new(heard) as _))
    }
}

impl DriverType for SimBoard {
    const NAME: &'static str = "sim-board";
    const SUMMARY: &'static str = "a simulated board: its children `power` and `serial` need no hardware";
    const EXAMPLE: &'static str = "type: sim-board\nconfig:\n  size: 64MiB\n";
    type Config = Config;

    fn build(mut config: Config, wiring: Wiring) -> Result<Device> {
        if let Some(problem) = config.problem() {
            return Err(flasher_core::Error::from(SimError::Config(problem)).with("node", wiring.path()));
        }
        config.medium = config.medium.map(|medium| wiring.file(medium));
        if let Some(gadget) = &mut config.usb_gadget {
            gadget.link = wiring.file(&gadget.link);
        }
        config.outlet = config.outlet.map(|outlet| wiring.file(outlet));
        let switched_elsewhere = config.outlet.is_some();
        let board = Self::new(config);
        let power = ("power".to_owned(), Device::Power(board.power(), None));
        let serial = ("serial".to_owned(), Device::Serial(board.serial()));
        let power = Some(power).filter(|_| !switched_elsewhere);
        Ok(Device::Group(power.into_iter().chain([serial]).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_builds_power_and_serial() {
        let config: Config =
            serde_json::from_value(serde_json::json!({"size": "64MiB", "medium": "card.img"})).unwrap();
        let device = SimBoard::build(config, Wiring::new("board", "/nowhere", Default::default())).unwrap();
        let Device::Group(children) = device else { panic!("no group") };
        let kinds: Vec<_> =
            children.iter().map(|(name, child)| format!("{name}: {}", child.kind())).collect();
        assert_eq!(kinds, ["power: power", "serial: serial"]);
        let wrong = Config { size: crate::size::Size(0), ..Config::default() };
        let error = SimBoard::build(wrong, Wiring::default()).unwrap_err();
        assert!(error.cause().ends_with("the size of the medium must not be 0"), "{error:?}");
    }
}
