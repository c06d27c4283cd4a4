//! A board whose switch and line only Python has drivers for: flashed by hand and through an exporter.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use flasher_core::{Device, PowerDriver, SerialDriver};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::lab::{Lab, MEDIUM, free_port, furnish, noise, said};
use crate::lifetime::eventually;
use crate::python::runs;
use crate::remote::assert_flashed;

/// A simulated board of this process, whose switch and line are on sockets, and a lab whose Python drivers go there.
struct Bench {
    lab: Lab,
    image: Vec<u8>,
    _board: tokio::runtime::Runtime,
}

impl Bench {
    /// None when Python's packages are not installed. `more` goes into the config of the board.
    fn new(more: &str) -> Option<Self> {
        let tftp = free_port();
        let (board, [switch, line]) = board(&format!("tftp_port: {tftp}{more}"));
        let lab = Lab::with_clients(&export(tftp, switch, line))?;
        furnish(&lab);
        let board = board(&lab);
        let mut image = noise(2_000_000, 3);
        image.extend(vec![0; 2_000_000]);
        image.extend(noise(500_123, 4));
        fs::write(lab.path("image"), &image).unwrap();
        Some(Self { lab, image, _board: board })
    }

    /// The processes that Python's drivers were made in.
    fn pids(&self) -> BTreeSet<u32> {
        let pids = fs::read_to_string(self.lab.path("pids")).unwrap_or_default();
        pids.lines().map(|pid| pid.parse().unwrap()).collect()
    }

    /// Nothing of Python is left; it was started `count` times.
    fn assert_ended(&self, count: usize) {
        let pids = self.pids();
        assert_eq!(pids.len(), count, "{pids:?}");
        eventually("Python's processes have ended", || !pids.iter().any(|pid| runs(*pid)));
        let left = fs::read_dir(self.lab.path("")).unwrap().map(|it| it.unwrap().file_name());
        let left: Vec<_> = left.filter(|it| it.to_string_lossy().starts_with("flasher-python-")).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// A flash of the image that has got as far as writing.
    fn writing(&self) -> (Child, impl Iterator<Item = String> + use<>) {
        let mut flash =
            self.lab.flasher(&["--json", "flash", "image", "--retries", "0", "--receipt", "receipt.json"]);
        let mut flash = flash.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(flash.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains("step-begun") && line.contains("\"write\"")));
        (flash, lines)
    }

    fn receipt(&self) -> Value {
        serde_json::from_slice(&fs::read(self.lab.path("receipt.json")).unwrap()).unwrap()
    }
}

/// How a board is started in a lab.
type Start = Box<dyn FnOnce(&Lab) -> tokio::runtime::Runtime>;

/// A simulated board behind two ports: one takes `on` and `off`, the other is its line.
fn board(config: &str) -> (Start, [u16; 2]) {
    let listener = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (switch, line) = (listener(), listener());
    let ports = [&switch, &line].map(|it| it.local_addr().unwrap().port());
    let config = format!("{{ medium: ./medium, size: {MEDIUM}, bootdelay: 1, bash: true, {config} }}");
    let start = move |lab: &Lab| {
        let yaml = lab.path("sim.yaml");
        let head = "apiVersion: jumpstarter.dev/v1alpha1\nkind: ExporterConfig\nmetadata: { name: sim }\n";
        fs::write(&yaml, format!("{head}export:\n  board: {{ type: sim-board, config: {config} }}\n"))
            .unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _inside = runtime.enter();
        let tree = exporter_yaml::load(&yaml).unwrap();
        let Ok(Device::Power(power, _)) = tree.find("board.power") else { panic!("no switch") };
        let Ok(Device::Serial(serial)) = tree.find("board.serial") else { panic!("no line") };
        let listen = |listener: std::net::TcpListener| {
            listener.set_nonblocking(true).unwrap();
            TcpListener::from_std(listener).unwrap()
        };
        runtime.spawn(switched(listen(switch), power));
        runtime.spawn(connected(listen(line), serial));
        runtime
    };
    (Box::new(start), ports)
}

/// Obeys `on` and `off`.
async fn switched(listener: TcpListener, power: Arc<dyn PowerDriver>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut order = String::new();
        tokio::io::BufReader::new(&mut stream).read_line(&mut order).await.unwrap();
        match order.as_str() {
            "on\n" => power.on().await.unwrap(),
            "off\n" => power.off().await.unwrap(),
            other => panic!("{other:?}"),
        }
        stream.write_all(b"ok\n").await.unwrap();
    }
}

/// Connects one after another with the board's line.
async fn connected(listener: TcpListener, serial: Arc<dyn SerialDriver>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut line = serial.open().await.unwrap();
        // A client that is killed leaves a broken connection.
        bridged(&mut stream, &mut line).await.ok();
    }
}

async fn bridged(
    stream: &mut TcpStream,
    line: &mut Box<dyn flasher_core::ByteStream>,
) -> std::io::Result<()> {
    let (mut from, mut to) = stream.split();
    let (mut printed, mut typed) = tokio::io::split(line);
    tokio::select! {
        done = tokio::io::copy(&mut from, &mut typed) => done?,
        done = tokio::io::copy(&mut printed, &mut to) => done?,
    };
    Ok(())
}

