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

/// Whether a device of these numbers is a terminal, which every serial port is; none when the kernel does not say.
pub(crate) fn is_terminal(major: u32, minor: u32) -> Option<bool> {
    fs::read_to_string("/proc/tty/drivers").ok().map(|drivers| is_listed(&drivers, major, minor))
}

/// A line has the driver's name, a path, a major number, and a minor number or two with `-` between.
fn is_listed(drivers: &str, major: u32, minor: u32) -> bool {
    drivers.lines().any(|line| {
        let mut words = line.split_whitespace().rev();
        let (_kind, minors, of) = (words.next(), words.next().unwrap_or_default(), words.next());
        let (first, last) = minors.split_once('-').unwrap_or((minors, minors));
        let range = first.parse().ok().zip(last.parse().ok());
        of.and_then(|it| it.parse().ok()) == Some(major)
            && range.is_some_and(|(first, last): (u32, u32)| (first..=last).contains(&minor))
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_what_the_kernel_lists_as_one() {
        let drivers = "/dev/tty             /dev/tty        5       0 system:/dev/tty\n\
                       usbserial            /dev/ttyUSB   188 0-511 serial\n\
                       serial               /dev/ttyS       4 64-95 serial\n\
                       pty_slave            /dev/pts      136 0-1048575 pty:slave\n";
        for (major, minor, expected) in [
            (188, 0, true),
            (188, 511, true),
            (188, 512, false),
            (4, 63, false),
            (4, 64, true),
            (1, 3, false),
            (5, 0, true),
        ] {
            assert_eq!(is_listed(drivers, major, minor), expected, "{major}:{minor}");
        }
        assert!(!is_listed("", 1, 3) && !is_listed("nonsense\n1 2\n", 1, 2));
    }
}
