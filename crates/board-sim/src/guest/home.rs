//! The guest's private folder: its devices, its /sys, its tools. RAM of the board: gone when the power goes.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::{CWD, Mode, mkfifoat};

use super::hosttools;
use super::kill::kill_all;
use super::safety;
use super::tools;
use crate::config::Config;
use crate::counters::Counters;
use crate::error::SimError;

/// Folders of the guest.
const FOLDERS: &[&str] = &[
    "bin",
    "boot",
    "dev/disk/by-path",
    "dev/shm",
    "etc",
    "home",
    "media",
    "mnt",
    "partitions",
    "proc/sys/kernel",
    "proc/sys/vm",
    "root",
    "run",
    "sys/block",
    "sys/class/block",
    "tmp",
    "usr",
    "var/tmp",
];

/// The guest's folder, and what marks its processes. Dropping it kills them and removes the folder.
#[derive(Debug)]
pub(crate) struct GuestFolder {
    root: PathBuf,
    marker: String,
    medium: PathBuf,
    bytes: u64,
}

/// Where the machine keeps the guest's home, so that switching off can destroy it.
pub(crate) type HomeSlot = Arc<Mutex<Option<GuestFolder>>>;

impl GuestFolder {
    /// Lays the folder out inside `folder`, the board's. `so_far` tells how often fault knobs have struck before.
    pub(crate) fn make(
        config: &Config,
        folder: &Path,
        medium: &Path,
        so_far: &Counters,
    ) -> Result<Self, SimError> {
        let bytes = fs::metadata(medium).map_err(SimError::file("look at", medium))?.len();
        let marker = format!("SIM_BOARD_ID={:016x}", RandomState::new().build_hasher().finish());
        let home = Self { root: folder.join("guest"), marker, medium: medium.to_owned(), bytes };
        if home.root.exists() {
            fs::remove_dir_all(&home.root).map_err(SimError::file("remove", &home.root))?;
        }
        for name in FOLDERS {
            home.folder(name)?;
        }
        home.devices(config)?;
        home.control_files()?;
        home.tools(config, so_far)?;
        safety::give_tree_to_guest(&home.root)?;
        Ok(home)
    }

    /// The folder that is the guest's `/`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The environment entry that marks the guest's processes: name and value.
    pub(crate) fn marker(&self) -> (&str, &str) {
        self.marker.split_once('=').unwrap_or((&self.marker, ""))
    }

    /// Size of the medium, bytes.
    pub(crate) fn medium_bytes(&self) -> u64 {
        self.bytes
    }

    /// Kills what runs in it and removes it.
    pub(crate) fn destroy(self) -> Result<(), SimError> {
        kill_all(&self.marker, &self.root)
    }

    fn folder(&self, name: &str) -> Result<(), SimError> {
        let path = self.root.join(name);
        fs::create_dir_all(&path).map_err(SimError::file("make the folder", path))
    }

