//! A lab in a temporary folder, an exporter that serves it, and clients for it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin;

/// Size of the simulated medium, bytes.
pub(crate) const MEDIUM: usize = 16 * 1024 * 1024;

/// The folder of the Python environment; none, with a word about it, when `cargo xtask test` has not made it. In CI it
/// must be there.
pub(crate) fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let bin = target.join("jumpstarter-0.9.0/bin");
    if bin.join("j").exists() && bin.with_file_name("stamp").exists() {
        return Some(bin);
    }
    assert!(std::env::var_os("CI").is_none(), "no Jumpstarter clients in {}", bin.display());
    println!("skipped: no Jumpstarter clients in {}; `cargo xtask test` installs them", bin.display());
    None
}

/// A lab of its own for one test.
pub(crate) struct Lab {
    folder: tempfile::TempDir,
    bin: Option<PathBuf>,
}

impl Lab {
    /// A folder with an exporter YAML. `@FILE@` in it stands for the folder.
    pub(crate) fn new(export: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("flasher-jmp-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let head = "apiVersion: jumpstarter.dev/v1alpha1\nkind: ExporterConfig\nmetadata: { namespace: test, name: lab }\n";
        fs::write(folder.path().join("lab.yaml"), format!("{head}export:\n{export}")).unwrap();
        Self { folder, bin: None }
    }

    /// The same with Python's clients at hand; none when they are not installed.
    pub(crate) fn with_clients(export: &str) -> Option<Self> {
        let bin = python()?;
        Some(Self { bin: Some(bin), ..Self::new(export) })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `flasher`, with Python's programs on its search path.
    pub(crate) fn flasher(&self, args: &[&str]) -> Command {
        let mut command = Command::new(cargo_bin("flasher"));
        command.args(args).current_dir(self.folder.path()).env("FLASHER_EXPORTER", self.path("lab.yaml"));
        command.env("TMPDIR", self.folder.path());
        self.equip(&mut command);
        command
    }

    /// Gives a command Python's programs and the scripts here.
    pub(crate) fn equip(&self, command: &mut Command) {
        if let Some(bin) = &self.bin {
            let path = std::env::var("PATH").unwrap();
            command.env("PATH", format!("{}:{path}", bin.display()));
        }
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("LAB", self.folder.path()).env("COLUMNS", "200");
        command.env("PYTHONPATH", scripts()).env("XDG_STATE_HOME", self.path("state"));
    }

    /// Runs a client command under `flasher serve`, and gives what it printed when it ended with 0.
    pub(crate) fn serve(&self, command: &[&str]) -> String {
        let output = self.flasher(&["serve", "--"]).args(command).output().unwrap();
        said(command, &output)
    }

    /// A script of `tests/python`, with no exporter.
    pub(crate) fn python(&self, name: &str) -> Command {
        let mut command = Command::new("python");
        self.equip(&mut command);
        command.arg(scripts().join(name));
        command
    }

    /// Runs a script of `tests/python` under `flasher serve`.
    pub(crate) fn script(&self, name: &str) -> String {
        self.serve(&["python", scripts().join(name).to_str().unwrap()])
    }

    /// Images that clients have sent and that are still there.
    pub(crate) fn uploads(&self) -> usize {
        let folders = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let folders = folders.filter(|path| path.to_string_lossy().contains("flasher-uploads-"));
        let entries = folders.flat_map(|path| fs::read_dir(path).unwrap()).map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).count()
    }

    /// Starts an exporter that listens, and waits until it does.
    pub(crate) fn listen(&self, args: &[&str]) -> Exporter {
        let mut command = self.flasher(&["serve"]);
        let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let Some(address) = line.trim().strip_prefix("listening on ") else {
            let mut complaint = String::new();
            child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
            panic!("the exporter said {line:?} and {complaint}");
        };
        Exporter { address: address.to_owned(), child, _out: out }
    }

    /// A client command for a listening exporter.
    pub(crate) fn client(&self, exporter: &Exporter, options: &[&str], command: &[&str]) -> Command {
        let mut whole = self.flasher(&["shell-env", &exporter.address]);
        whole.args(options).arg("--").args(command);
        whole
    }
}

/// Where the Python half is.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python")
}

