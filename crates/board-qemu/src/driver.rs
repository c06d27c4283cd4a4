//! The board as drivers: a group of `power` and `serial`.

use std::sync::Arc;

use flasher_core::{
    ByteStream, Device, Driver, DriverType, Error, Port, PowerDriver, Result, SerialDriver, Wiring,
    async_trait,
};

use tokio::io::AsyncRead;

use crate::board::QemuBoard;
use crate::config::Config;
use crate::error::QemuError;

impl QemuBoard {
    /// Its power switch.
    pub fn power(self: &Arc<Self>) -> Arc<dyn PowerDriver> {
        Arc::new(QemuPower(Arc::clone(self)))
    }

    /// Its serial line. It stays open across power cycles; one user at a time.
    pub fn serial(self: &Arc<Self>) -> Arc<dyn SerialDriver> {
        Arc::new(QemuSerial(Arc::clone(self)))
    }
}

/// The power switch of a [`QemuBoard`].
#[derive(Debug)]
struct QemuPower(Arc<QemuBoard>);

/// The serial line of a [`QemuBoard`].
#[derive(Debug)]
struct QemuSerial(Arc<QemuBoard>);

#[async_trait]
impl Driver for QemuPower {
    async fn probe(&self) -> Result<()> {
        Ok(self.0.probe().await?)
    }

    async fn identities(&self) -> Vec<String> {
        self.0.identities().await
    }

    async fn close(&self) -> Result<()> {
        Ok(self.0.close().await?)
    }
}

#[async_trait]
impl PowerDriver for QemuPower {
    async fn on(&self) -> Result<()> {
        Ok(self.0.switch_on().await?)
    }

    async fn off(&self) -> Result<()> {
        Ok(self.0.switch_off().await?)
    }

    async fn state(&self) -> Result<Option<bool>> {
        Ok(Some(self.0.is_on().await))
    }

    fn is_virtual(&self) -> bool {
        true
    }
}

/// Its stream is let go of when dropped, so there is nothing to close.
#[async_trait]
impl Driver for QemuSerial {
    async fn probe(&self) -> Result<()> {
        Ok(self.0.probe().await?)
    }

    async fn identities(&self) -> Vec<String> {
        self.0.identities().await
    }
}

#[async_trait]
impl SerialDriver for QemuSerial {
    async fn open(&self) -> Result<Box<dyn ByteStream>> {
        Ok(Box::new(self.0.open_serial().await?))
    }

    async fn watch(&self) -> Result<Option<Box<dyn AsyncRead + Send + Unpin>>> {
        self.0.watch_serial().await.map_err(|error| {
            Error::infrastructure("the emulated board's serial line cannot be watched").because(error)
        })
    }

    async fn port(&self) -> Port {
        Port { name: "the emulated board's serial line".to_owned(), is_missing: false }
    }
}

impl DriverType for QemuBoard {
    const NAME: &'static str = "qemu-board";
    const SUMMARY: &'static str =
        "an emulated board: its children `power` and `serial` are a QEMU with a real U-Boot";
    const EXAMPLE: &'static str = "type: qemu-board\nconfig:\n  disk:\n    kind: virtio\n    file: disk.img\n    \
        size: 512MiB\n  network:\n    tap: qtap0\n    address: 10.77.0.1/24\n    board: 10.77.0.50\n";
    type Config = Config;

    fn build(mut config: Config, wiring: Wiring) -> Result<Device> {
        if let Some(problem) = config.problem() {
            return Err(flasher_core::Error::from(QemuError::Config(problem)).with("node", wiring.path()));
        }
        config.place(|path| wiring.file(path));
        let board = Self::new(config);
        let children = [
            ("power".to_owned(), Device::Power(board.power(), None)),
            ("serial".to_owned(), Device::Serial(board.serial())),
        ];
        Ok(Device::Group(children.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use exporter_yaml::Document;
    use flasher_core::tree::DeviceTree;

    use super::*;

    fn load(node: &str) -> std::result::Result<DeviceTree, String> {
        let yaml = format!("export:\n  board:\n    {}\n", node.trim().replace('\n', "\n    "));
        let document = Document::parse("lab.yaml", Path::new("/lab"), &yaml).unwrap();
        exporter_yaml::build(&document).map_err(|findings| findings.to_string())
    }

    #[test]
    fn the_example_builds_a_switch_and_a_line() {
        let tree = load(QemuBoard::EXAMPLE).unwrap();
        assert!(matches!(tree.find("board.power").unwrap(), Device::Power(_, None)));
        assert!(matches!(tree.find("board.serial").unwrap(), Device::Serial(_)));
    }

    #[test]
    fn a_config_that_makes_no_sense_builds_nothing() {
        let refused = load("type: qemu-board\nconfig:\n  smp: 0\n").unwrap_err();
        assert!(refused.contains("memory and smp must not be 0"), "{refused}");
    }
}
