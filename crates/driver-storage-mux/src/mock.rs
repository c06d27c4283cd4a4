//! The driver type `storage-mux-mock`: a mux without hardware that records its calls.

use std::sync::{Arc, Mutex, PoisonError};

use flasher_core::{Device, Driver, DriverType, MuxPosition, Result, StorageMux, Wiring, async_trait};
use schemars::JsonSchema;
use serde::Deserialize;

/// A mux without hardware. Remembers every order.
#[derive(Debug, Default)]
pub struct MockMux {
    orders: Mutex<Vec<MuxPosition>>,
}

impl MockMux {
    /// Every order so far, oldest first.
    pub fn orders(&self) -> Vec<MuxPosition> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, position: MuxPosition) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).push(position);
    }
}

impl Driver for MockMux {}

#[async_trait]
impl StorageMux for MockMux {
    async fn host(&self) -> Result<()> {
        self.remember(MuxPosition::Host);
        Ok(())
    }

    async fn dut(&self) -> Result<()> {
        self.remember(MuxPosition::Dut);
        Ok(())
    }

    async fn off(&self) -> Result<()> {
        self.remember(MuxPosition::Off);
        Ok(())
    }

    async fn position(&self) -> Result<Option<MuxPosition>> {
        Ok(self.orders().last().copied())
    }
}

/// `storage-mux-mock` takes no config.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MockMuxConfig {}

impl DriverType for MockMux {
    const NAME: &'static str = "storage-mux-mock";
    const SUMMARY: &'static str = "a storage mux without hardware that records its calls";
    const EXAMPLE: &'static str = "type: storage-mux-mock\n";
    type Config = MockMuxConfig;

    fn build(_config: MockMuxConfig, _wiring: Wiring) -> Result<Device> {
        Ok(Device::StorageMux(Arc::new(Self::default())))
    }
}