/// What a command printed; a panic with everything unless it ended with 0.
pub(crate) fn said(command: &[&str], output: &Output) -> String {
    let [out, err] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{command:?} ended with {}:\n{out}\n{err}", output.status);
    out
}

/// A listening exporter, killed when dropped.
pub(crate) struct Exporter {
    pub(crate) address: String,
    pub(crate) child: Child,
    /// Kept open: an exporter whose output is not read any more says nothing and ends.
    _out: BufReader<ChildStdout>,
}

impl Exporter {
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("sh").args(["-c", "kill -s $0 $1", name, &id]).status().unwrap().success());
    }

    /// Waits for its end and gives its exit code.
    pub(crate) fn wait(mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // It may have ended before.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Power that remembers, a line that echoes.
pub(crate) const BENCH: &str = "  power: { type: power-mock }
  serial: { type: serial, config: { url: 'loop://' } }
";

/// The field's test board: nothing behind it, every part of a bundle.
pub(crate) const TEST_BOARD: &str = "  storage:
    type: jumpstarter_driver_flashers.driver.BaseFlasher
    config: { flasher_bundle: ./bundle, cache_dir: ./cache }
    children:
      serial: { type: jumpstarter_driver_pyserial.driver.PySerial, config: { url: 'loop://' } }
      power: { type: jumpstarter_driver_power.driver.MockPower }
      tftp: { type: tftp, config: { root_dir: ./tftp, host: 127.0.0.1, port: 0 } }
      http: { type: http, config: { root_dir: ./http, host: 127.0.0.1, port: 0 } }
";

/// A lab with the field's test board and its bundle, when the clients are installed.
pub(crate) fn test_board() -> Option<Lab> {
    let lab = Lab::with_clients(TEST_BOARD)?;
    let data = lab.path("bundle/data");
    fs::create_dir_all(data.join("dtbs")).unwrap();
    fs::write(data.join("kernel"), [0; 1024]).unwrap();
    fs::write(data.join("initramfs"), [0; 2048]).unwrap();
    fs::write(data.join("dtbs/test-dtb.dtb"), [0; 3072]).unwrap();
    fs::write(data.join("dtbs/alternate.dtb"), [1; 3072]).unwrap();
    let manifest = flasher_core::registry::board("test").unwrap().manifest;
    fs::write(lab.path("bundle/manifest.yaml"), manifest).unwrap();
    Some(lab)
}

/// Exporter YAML of a simulated board whose U-Boot asks for files on `port`; `more` goes into its config.
pub(crate) fn sim_board(port: u16, more: &str) -> String {
    format!(
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
"
    )
}

/// Puts the simulated board's bundle and a wiped medium into a lab.
pub(crate) fn furnish(lab: &Lab) {
    let data = lab.path("bundle/data");
    fs::create_dir_all(&data).unwrap();
    for (name, length) in [("kernel", 300_000), ("initramfs", 200_000), ("sim.dtb", 5000)] {
        fs::write(data.join(name), noise(length, length as u64)).unwrap();
    }
    let manifest = flasher_core::registry::board("sim").unwrap().manifest;
    fs::write(lab.path("bundle/manifest.yaml"), manifest).unwrap();
    fs::write(lab.path("medium"), vec![0xa5; MEDIUM]).unwrap();
    fs::set_permissions(lab.path("medium"), fs::Permissions::from_mode(0o666)).unwrap();
}

/// A TCP port of this machine that is free right now.
pub(crate) fn free_tcp_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// A UDP port that is free right now.
pub(crate) fn free_port() -> u16 {
    std::net::UdpSocket::bind(("0.0.0.0", 0)).unwrap().local_addr().unwrap().port()
}

/// `length` bytes that look random, are the same every time, and begin as a disk does.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&next());
    }
    bytes.truncate(length);
    make_disk(&mut bytes);
    bytes
}

/// Gives an image the partition table, with no partition in it, without which it is refused for a whole device.
pub(crate) fn make_disk(image: &mut [u8]) {
    if let Some(table) = image.get_mut(446..512) {
        table.fill(0);
        table[64..].copy_from_slice(&[0x55, 0xaa]);
    }
}
