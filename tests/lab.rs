//! A lab in a temporary folder: an exporter YAML with a simulated board, a bundle, images, and a medium to look at.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use flasher_core::{Event, FlashJob, Receipt};

/// Size of the simulated medium, bytes.
pub(crate) const MEDIUM: usize = 16 * 1024 * 1024;

/// A lab of its own for one test.
pub(crate) struct Lab {
    folder: tempfile::TempDir,
    /// Size of its medium, bytes; [`Lab::wipe`] makes a medium of it.
    pub(crate) size: usize,
    /// Config of its TFTP server, but for the folder.
    pub(crate) tftp: String,
    /// Further lines of the simulated board's config.
    pub(crate) board: String,
    /// Further lines of the flasher's config.
    pub(crate) flasher: String,
    /// Further children of the flasher.
    pub(crate) children: String,
}

impl Lab {
    /// A lab whose board has these `faults:` (YAML, flow style; empty for none).
    pub(crate) fn new(faults: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("flasher-lab-").tempdir().unwrap();
        set_mode(folder.path(), 0o755);
        let bundle = folder.path().join("bundle/data");
        fs::create_dir_all(&bundle).unwrap();
        fs::write(bundle.join("kernel"), noise(300_000, 1)).unwrap();
        fs::write(bundle.join("initramfs"), noise(200_000, 2)).unwrap();
        fs::write(bundle.join("sim.dtb"), noise(5_000, 3)).unwrap();
        let manifest = flasher_core::registry::board("sim").unwrap().manifest;
        fs::write(folder.path().join("bundle/manifest.yaml"), manifest).unwrap();
        let lab = Self {
            folder,
            size: MEDIUM,
            tftp: "port: 0".to_owned(),
            board: format!("faults: {{{faults}}}"),
            flasher: String::new(),
            children: String::new(),
        };
        lab.wipe();
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The medium, full of 0xA5: content that is already right once made failed flashes look good.
    pub(crate) fn wipe(&self) {
        fs::write(self.path("medium"), vec![0xa5; self.size]).unwrap();
        set_mode(&self.path("medium"), 0o666);
    }

    /// An old system on the medium, as far as the boot loader looks.
    pub(crate) fn make_bootable(&self) {
        let mut medium = self.medium();
        medium[510..512].copy_from_slice(&[0x55, 0xaa]);
        fs::write(self.path("medium"), medium).unwrap();
    }

    pub(crate) fn medium(&self) -> Vec<u8> {
        fs::read(self.path("medium")).unwrap()
    }

    /// Writes the exporter YAML and gives its path.
    pub(crate) fn exporter(&self) -> PathBuf {
        let text = format!(
            "apiVersion: jumpstarter.dev/v1alpha1
kind: ExporterConfig
metadata: {{ namespace: test, name: lab }}
export:
  board:
    type: sim-board
    config:
      medium: ./medium
      size: {}
      bootdelay: 1
      {}
  storage:
    type: flasher
    config:
      flasher_bundle: ./bundle
      power_off_seconds: 0.1
      {}
    children:
      serial: {{ ref: board.serial }}
      power: {{ ref: board.power }}
      tftp: {{ type: tftp, config: {{ {}, root_dir: ./tftp }} }}
      http: {{ type: http, config: {{ port: 0, root_dir: ./http }} }}
      {}
",
            self.size, self.board, self.flasher, self.tftp, self.children
        );
        let path = self.path("exporter.yaml");
        fs::write(&path, text).unwrap();
        path
    }

    /// A job for `image` that does not retry.
    pub(crate) fn job(&self, image: &Path) -> FlashJob {
        FlashJob { retries: 0, ..FlashJob::new(image.to_str().unwrap()) }
    }

    /// Flashes; gives the receipt and everything that was reported on the way.
    pub(crate) async fn flash(&self, job: FlashJob) -> (Receipt, Vec<Event>) {
        let tree = exporter_yaml::load(&self.exporter()).unwrap_or_else(|findings| panic!("{findings}"));
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let flasher = tree.flasher(None).unwrap();
        let progress = move |event| seen.lock().unwrap().push(event);
        let receipt = flasher.flash(job, Arc::new(progress)).await;
        tree.close().await.unwrap();
        let events = std::mem::take(&mut *events.lock().unwrap());
        (receipt, events)
    }

    /// Writes `content` as an image packed with `tool`, or as it is.
    pub(crate) fn image(&self, content: &[u8], tool: Option<&str>) -> PathBuf {
        // The name must not matter: no tool's ending.
        let path = self.path("image");
        let packed = tool.map_or_else(|| content.to_vec(), |tool| pack(tool, content));
        fs::write(&path, packed).unwrap();
        path
    }
}

/// `content` packed by a real tool of this machine.
pub(crate) fn pack(tool: &str, content: &[u8]) -> Vec<u8> {
    let mut child = Command::new(tool)
        .args(["-c", "-1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("`{tool}` is needed: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let content = content.to_vec();
    let feeder = std::thread::spawn(move || stdin.write_all(&content));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success(), "{tool}");
    output.stdout
}

/// Whether a tool is there; says so when a test has to do without.
pub(crate) fn has(tool: &str) -> bool {
    let there = Command::new("sh")
        .args(["-c", "command -v \"$1\" >/dev/null", "sh", tool])
        .status()
        .unwrap()
        .success();
    if !there {
        println!("skipped: no `{tool}` on this machine");
    }
    there
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

/// An image with data, a long stretch of zeros, and an odd tail.
pub(crate) fn sample() -> Vec<u8> {
    let mut image = noise(1_500_000, 7);
    image.extend(vec![0; 5_000_000]);
    image.extend(noise(2_000_123, 8));
    image
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
