//! Ends everything the guest has started, also what has left its session and its process group.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::error::SimError;

/// Rounds of looking and killing, with a pause after each.
const ROUNDS: u32 = 300;
const PAUSE: Duration = Duration::from_millis(10);

/// Kills every process that carries `marker` in its environment or works inside `root`, until none is left.
pub(crate) fn kill_all(marker: &str, root: &Path) -> Result<(), SimError> {
    kill_those(|| those(|process| carries(&process.join("environ"), marker) || works_inside(process, root)))
}

/// The same with those that work inside `root` alone: what is left of a board whose program was killed. The folder may be gone.
pub(crate) fn kill_inside(root: &Path) -> Result<(), SimError> {
    kill_those(|| those(|process| works_inside(process, root)))
}

fn kill_those(look: impl Fn() -> Vec<Pid>) -> Result<(), SimError> {
    let mut left = Vec::new();
    let mut quiet = 0;
    for _ in 0..ROUNDS {
        left = look();
        if left.is_empty() {
            // A process that was just being forked shows up in the next look.
            quiet += 1;
            if quiet == 2 {
                return Ok(());
            }
            continue;
        }
        quiet = 0;
        for pid in &left {
            // One that has gone by itself meanwhile is as good.
            kill_process(*pid, Signal::KILL).ok();
        }
        std::thread::park_timeout(PAUSE);
    }
    Err(SimError::Survivors(left.len()))
}

/// Processes, by their folders in /proc, without this one.
fn those(is_one: impl Fn(&Path) -> bool) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let own = rustix::process::getpid();
    let pids = entries.flatten().filter_map(|entry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        (pid != own && is_one(&entry.path())).then_some(pid)
    });
    pids.collect()
}

fn works_inside(process: &Path, root: &Path) -> bool {
    fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(root))
}

/// Whether the environment in the file `environ` of /proc has exactly this entry.
fn carries(environ: &Path, marker: &str) -> bool {
    // Unreadable: of another user, or gone. A zombie's is empty.
    fs::read(environ)
        .is_ok_and(|bytes| bytes.split(|&byte| byte == 0).any(|entry| entry == marker.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn only_what_works_in_a_folder_that_is_gone_is_ended() {
        let place = tempfile::tempdir().unwrap();
        let (gone, other) = (place.path().join("board-1"), place.path().join("board-10"));
        let mut sleepers = [&gone, &other].map(|folder| {
            fs::create_dir_all(folder.join("guest")).unwrap();
            Command::new("sleep").arg("1000").current_dir(folder.join("guest")).spawn().unwrap()
        });
        fs::remove_dir_all(&gone).unwrap();
        // One that is ended and not waited for has no folder any more.
        kill_inside(&gone).unwrap();
        assert!(!sleepers[0].wait().unwrap().success());
        assert_eq!(sleepers[1].try_wait().unwrap(), None);
        sleepers[1].kill().unwrap();
        sleepers[1].wait().unwrap();
    }
}
