//! Lines that only remember, one that tells; a machine without chips; and every sentence an error has.

mod errors;
mod real;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exporter_yaml::Document;
use flasher_core::switch::{Guarded, SwitchTiming, SwitchType};
use flasher_core::{Device, Driver, PowerDriver, Result, testing};

use crate::{Config, Error, GpioIn, GpioOut, PowerGpio};

pub(crate) fn device(config: &str) -> Result<Device> {
    let yaml = format!("export:\n  power: {{ type: power-gpio, config: {{ {config} }} }}\n");
    exporter_yaml::build(&Document::parse("lab.yaml", Path::new("/lab"), &yaml)?)?.find("power")
}

/// A line that notes each level it is driven to, and `release`.
#[derive(Debug, Default)]
struct FakeLine {
    levels: Mutex<Vec<&'static str>>,
    held: Mutex<bool>,
}

impl FakeLine {
    fn levels(&self) -> Vec<&'static str> {
        self.levels.lock().unwrap().clone()
    }
}

impl GpioOut for FakeLine {
    fn look(&self) -> Result<(), Error> {
        Ok(())
    }

    fn drive(&self, active: bool) -> Result<(), Error> {
        *self.held.lock().unwrap() = true;
        self.levels.lock().unwrap().push(if active { "high" } else { "low" });
        Ok(())
    }

    fn is_held(&self) -> bool {
        *self.held.lock().unwrap()
    }

    fn release(&self) {
        if std::mem::take(&mut *self.held.lock().unwrap()) {
            self.levels.lock().unwrap().push("release");
        }
    }
}

/// Tells that the board has power when the line was high last.
#[derive(Debug)]
struct SenseOfLastLevel(Arc<FakeLine>);

impl GpioIn for SenseOfLastLevel {
    fn look(&self) -> Result<(), Error> {
        Ok(())
    }

    fn read(&self) -> Result<bool, Error> {
        Ok(self.0.levels().iter().rev().find(|it| **it != "release") == Some(&"high"))
    }
}

fn switch(config: &str, line: &Arc<FakeLine>, sense: bool) -> Guarded<PowerGpio> {
    let config: Config = serde_json::from_str(config).unwrap();
    let sense = sense.then(|| Arc::new(SenseOfLastLevel(Arc::clone(line))) as Arc<dyn GpioIn>);
    let switch = PowerGpio::new(&config, Arc::clone(line) as _, sense).unwrap();
    Guarded::new(switch, SwitchTiming { min_off: Duration::ZERO, confirm: Duration::ZERO })
}

#[test]
fn the_example_and_the_fields_own_config_build() {
    device("line: 17, device: /dev/gpiochip0, active_low: true").unwrap();
    let own = "line: 4, device: /dev/gpiochip4, drive: open_drain, active_low: true, bias: pull_up, initial_value: active, mode: push_pull";
    device(own).unwrap();
    for level in ["'on'", "'off'", "inactive", "true"] {
        device(&format!("line: RELAY, backend: auto, initial_value: {level}")).unwrap();
    }
    assert_eq!(PowerGpio::ALIASES, ["jumpstarter_driver_gpiod.driver.PowerSwitch"]);
}

