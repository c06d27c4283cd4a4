//! The board as drivers: a group of `power` and `serial`.

use std::sync::Arc;

use flasher_core::virtual_board::{self, VirtualBoard};
use flasher_core::{ByteStream, Device, DriverType, PowerDriver, Result, SerialDriver, Wiring, async_trait};

use tokio::io::AsyncRead;

use crate::board::QemuBoard;
use crate::config::Config;
use crate::error::QemuError;

impl QemuBoard {
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
impl VirtualBoard for QemuBoard {
    const LABEL: &'static str = "the emulated board";

    async fn probe(&self) -> Result<()> {
        Ok(self.probe().await?)
    }

    async fn identities(&self) -> Vec<String> {
        self.identities().await
    }

    async fn close(&self) -> Result<()> {
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
    use flasher_core::tree::DriverTree;

    use super::*;

    fn load(node: &str) -> std::result::Result<DriverTree, String> {
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
