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
    let mut left = Vec::new();
    let mut quiet = 0;
    for _ in 0..ROUNDS {
        left = marked(marker, root);
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

fn marked(marker: &str, root: &Path) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let own = rustix::process::getpid();
    let pids = entries.flatten().filter_map(|entry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        let folder = entry.path();
        let works_inside = || fs::read_link(folder.join("cwd")).is_ok_and(|cwd| cwd.starts_with(root));
        (pid != own && (carries(&folder.join("environ"), marker) || works_inside())).then_some(pid)
    });
    pids.collect()
}

/// Whether the environment in the file `environ` of /proc has exactly this entry.
fn carries(environ: &Path, marker: &str) -> bool {
    // Unreadable: of another user, or gone. A zombie's is empty.
    fs::read(environ)
        .is_ok_and(|bytes| bytes.split(|&byte| byte == 0).any(|entry| entry == marker.as_bytes()))
}