#[tokio::test]
async fn it_keeps_the_promises_of_a_power_driver() {
    let line = Arc::new(FakeLine::default());
    for sense in [true, false] {
        let make = || Device::Power(Arc::new(switch(r#"{"line": 1}"#, &line, sense)), None);
        assert_eq!(testing::power(&make).await, [""; 0]);
    }
}

#[tokio::test]
async fn nothing_is_driven_before_an_order() {
    let line = Arc::new(FakeLine::default());
    let power = switch(r#"{"line": 1, "initial_value": "active", "on_exit": "inactive"}"#, &line, false);
    power.probe().await.unwrap();
    assert_eq!(power.state().await.unwrap(), None);
    drop(power);
    assert_eq!(line.levels(), [""; 0]);
}

#[tokio::test]
async fn a_line_is_left_as_configured() {
    for (config, left) in [
        (r#"{"line": 1}"#, &["high", "release"][..]),
        (r#"{"line": 1, "on_exit": "inactive"}"#, &["high", "low", "release"]),
        (r#"{"line": 1, "on_exit": "active"}"#, &["high", "high", "release"]),
        (r#"{"line": 1, "on_exit": "initial", "initial_value": "on"}"#, &["high", "high", "release"]),
        (r#"{"line": 1, "on_exit": "initial"}"#, &["high", "low", "release"]),
    ] {
        let line = Arc::new(FakeLine::default());
        let power = switch(config, &line, false);
        power.on().await.unwrap();
        power.close().await.unwrap();
        assert_eq!(line.levels(), left, "closed: {config}");
        drop(power);
        assert_eq!(line.levels(), left, "dropped after it was closed: {config}");
        let line = Arc::new(FakeLine::default());
        switch(config, &line, false).on().await.unwrap();
        assert_eq!(line.levels(), left, "dropped: {config}");
    }
}

const BUTTON: &str = r#"{"line": 1, "pulse": {"on_seconds": 0.001, "off_seconds": 0.002}}"#;

#[tokio::test]
async fn a_button_is_pressed_only_when_that_changes_something() {
    let line = Arc::new(FakeLine::default());
    let power = switch(BUTTON, &line, false);
    power.off().await.unwrap();
    assert_eq!(line.levels(), ["high", "low"], "how it was is not known: the button is held");
    power.off().await.unwrap();
    assert_eq!(line.levels().len(), 2, "it is off");
    power.on().await.unwrap();
    power.on().await.unwrap();
    assert_eq!(line.levels().len(), 4, "pressed once");
    let line = Arc::new(FakeLine::default());
    switch(BUTTON, &line, false).on().await.unwrap();
    assert_eq!(line.levels(), ["high", "low", "high", "low", "release"], "held first, so that on is on");
}

#[tokio::test]
async fn a_button_is_let_go_when_nobody_waits_any_longer() {
    let line = Arc::new(FakeLine::default());
    let power = switch(r#"{"line": 1, "pulse": {"off_seconds": 60}}"#, &line, false);
    let pressed = async {
        while line.levels().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = power.off() => panic!("a minute has passed"),
        () = pressed => {}
    }
    assert_eq!(line.levels(), ["high", "low"]);
}

/// What a machine without GPIO says; one with chips has its own test in a guest.
#[tokio::test]
async fn a_machine_without_the_chip_is_told() {
    for (config, expected) in [
        ("line: 3, device: /dev/gpiochip99", "there is no GPIO chip `/dev/gpiochip99`"),
        ("line: 3, device: /dev/null", "`/dev/null` is no GPIO chip"),
        ("line: NO-SUCH-LINE", "no line is called `NO-SUCH-LINE` on any GPIO chip of this machine"),
    ] {
        let Device::Power(power, _) = device(config).unwrap() else { panic!("no switch") };
        for error in [power.probe().await.unwrap_err(), power.on().await.unwrap_err()] {
            assert_eq!(error.to_string(), expected);
            assert_eq!(testing::errors(&error), [""; 0]);
        }
    }
}

#[tokio::test]
async fn a_machine_that_is_no_pi_is_told() {
    if crate::pi::is_known() {
        eprintln!("skipped: this is a Raspberry Pi");
        return;
    }
    let Device::Power(power, _) = device("line: 17, backend: rppal").unwrap() else { panic!("no switch") };
    let error = power.on().await.unwrap_err();
    assert_eq!(error.to_string(), "this machine is no Raspberry Pi that rppal 0.22 knows");
    assert_eq!((testing::errors(&error), error.is_retryable()), (Vec::new(), false));
    if crate::cdev::chips().is_empty() {
        let Device::Power(power, _) = device("line: 17, backend: auto").unwrap() else { panic!("no switch") };
        let error = power.on().await.unwrap_err();
        assert!(error.to_string().starts_with("this machine has no GPIO chip, and is no"), "{error}");
    }
}
