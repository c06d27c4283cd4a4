//! Disks of this machine that are files: loop devices, and a storage mux of small scripts that gives them a name.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use flasher_core::{Event, FlashJob, Receipt};

/// Size of a medium, bytes.
pub(super) const MEDIUM: usize = 16 * 1024 * 1024;

/// A lab with loop devices, or none where this machine gives none.
pub(super) struct Rig {
    folder: tempfile::TempDir,
    /// The disks, by the names of their files.
    disks: Vec<(String, PathBuf)>,
    /// Places that are mounted.
    mounts: Vec<PathBuf>,
    /// What the mux does for `host`, `dut`.
    pub(super) mux: [String; 2],
    /// Whether the flasher has that mux.
    pub(super) has_mux: bool,
    /// Further lines of the flasher's config.
    pub(super) config: String,
    /// Further children of the flasher.
    pub(super) children: String,
    /// Further nodes.
    pub(super) nodes: String,
    /// Sees everything that is reported, when it is.
    pub(super) watch: Option<Watch>,
}

/// What looks at the reports of a job.
pub(super) type Watch = Arc<dyn Fn(&Event) + Send + Sync>;

impl Rig {
    /// A lab without a medium.
    pub(super) fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("flasher-host-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            folder,
            disks: Vec::new(),
            mounts: Vec::new(),
            mux: [String::new(), String::new()],
            has_mux: true,
            config: String::new(),
            children: String::new(),
            nodes: String::new(),
            watch: None,
        }
    }

    /// A lab with one medium, full of 0xA5. Says so, and gives none, where there are no loop devices; in CI there must be.
    pub(super) fn new() -> Option<Self> {
        let mut rig = Self::empty();
        fs::write(rig.path("medium"), vec![0xa5; MEDIUM]).unwrap();
        fs::set_permissions(rig.path("medium"), fs::Permissions::from_mode(0o666)).unwrap();
        let disk = rig.attach("medium", &[])?;
        rig.mux = [format!("ln -sfn {} sd", disk.display()), "rm -f sd".to_owned()];
        Some(rig)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a disk of a file.
    pub(super) fn attach(&mut self, name: &str, options: &[&str]) -> Option<PathBuf> {
        let output =
            Command::new("losetup").args(["--find", "--show"]).args(options).arg(self.path(name)).output();
        match output {
            Ok(output) if output.status.success() => {
                let disk = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
                self.disks.push((name.to_owned(), disk.clone()));
                Some(disk)
            }
            other => {
                assert!(std::env::var_os("CI").is_none(), "no loop device: {other:?}");
                println!("skipped: this machine gives no loop device (`losetup`, as root)");
                None
            }
        }
    }

    /// The device of a disk.
    pub(super) fn disk(&self, name: &str) -> &Path {
        &self.disks.iter().find(|(its, _)| its == name).unwrap().1
    }

    /// Mounts with these arguments; undone at the end.
    pub(super) fn mount(&mut self, arguments: &[&str], place: &str) {
        fs::create_dir_all(self.path(place)).unwrap();
        run(Command::new("mount").args(arguments).arg(self.path(place)));
        self.mounts.push(self.path(place));
    }

    /// What is on a medium, read as others would.
    pub(super) fn medium(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// What the mux was ordered, in a row.
    pub(super) fn orders(&self) -> String {
        fs::read_to_string(self.path("orders")).unwrap_or_default().replace('\n', " ").trim().to_owned()
    }

    /// Writes the exporter YAML and gives its path.
    pub(super) fn exporter(&self) -> PathBuf {
        let folder = self.folder.path().display();
        let order = |name: &str, script: &str| format!("{name}: [sh, -c, 'echo {name} >>orders; {script}']");
        let (host, dut) = (order("host", &self.mux[0]), order("dut", &self.mux[1]));
        let mux = format!("      mux: {{ type: storage-mux, config: {{ {host}, {dut} }} }}\n");
        let mux = if self.has_mux { mux } else { String::new() };
        let text = format!(
            "apiVersion: jumpstarter.dev/v1alpha1
kind: ExporterConfig
metadata: {{ namespace: test, name: lab }}
export:
{}  storage:
    type: flasher
    config:
      targets: {{ sd: {folder}/sd }}
      host: {{ appear_seconds: 1{} }}
      power_off_seconds: 0.1
    children:
{mux}{}",
            self.nodes, self.config, self.children
        );
        fs::write(self.path("lab.yaml"), text).unwrap();
        self.path("lab.yaml")
    }

    /// Writes an image, and gives a job for it that does not retry.
    pub(super) fn job(&self, content: &[u8]) -> FlashJob {
        fs::write(self.path("image"), content).unwrap();
        FlashJob { retries: 0, ..FlashJob::new(self.path("image").to_str().unwrap()) }
    }

    /// Flashes; gives the receipt and everything that was reported on the way.
    pub(super) async fn flash(&self, job: FlashJob) -> (Receipt, Vec<Event>) {
        let tree = exporter_yaml::load(&self.exporter()).unwrap_or_else(|findings| panic!("{findings}"));
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let flasher = tree.flasher(None).unwrap();
        let watch = self.watch.clone();
        let progress = move |event| {
            watch.iter().for_each(|watch| watch(&event));
            seen.lock().unwrap().push(event);
        };
        let receipt = flasher.flash(job, Arc::new(progress)).await;
        tree.close().await.unwrap();
        let events = std::mem::take(&mut *events.lock().unwrap());
        (receipt, events)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for place in &self.mounts {
            Command::new("umount").arg("--lazy").arg(place).status().ok();
        }
        for (_, disk) in &self.disks {
            Command::new("losetup").arg("--detach").arg(disk).status().ok();
        }
    }
}

/// Runs a command that has to succeed.
pub(super) fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
