//! A power switch without hardware that records its calls: for trying out an exporter YAML, and for tests.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use flasher_core::{
    Device, Driver, DriverType, PowerDriver, PowerMeter, Reading, Result, Wiring, async_trait,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// A power switch without hardware. Remembers every call with its time.
#[derive(Debug, Default)]
pub struct MockPower {
    calls: Mutex<Vec<Call>>,
}

/// One call of a [`MockPower`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// What was asked for.
    pub action: Action,
    /// When.
    pub at: Instant,
}

/// What a [`MockPower`] was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Power on.
    On,
    /// Power off.
    Off,
    /// A reading.
    Read,
}

impl MockPower {
    /// Every call so far, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, action: Action) {
        let call = Call { action, at: Instant::now() };
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

impl Driver for MockPower {}

#[async_trait]
impl PowerDriver for MockPower {
    async fn on(&self) -> Result<()> {
        self.remember(Action::On);
        Ok(())
    }

    async fn off(&self) -> Result<()> {
        self.remember(Action::Off);
        Ok(())
    }

    fn is_by_hand(&self) -> bool {
        true
    }
}

#[async_trait]
impl PowerMeter for MockPower {
    /// 0 V and 0 A, then 5 V and 2 A, as Jumpstarter's mock gives.
    async fn read(&self) -> Result<Vec<Reading>> {
        self.remember(Action::Read);
        Ok(vec![Reading { voltage: 0.0, current: 0.0 }, Reading { voltage: 5.0, current: 2.0 }])
    }
}

/// `power-mock` takes no config.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {}

impl DriverType for MockPower {
    const NAME: &'static str = "power-mock";
    const ALIASES: &'static [&'static str] =
        &["jumpstarter_driver_power.driver.MockPower", "jumpstarter_driver_power.driver.SyncMockPower"];
    const SUMMARY: &'static str = "power without hardware that records its calls";
    const EXAMPLE: &'static str = "type: power-mock\n";
    type Config = Config;

    fn build(_config: Config, _wiring: Wiring) -> Result<Device> {
        let power = Arc::new(Self::default());
        Ok(Device::Power(Arc::clone(&power) as _, Some(power)))
    }
}

flasher_core::register_driver!(MockPower);

#[cfg(test)]
mod tests {
    use std::path::Path;

    use exporter_yaml::Document;
    use flasher_core::tree::DriverTree;

    use super::*;

    fn load(name: &str) -> DriverTree {
        let node = MockPower::EXAMPLE.replace(MockPower::NAME, name).replace('\n', "\n    ");
        let yaml = format!("export:\n  power:\n    {node}\n");
        let document = Document::parse("lab.yaml", Path::new(""), &yaml).unwrap();
        exporter_yaml::build(&document).unwrap_or_else(|findings| panic!("{findings}"))
    }

    #[test]
    fn the_example_builds_under_each_of_its_names() {
        for name in [MockPower::NAME].iter().chain(MockPower::ALIASES) {
            let power = load(name).find("power").unwrap();
            assert!(matches!(power, Device::Power(_, Some(_))), "{name}: a switch with a meter");
        }
    }

    #[tokio::test]
    async fn it_keeps_the_promises_of_a_power_driver() {
        let make = || load("power-mock").find("power").unwrap();
        assert_eq!(flasher_core::testing::power(&make).await, [""; 0]);
    }

    #[tokio::test]
    async fn switch_and_meter_of_a_node_are_one_device() {
        let Device::Power(switch, Some(meter)) = load("power-mock").find("power").unwrap() else {
            panic!("no switch with a meter")
        };
        switch.on().await.unwrap();
        meter.read().await.unwrap();
        let driver: &dyn std::any::Any = switch.as_ref();
        let actions: Vec<Action> =
            driver.downcast_ref::<MockPower>().unwrap().calls().iter().map(|call| call.action).collect();
        assert_eq!(actions, [Action::On, Action::Read]);
    }

    #[tokio::test]
    async fn it_remembers_every_call_in_order() {
        let power = MockPower::default();
        power.off().await.unwrap();
        power.on().await.unwrap();
        power.read().await.unwrap();
        let calls = power.calls();
        let actions: Vec<Action> = calls.iter().map(|call| call.action).collect();
        assert_eq!(actions, [Action::Off, Action::On, Action::Read]);
        assert!(calls.windows(2).all(|pair| pair[0].at <= pair[1].at));
    }

    #[tokio::test]
    async fn it_reads_as_jumpstarters_mock_does() {
        let readings = MockPower::default().read().await.unwrap();
        let pairs: Vec<_> = readings.iter().map(|reading| (reading.voltage, reading.current)).collect();
        assert_eq!(pairs, [(0.0, 0.0), (5.0, 2.0)]);
    }
}