    /// Writes a new file. A link of that name is replaced: what it leads to is a tool of the host, and stays as it is.
    fn file(&self, name: &str, text: &str, mode: u32) -> Result<(), SimError> {
        let path = self.root.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(SimError::file("replace", &path)(error));
            }
            _ => {}
        }
        let mut file = fs::File::create_new(&path).map_err(SimError::file("write", &path))?;
        file.write_all(text.as_bytes()).map_err(SimError::file("write", &path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            .map_err(SimError::file("set the mode of", &path))
    }

    fn link(&self, target: impl AsRef<Path>, name: &str) -> Result<(), SimError> {
        let path = self.root.join(name);
        symlink(target, &path).map_err(SimError::file("make the link", path))
    }

    /// The medium under each of its names, and what /sys says of it.
    fn devices(&self, config: &Config) -> Result<(), SimError> {
        let mut partitions = "major minor  #blocks  name\n\n".to_owned();
        for (number, name) in config.block_names().iter().enumerate() {
            self.link(&self.medium, &format!("dev/{name}"))?;
            let mut addresses = config.block_addresses.iter();
            let address =
                addresses.find(|(_, kernel_name)| *kernel_name == name).map(|(address, _)| address.as_str());
            self.sysfs(name, number, address)?;
            if let Some(address) = address {
                self.link(format!("../../{name}"), &format!("dev/disk/by-path/platform-{address}.mmc"))?;
            }
            partitions.push_str(&format!("{:4} {:7} {:10} {name}\n", 179, number * 8, self.bytes / 1024));
            self.partitions(config, name)?;
        }
        self.link("/dev/tty", "dev/console")?;
        self.file("proc/partitions", &partitions, 0o644)
    }

    fn sysfs(&self, name: &str, number: usize, address: Option<&str>) -> Result<(), SimError> {
        let bus = match address {
            Some(address) => {
                format!("devices/platform/bus@f0000/{address}.mmc/mmc_host/mmc{number}/mmc{number}:0001")
            }
            None => format!("devices/platform/sim-{name}"),
        };
        let device = format!("{bus}/block/{name}");
        self.folder(&format!("sys/{device}"))?;
        self.file(&format!("sys/{device}/size"), &format!("{}\n", self.bytes / 512), 0o444)?;
        self.file(&format!("sys/{device}/ro"), "0\n", 0o444)?;
        self.file(&format!("sys/{device}/removable"), "0\n", 0o444)?;
        self.file(&format!("sys/{bus}/model"), "SIMMED\n", 0o444)?;
        self.file(&format!("sys/{bus}/name"), "SIMMED\n", 0o444)?;
        self.file(&format!("sys/{bus}/serial"), &format!("0x51b0a2d{number}\n"), 0o444)?;
        self.link("../..", &format!("sys/{device}/device"))?;
        self.link(format!("../../{device}"), &format!("sys/class/block/{name}"))?;
        self.link(format!("../{device}"), &format!("sys/block/{name}"))
    }

    /// The partitions of a disk as /sys tells them; their devices are files that say where they are on the medium.
    fn partitions(&self, config: &Config, disk: &str) -> Result<(), SimError> {
        for (index, part) in config.partitions.iter().filter(|part| part.disk == disk).enumerate() {
            let (number, name) = (index + 1, part.name(index + 1));
            let place = format!("sys/class/block/{disk}/{name}");
            let told =
                format!("DEVNAME={name}\nDEVTYPE=partition\nPARTN={number}\nPARTNAME={}\n", part.label);
            self.folder(&place)?;
            self.file(&format!("{place}/partition"), &format!("{number}\n"), 0o444)?;
            self.file(&format!("{place}/start"), &format!("{}\n", part.start.0 / 512), 0o444)?;
            self.file(&format!("{place}/size"), &format!("{}\n", part.size.0 / 512), 0o444)?;
            self.file(&format!("{place}/uevent"), &told, 0o444)?;
            self.link(format!("{disk}/{name}"), &format!("sys/class/block/{name}"))?;
            self.file(&format!("partitions/{name}"), &format!("{} {}\n", part.start.0, part.size.0), 0o444)?;
            self.link(self.root.join(format!("partitions/{name}")), &format!("dev/{name}"))?;
        }
        Ok(())
    }

    /// Where the guest's tools talk to the board.
    fn control_files(&self) -> Result<(), SimError> {
        for name in ["control", "proc/sys/vm/drop_caches"] {
            let path = self.root.join(name);
            mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR)
                .map_err(|error| SimError::file("make the pipe", &path)(error.into()))?;
        }
        self.file("proc/sys/kernel/printk", "7\t4\t1\t7\n", 0o644)?;
        self.file("etc/hostname", "sim\n", 0o644)
    }

    fn tools(&self, config: &Config, so_far: &Counters) -> Result<(), SimError> {
        let faults = &config.faults;
        let hidden = |name: &str| {
            let no_fetch = faults.no_network && ["wget", "curl"].contains(&name);
            let missing =
                [("wget", faults.wget_missing), ("curl", faults.curl_missing), ("bash", faults.bash_missing)];
            let left_out = config.without_tools.iter().any(|tool| tool == name);
            no_fetch || left_out || missing.contains(&(name, true))
        };
        for name in hosttools::ALLOWED.iter().filter(|name| !hidden(name)) {
            if let Some(path) = hosttools::find(name) {
                self.link(path, &format!("bin/{name}"))?;
            }
        }
        if config.bash {
            let bash = hosttools::find("bash").ok_or(SimError::Tools(vec!["bash"]))?;
            self.link(bash, hosttools::OWN_SHELL)?;
        }
        let scripts = tools::Scripts::new(config, &self.root, &self.medium, so_far)?;
        for (name, text) in scripts.all() {
            self.file(&format!("bin/{name}"), &text, 0o755)?;
        }
        self.file("functions", &scripts.functions(), 0o644)?;
        self.file("profile", &scripts.profile(&config.shell_prompt), 0o644)?;
        self.file("written", "0\n", 0o644)?;
        self.file("flips", &scripts.flips(), 0o644)
    }
}

impl Drop for GuestFolder {
    fn drop(&mut self) {
        // Destroyed before: nothing is left to kill. Otherwise this is the last chance, and no caller takes an error.
        kill_all(&self.marker, &self.root).ok();
        fs::remove_dir_all(&self.root).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_place_of_a_link_leaves_what_the_link_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let tool = folder.path().join("tool-of-the-host");
        fs::write(&tool, "theirs").unwrap();
        let root = folder.path().join("guest");
        fs::create_dir(&root).unwrap();
        let medium = folder.path().join("medium");
        let guest = GuestFolder {
            root: root.clone(),
            marker: "SIM_BOARD_ID=of-no-process".to_owned(),
            medium,
            bytes: 0,
        };
        guest.link(&tool, "tool").unwrap();
        guest.file("tool", "ours", 0o755).unwrap();
        assert_eq!(fs::read_to_string(&tool).unwrap(), "theirs");
        assert_eq!(fs::read_to_string(root.join("tool")).unwrap(), "ours");
        guest.file("tool", "ours again", 0o755).unwrap();
        assert_eq!(fs::read_to_string(root.join("tool")).unwrap(), "ours again");
    }
}
