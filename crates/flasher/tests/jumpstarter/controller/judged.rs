//! Jumpstarter's own exporter and client, both unmodified, under the controller for tests: they judge it.

use std::fs::File;
use std::process::{Child, Command};

use serde_json::json;

use super::{Controller, WHOLE_HISTORY};
use crate::lab::said;

/// What an exporter of Python's has.
pub(super) const EXPORT: &str = "  power: { type: jumpstarter_driver_power.driver.MockPower }
  serial: { type: jumpstarter_driver_pyserial.driver.PySerial, config: { url: 'loop://' } }
";

/// `jmp run`, ended when dropped.
pub(super) struct PythonExporter(Child);

impl PythonExporter {
    pub(super) fn start(controller: &Controller) -> Self {
        let mut run = Command::new("jmp");
        controller.lab.equip(&mut run);
        run.args(["run", "--exporter-config"]).arg(controller.lab.path("exporter-one.yaml"));
        let log = File::create(controller.lab.path("exporter.log")).unwrap();
        Self(run.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
    }

    fn stop(&mut self) {
        let id = self.0.id().to_string();
        assert!(Command::new("sh").args(["-c", "kill -s TERM $0", &id]).status().unwrap().success());
        self.0.wait().unwrap();
    }
}

impl Drop for PythonExporter {
    fn drop(&mut self) {
        self.0.kill().ok(); // it may have ended before
        self.0.wait().ok();
    }
}

#[test]
fn pythons_own_exporter_serves_pythons_own_client() {
    let hooks = "hooks: { beforeLease: { script: 'echo hello from $LEASE_NAME; j power on' }, afterLease: { script: 'j power off' } }\n";
    let Some(controller) = Controller::start(EXPORT, hooks) else { return };
    let mut exporter = PythonExporter::start(&controller);
    controller.until("Available");
    for _ in 0..2 {
        let command = ["j", "power", "cycle", "--wait", "0"];
        let told = said(&command, &controller.shell("one", &command).output().unwrap());
        assert!(told.contains("hello from"), "{told}");
        controller.until("Available");
    }
    let mut history = controller.history();
    history.dedup();
    assert_eq!(history, [&["Available"], &WHOLE_HISTORY[..], &WHOLE_HISTORY[..]].concat());
    exporter.stop();
    let state = controller.state();
    assert_eq!(state["exporters"]["one"]["status"], "Offline");
    assert_eq!(state["exporters"]["one"]["unregistrations"], json!(["Exporter shutdown"]));
    assert_eq!((&state["router"]["open"], &state["router"]["waiting"]), (&json!(0), &json!(0)));
}

#[test]
fn pythons_own_exporter_is_refused_without_its_token() {
    let Some(controller) = Controller::start(EXPORT, "") else { return };
    let yaml = controller.lab.path("exporter-one.yaml");
    let text = std::fs::read_to_string(&yaml).unwrap();
    let client = std::fs::read_to_string(controller.lab.path("client-me.yaml")).unwrap();
    let token = |text: &str| text.lines().find(|line| line.starts_with("token:")).unwrap().to_owned();
    std::fs::write(&yaml, text.replace(&token(&text), &token(&client))).unwrap();
    let _exporter = PythonExporter::start(&controller);
    crate::lifetime::eventually("the refusal", || {
        let log = std::fs::read_to_string(controller.lab.path("exporter.log")).unwrap();
        log.contains("permission denied for exporter lab/one")
    });
    assert_eq!(controller.one()["registered"], false);
}
