//! What the system knows about ports: which there are, who holds one, which group may open one.

use std::fs;
use std::path::{Path, PathBuf};

/// Where ports are looked for, and what their names begin with.
const PLACES: [(&str, &str); 3] = [("/dev/serial/by-id", ""), ("/dev", "ttyUSB"), ("/dev", "ttyACM")];

/// The serial ports of this machine that adapters made, by name.
pub(crate) fn ports() -> Vec<String> {
    PLACES.iter().flat_map(|(folder, start)| names_in(Path::new(folder), start)).collect()
}

fn names_in(folder: &Path, start: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(start));
    let mut names: Vec<String> = names.map(|entry| entry.path().display().to_string()).collect();
    names.sort();
    names
}

/// Who has `port` open, as far as `/proc` may be read: a program with its process id, or this program itself.
pub(crate) fn of(port: &Path) -> Option<String> {
    holders(port).first().copied().map(described)
}

/// The same without this program itself.
pub(crate) fn other(port: &Path) -> Option<String> {
    holders(port).into_iter().find(|id| *id != std::process::id()).map(described)
}

fn holders(port: &Path) -> Vec<u32> {
    let (Ok(port), Ok(processes)) = (fs::canonicalize(port), fs::read_dir("/proc")) else {
        return Vec::new();
    };
    let ids = processes.flatten().filter_map(|process| {
        let id = process.file_name().to_str()?.parse::<u32>().ok()?;
        holds(&process.path().join("fd"), &port).then_some(id)
    });
    ids.collect()
}

fn holds(descriptors: &Path, port: &PathBuf) -> bool {
    let Ok(descriptors) = fs::read_dir(descriptors) else { return false };
    descriptors.flatten().any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|to| to == *port))
}

fn described(process: u32) -> String {
    if process == std::process::id() {
        return "this program itself".to_owned();
    }
    match fs::read_to_string(format!("/proc/{process}/comm")) {
        Ok(name) => format!("`{}` (process {process})", name.trim_end()),
        Err(_) => format!("process {process}"),
    }
}

/// Name of the group `gid`, or its number when `/etc/group` does not know it.
pub(crate) fn group(gid: u32) -> String {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let named = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(gid)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| gid.to_string())
}
