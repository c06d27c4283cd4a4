//! Our own commands with boards of other exporters, ours and Python's: by `--remote`, and by `type: remote` in a YAML.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::lab::{BENCH, Lab, free_port, free_tcp_port};
use crate::lifetime::eventually;
use crate::remote::{assert_flashed, board};

/// The same nodes for Python's exporter.
const PYTHON_BENCH: &str = "  power: { type: jumpstarter_driver_power.driver.MockPower }
  serial: { type: jumpstarter_driver_pyserial.driver.PySerial, config: { url: 'loop://' } }
  odd: { type: jumpstarter_driver_opendal.driver.Opendal, config: { scheme: memory, kwargs: {} } }
";

/// Runs `flasher` and looks at its exit code and at both streams.
fn check(mut command: Command, code: i32, told: &[&str]) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{command:?}: {text}");
    for part in told {
        assert!(text.contains(part), "{command:?}: {part}: {text}");
    }
}

/// What is typed on an echoing line comes back.
fn echoes(mut console: Command) {
    let mut child = console.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut typed = child.stdin.take().unwrap();
    typed.write_all(b"hello").unwrap();
    let mut back = [0; 5];
    child.stdout.take().unwrap().read_exact(&mut back).unwrap();
    assert_eq!(&back, b"hello");
    drop(typed);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Every command that goes to another exporter.
fn commands(lab: &Lab, address: &str) {
    let remote = |args: &[&str]| lab.flasher(&[&["--remote", address], args].concat());
    check(remote(&["power", "on"]), 0, &["power on, not confirmed"]);
    check(remote(&["power", "status", "--device", "power"]), 0, &["the switch cannot tell"]);
    check(remote(&["power", "cycle", "--wait", "0"]), 0, &["power on, not confirmed"]);
    check(remote(&["power", "read"]), 0, &["5.000 V  2.000 A  10.000 W"]);
    check(
        remote(&["power", "off", "--device", "serial"]),
        2,
        &["`serial` is of kind serial, expected power"],
    );
    check(remote(&["doctor"]), 0, &["✓ power", "✓ serial"]);
    echoes(remote(&["console"]));
    // The same nodes in an exporter YAML of this machine.
    let yaml = lab.path("near.yaml");
    let head =
        "apiVersion: jumpstarter.dev/v1alpha1\nkind: ExporterConfig\nmetadata: { name: near }\nexport:\n";
    let node = format!("  far: {{ type: remote, config: {{ address: '{address}' }} }}\n");
    fs::write(&yaml, format!("{head}{node}")).unwrap();
    let near = |args: &[&str]| lab.flasher(&[&["--exporter", yaml.to_str().unwrap()], args].concat());
    check(near(&["check"]), 0, &["far.power", "far.serial", "is fine"]);
    check(near(&["doctor"]), 0, &["✓ far.power", "✓ far.serial"]);
    check(near(&["power", "on"]), 0, &["power on, not confirmed"]);
    echoes(near(&["console"]));
}

#[test]
fn commands_with_an_exporter_of_ours() {
    let lab = Lab::new(BENCH);
    let exporter = lab.listen(&["--listen", "127.0.0.1:0"]);
    commands(&lab, &exporter.address);
}

/// The transaction runs here; power and serial line are those of a board over there.
#[test]
fn a_flash_with_the_lines_of_another_exporter_is_proven() {
    let (lab, exporter, image) = board("");
    let (address, port) = (&exporter.address, free_port());
    let yaml = lab.path("near.yaml");
    let text = format!(
        "apiVersion: jumpstarter.dev/v1alpha1
kind: ExporterConfig
metadata: {{ name: near }}
export:
  far: {{ type: remote, config: {{ address: '{address}', device: board }} }}
  storage:
    type: flasher
    config: {{ flasher_bundle: ./bundle, power_off_seconds: 0.1 }}
    children:
      serial: {{ ref: far.serial }}
      power: {{ ref: far.power }}
      tftp: {{ type: tftp, config: {{ port: {port}, root_dir: ./near-tftp }} }}
      http: {{ type: http, config: {{ port: 0, root_dir: ./near-http }} }}
"
    );
    fs::write(&yaml, text).unwrap();
    let near = lab.path("image");
    let command = lab.flasher(&["--exporter", yaml.to_str().unwrap(), "flash", near.to_str().unwrap()]);
    check(command, 0, &["proven", "of board sim"]);
    assert_flashed(&lab, &image);
}

/// Python's exporter, ended when it is dropped.
struct PythonExporter(Child);

impl Drop for PythonExporter {
    fn drop(&mut self) {
        // It has a child of its own, which ends with it only when it is asked to end. It may have ended before.
        Command::new("kill").arg(self.0.id().to_string()).status().ok();
        self.0.wait().ok();
    }
}

#[test]
fn commands_with_an_exporter_of_python() {
    let Some(lab) = Lab::with_clients(PYTHON_BENCH) else { return };
    let address = format!("127.0.0.1:{}", free_tcp_port());
    let yaml = fs::read_to_string(lab.path("lab.yaml")).unwrap();
    fs::write(lab.path("lab.yaml"), format!("{yaml}endpoint: ''\ntoken: ''\n")).unwrap();
    let mut command = Command::new("jmp");
    command.arg("run").arg("--exporter-config").arg(lab.path("lab.yaml"));
    command.args(["--tls-grpc-listener", &address, "--tls-grpc-insecure"]);
    lab.equip(&mut command);
    let log = fs::File::create(lab.path("python.log")).unwrap();
    let child = command.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null()).spawn().unwrap();
    let _exporter = PythonExporter(child);
    eventually("Python's exporter listens", || TcpStream::connect(&address).is_ok());
    commands(&lab, &address);
    let remote = |args: &[&str]| lab.flasher(&[&["--remote", &address], args].concat());
    check(remote(&["doctor"]), 0, &["! odd", "which this program cannot use"]);
    check(remote(&["power", "on", "--device", "odd"]), 2, &["OpendalClient", "Jumpstarter's own client"]);
    check(remote(&["flash", "lab.yaml"]), 2, &["the exporter has no flasher"]);
}
