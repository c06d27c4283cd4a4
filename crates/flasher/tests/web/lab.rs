//! A lab with a simulated board, an exporter that shows it to browsers, and curl as a plain client.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;

/// Size of the simulated medium, bytes.
pub(crate) const MEDIUM: usize = 16 * 1024 * 1024;

/// A folder of its own for one test, with an exporter YAML.
pub(crate) struct Lab {
    folder: tempfile::TempDir,
}

/// An exporter that shows its boards; killed when dropped.
pub(crate) struct WebExporter {
    /// `http://127.0.0.1:PORT`
    pub(crate) address: String,
    child: Child,
    /// Kept open: an exporter whose messages are not read any more ends.
    _messages: BufReader<ChildStderr>,
}

/// What curl got.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Lab {
    /// A bench with one simulated board; `more` are further keys of its config, as `, faults: { slow: 1MiB }`.
    pub(crate) fn new(more: &str) -> Self {
        let port = free_port();
        Self::with_boards(&format!(
            "  board:
    type: sim-board
    config: {{ medium: ./medium, size: {MEDIUM}, bootdelay: 1, tftp_port: {port}, bash: true{more} }}
  storage:
    type: flasher
    config: {{ flasher_bundle: ./bundle, power_off_seconds: 0.1 }}
    children:
      serial: {{ ref: board.serial }}
      power: {{ ref: board.power }}
      tftp: {{ type: tftp, config: {{ port: {port}, root_dir: ./tftp }} }}
      http: {{ type: http, config: {{ port: 0, root_dir: ./http }} }}
  spare:
    type: composite
    children:
      power: {{ type: power-mock }}
      serial: {{ type: serial, config: {{ url: 'loop://' }} }}
"
        ))
    }

    /// A rack of simulated boards: the name and the faults of each, as `slow: 1MiB`.
    pub(crate) fn rack(boards: &[(&str, &str)]) -> Self {
        let port = free_port();
        let servers = format!(
            "  tftp: {{ type: tftp, config: {{ port: {port}, root_dir: ./tftp }} }}
  http: {{ type: http, config: {{ port: 0, root_dir: ./http }} }}
"
        );
        let board = |(name, faults): &(&str, &str)| {
            format!(
                "  {name}-board:
    type: sim-board
    config: {{ medium: ./{name}, size: {MEDIUM}, bootdelay: 3, tftp_port: {port}, faults: {{ {faults} }} }}
  {name}:
    type: flasher
    config: {{ flasher_bundle: ./bundle, power_off_seconds: 0.1 }}
    children: {{ serial: {{ ref: {name}-board.serial }}, power: {{ ref: {name}-board.power }}, tftp: {{ ref: tftp }}, http: {{ ref: http }} }}
"
            )
        };
        let lab = Self::with_boards(&(servers + &boards.iter().map(board).collect::<String>()));
        for (name, _) in boards {
            fs::write(lab.path(name), vec![0xa5; MEDIUM]).unwrap();
        }
        lab
    }

    /// A bench with these nodes, a bundle, and a medium.
    fn with_boards(nodes: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("flasher-web-").tempdir().unwrap();
        let lab = Self { folder };
        let head = "apiVersion: jumpstarter.dev/v1alpha1
kind: ExporterConfig
metadata: { namespace: test, name: lab }
export:
";
        fs::write(lab.path("lab.yaml"), head.to_owned() + nodes).unwrap();
        let data = lab.path("bundle/data");
        fs::create_dir_all(&data).unwrap();
        for (name, length) in [("kernel", 300_000), ("initramfs", 200_000), ("sim.dtb", 5000)] {
            fs::write(data.join(name), noise(length, length as u64)).unwrap();
        }
        let manifest = flasher_core::registry::board("sim").unwrap().manifest;
        fs::write(lab.path("bundle/manifest.yaml"), manifest).unwrap();
        fs::write(lab.path("medium"), vec![0xa5; MEDIUM]).unwrap();
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn flasher(&self, args: &[&str]) -> Command {
        let mut command = Command::new(cargo_bin("flasher"));
        command.args(args).current_dir(self.folder.path()).env("FLASHER_EXPORTER", self.path("lab.yaml"));
        command.env("TMPDIR", self.folder.path()).env("XDG_STATE_HOME", self.path("state"));
        command.env_remove("FLASHER_WEB_PASSPHRASE");
        command
    }

    /// Starts `serve` with these options, and waits until the page is served.
    pub(crate) fn serve(&self, options: &[&str]) -> WebExporter {
        let mut command = self.flasher(&["serve"]);
        let mut child = command.args(options).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut messages = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(messages.read_line(&mut line).unwrap() > 0, "the exporter ended: {said}");
            if let Some(address) = line.trim().strip_prefix("web page at ") {
                break address.trim_end_matches('/').to_owned();
            }
            said.push_str(&line);
        };
        WebExporter { address, child, _messages: messages }
    }

    /// Asks curl, which keeps its cookies in the lab.
    pub(crate) fn curl(&self, address: &str, options: &[&str]) -> Answer {
        let jar = self.path("cookies");
        let mut command = Command::new("curl");
        command.args(["-sk", "-i", "--max-time", "30", "-b"]).arg(&jar).arg("-c").arg(&jar);
        let output = command.args(options).arg(address).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or_default();
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }
}

/// A UDP port that is free now.
fn free_port() -> u16 {
    std::net::UdpSocket::bind(("0.0.0.0", 0)).unwrap().local_addr().unwrap().port()
}

impl WebExporter {
    /// Ends it by this signal, and waits for its end.
    pub(crate) fn end(mut self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        self.child.wait().unwrap();
    }
}

impl Drop for WebExporter {
    fn drop(&mut self) {
        // It may have ended before.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Answer {
    /// The token of the session, as every page has it.
    pub(crate) fn token(&self) -> String {
        let (_, rest) = self.body.split_once("data-token=\"").unwrap_or_else(|| panic!("no token: {self:?}"));
        rest.split('"').next().unwrap().to_owned()
    }
}

/// Waits until it is so, two minutes at most.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < deadline, "it did not come to be that {what}");
        #[allow(clippy::disallowed_methods, reason = "there is no runtime here")]
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// `length` bytes that look random, are the same every time, and begin as a disk does.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    if let Some(table) = bytes.get_mut(446..512) {
        table.fill(0);
        table[64..].copy_from_slice(&[0x55, 0xaa]);
    }
    bytes
}