fn export(tftp: u16, switch: u16, line: u16) -> String {
    format!(
        "  contact: {{ type: in_house.Contact, config: {{ address: '127.0.0.1:{switch}' }} }}
  line: {{ type: in_house.Line, config: {{ url: 'socket://127.0.0.1:{line}', check_present: false }} }}
  spare: {{ type: power-mock }}
  storage:
    type: flasher
    config: {{ flasher_bundle: ./bundle, power_off_seconds: 0.1 }}
    children:
      serial: {{ ref: line }}
      power: {{ ref: contact }}
      tftp: {{ type: tftp, config: {{ port: {tftp}, root_dir: ./tftp }} }}
      http: {{ type: http, config: {{ port: 0, root_dir: ./http }} }}
"
    )
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_board_behind_python_is_flashed_and_proven() {
    let Some(bench) = Bench::new("") else { return };
    let output = bench.lab.flasher(&["flash", "image", "--receipt", "receipt.json"]).output().unwrap();
    said(&["flash"], &output);
    assert_flashed(&bench.lab, &bench.image);
    let receipt = bench.receipt();
    assert_eq!((&receipt["verdict"], &receipt["power"]), (&"proven".into(), &"off".into()));
    bench.assert_ended(1);
}

#[test]
fn a_board_behind_python_is_flashed_through_an_exporter() {
    let Some(bench) = Bench::new("") else { return };
    let exporter = bench.lab.listen(&["--listen", "127.0.0.1:0"]);
    let remote = ["--remote", &exporter.address];
    let output = bench.lab.flasher(&remote).args(["flash", "image"]).output().unwrap();
    said(&["flash"], &output);
    assert_flashed(&bench.lab, &bench.image);
    let power = bench.lab.flasher(&remote).args(["power", "read", "--device", "contact"]).output().unwrap();
    assert_eq!(said(&["power read"], &power), "12.000 V  0.500 A  6.000 W\n");
    exporter.signal("TERM");
    assert_eq!(exporter.wait(), 0);
    bench.assert_ended(1);
}

#[test]
fn nobody_switches_a_board_behind_python_while_it_is_flashed() {
    let Some(bench) = Bench::new(", faults: { dd_stuck: true }") else { return };
    let exporter = bench.lab.listen(&["--listen", "127.0.0.1:0"]);
    let remote = ["--remote", &exporter.address, "--json"];
    let mut flash = bench.lab.flasher(&remote);
    let mut flash = flash.args(["flash", "image"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(flash.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("\"write\"")));
    let off = ["power", "off", "--device", "contact"];
    for command in [bench.lab.flasher(&[&remote, &off[..]].concat()), bench.lab.flasher(&off)] {
        let output = { command }.output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{}", text(&output));
        assert!(text(&output).contains("in use"), "{}", text(&output));
    }
    assert_eq!(bench.lab.flasher(&remote).arg("cancel").output().unwrap().status.code(), Some(130));
    lines.for_each(drop);
    assert_eq!(flash.wait().unwrap().code(), Some(130));
    said(&["power off"], &bench.lab.flasher(&[&remote[..2], &off[..]].concat()).output().unwrap());
}

#[test]
fn python_that_ends_in_the_middle_fails_the_flash() {
    let Some(bench) = Bench::new(", faults: { slow: 1MiB }") else { return };
    let (mut flash, lines) = bench.writing();
    let pid = bench.pids().first().unwrap().to_string();
    assert!(Command::new("kill").args(["-s", "KILL", &pid]).status().unwrap().success());
    lines.for_each(drop);
    assert_eq!(flash.wait().unwrap().code(), Some(4));
    let receipt = bench.receipt();
    let failure = &receipt["failure"];
    assert_eq!(failure["class"], "infrastructure", "{failure}");
    // Python is started again to switch the board off.
    assert_eq!(
        (&failure["medium"]["state"], &receipt["power"]),
        (&"first-block-erased".into(), &"off".into())
    );
    assert!(!bench.pids().iter().any(|pid| runs(*pid)));
}

#[test]
fn an_interrupted_flash_leaves_no_python() {
    let Some(bench) = Bench::new(", faults: { slow: 1MiB }") else { return };
    let (mut flash, lines) = bench.writing();
    let id = flash.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
    lines.for_each(drop);
    assert_eq!(flash.wait().unwrap().code(), Some(130));
    assert_eq!(bench.receipt()["failure"]["class"], "interrupted");
    bench.assert_ended(1);
}

#[test]
fn commands_start_python_only_when_they_need_it() {
    let Some(bench) = Bench::new("") else { return };
    let cases: [(&[&str], i32, usize, &str); 11] = [
        (&["power", "on"], 0, 0, "power on"),
        (&["check"], 0, 0, "is fine"),
        (&["plan", "image"], 0, 0, ""),
        (&["--python", "off", "power", "on", "--device", "contact"], 2, 0, "`contact` is not available"),
        (&["--python", "off", "flash", "image"], 2, 0, "is not available"),
        (&["--python", "off", "doctor"], 2, 0, "`line` is not available"),
        (&["power", "read", "--device", "contact"], 0, 1, "12.000 V"),
        (&["power", "cycle", "--wait", "0", "--device", "storage.power"], 0, 1, "power on, not confirmed"),
        (&["power", "on", "--device", "line"], 2, 1, "`line` is of kind serial, expected power"),
        (&["doctor"], 0, 1, "contact"),
        (&["console", "--watch"], 2, 1, "cannot let others hear the line"),
    ];
    let mut starts = 0;
    for (args, code, started, told) in cases {
        let output = bench.lab.flasher(args).stdin(Stdio::null()).output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(told), "{args:?}: {said}");
        starts += started;
        bench.assert_ended(starts);
    }
}

#[test]
fn an_interrupted_command_leaves_no_python() {
    let Some(bench) = Bench::new("") else { return };
    let wait = ["power", "cycle", "--wait", "600", "--device", "contact"];
    let mut command = bench.lab.flasher(&wait).spawn().unwrap();
    eventually("Python runs", || bench.pids().len() == 1);
    assert!(Command::new("kill").args(["-s", "INT", &command.id().to_string()]).status().unwrap().success());
    assert_eq!(command.wait().unwrap().code(), Some(130));
    bench.assert_ended(1);
}
