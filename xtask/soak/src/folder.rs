//! The folder of a case: everything that its flash may use lies below it, and what is left there is seen.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::Pid;

/// How long what ends may take to be gone.
const A_SECOND: Duration = Duration::from_secs(1);
/// Where the locks of boards lie.
const LOCKS: &str = "/run/lock";

/// A folder that is removed at the end, unless it is kept.
#[derive(Debug)]
pub(crate) struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    /// Makes it, with all that a flash expects of a user's machine.
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("flasher-soak-").tempdir().context("no folder")?;
        let made = Self { folder };
        // Started by root, the simulated board runs as another user, who must get through.
        mode(made.folder.path(), 0o755)?;
        for (name, bits) in
            [("tmp", 0o1777), ("run", 0o700), ("state", 0o700), ("home", 0o700), ("lab", 0o755)]
        {
            fs::create_dir(made.path(name))?;
            mode(&made.path(name), bits)?;
        }
        Ok(made)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Keeps it, and gives its place.
    pub(crate) fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    pub(crate) fn write(&self, name: &str, content: &[u8], bits: u32) -> Result<()> {
        let path = self.path(name);
        fs::write(&path, content).with_context(|| format!("cannot write `{}`", path.display()))?;
        mode(&path, bits)
    }

    /// All files below one of its folders.
    pub(crate) fn files(&self, name: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.path(name)];
        while let Some(folder) = folders.pop() {
            for path in entries(&folder) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path);
                }
            }
        }
        found
    }

    /// What the process left behind, once it had a second for it.
    pub(crate) fn leftovers(&self, process: u32, expected: &[&str]) -> Vec<String> {
        let deadline = Instant::now() + A_SECOND;
        loop {
            let left = self.left_now(process, expected);
            if left.is_empty() || Instant::now() > deadline {
                return left;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn left_now(&self, process: u32, expected: &[&str]) -> Vec<String> {
        let name = |path: PathBuf| {
            path.strip_prefix(self.folder.path()).map_or_else(|_| path.clone(), Path::to_owned)
        };
        let shown = |path: PathBuf| name(path).display().to_string();
        let in_lab = entries(&self.path("lab")).into_iter().map(shown);
        let mut left: Vec<String> =
            in_lab.filter(|name| !expected.iter().any(|it| name.strip_prefix("lab/") == Some(*it))).collect();
        for folder in ["tmp", "run", "lab/tftp", "lab/http", "cache/tmp"] {
            left.extend(entries(&self.path(folder)).into_iter().map(shown));
        }
        left.extend(self.processes().iter().map(|process| describe(process)));
        left.extend(self.mounts());
        left.extend(locks(process));
        left
    }

    /// Processes that work here or were started with something of this folder.
    fn processes(&self) -> Vec<PathBuf> {
        let here = self.folder.path();
        let text = here.display().to_string();
        let is_here = |process: &Path| {
            let read = |name: &str| fs::read(process.join(name)).unwrap_or_default();
            let has = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(&text);
            fs::read_link(process.join("cwd")).is_ok_and(|at| at.starts_with(here))
                || has(&read("cmdline"))
                || has(&read("environ"))
        };
        let is_process = |path: &PathBuf| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
        };
        let all = entries(Path::new("/proc")).into_iter().filter(is_process);
        all.filter(|path| is_here(path)).collect()
    }

    /// Those of them whose program has a name that begins so.
    pub(crate) fn processes_named(&self, name: &str) -> Vec<Pid> {
        let is_it = |process: &&PathBuf| {
            fs::read_to_string(process.join("comm")).is_ok_and(|comm| comm.starts_with(name))
        };
        let number = |process: &PathBuf| process.file_name()?.to_str()?.parse().ok().and_then(Pid::from_raw);
        self.processes().iter().filter(is_it).filter_map(number).collect()
    }

    fn mounts(&self) -> Vec<String> {
        let text = self.folder.path().display().to_string();
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        // A small disk of the case's own is no leftover of the program.
        let foreign = |line: &&str| line.contains(&text) && !line.starts_with("soak ");
        mounts.lines().filter(foreign).map(|line| format!("mount {line}")).collect()
    }
}

fn describe(process: &Path) -> String {
    let words = fs::read_to_string(process.join("cmdline")).unwrap_or_default().replace('\0', " ");
    format!("process {} {words}", process.display())
}

/// Locks of boards that name the process.
fn locks(process: u32) -> Vec<String> {
    let mark = format!("\"process\":{process},");
    let is_board =
        |path: &PathBuf| path.file_name().is_some_and(|it| it.to_string_lossy().starts_with("flasher-board"));
    let boards = entries(Path::new(LOCKS)).into_iter().filter(is_board);
    boards
        .filter(|path| fs::read_to_string(path).is_ok_and(|text| text.contains(&mark)))
        .map(|path| format!("lock {}", path.display()))
        .collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn mode(path: &Path, bits: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(bits))
        .with_context(|| format!("cannot open `{}` to others", path.display()))
}
