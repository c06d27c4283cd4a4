//! Network and process namespaces of a command's own: no packet leaves them, and all that was started inside ends with it.
//!
//! `unshare` (util-linux) makes them. The first process inside is a shell that brings `lo` up and waits for the command:
//! the kernel keeps signals from a namespace's first process unless it handles them, so the command must not be that one.
//! `setpriv --pdeathsig` makes the namespaces end also when this process is killed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use flasher_core::{Class, Error, Result};
use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::host::{self, IP, SETPRIV, UNSHARE};
use crate::signals::Signals;

/// In the environment of everything that runs inside.
const MARK: &str = "FLASHER_SANDBOX";
/// Bound on making namespaces.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a signal is tried on a command that has not begun.
const AGAIN: Duration = Duration::from_millis(20);
/// `$1` is the program `ip`, the rest the command. The last line keeps the shell from being replaced by the command.
const INIT: &str = "ip=$1; shift\n\"$ip\" link set lo up || exit $?\n\"$@\"\nexit $?";

/// Whether this process runs inside, as far as its environment tells.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(MARK).is_some()
}

/// What the sandbox needs of this machine.
pub(crate) const NEEDS: [host::Need; 3] = [UNSHARE, SETPRIV, IP];

/// Runs a command inside, with `environment` added to its own; gives its exit code, or 128 and the number of the signal
/// that ended it. Signals that ask a process to end are passed on to the command, which decides what they mean.
///
/// # Errors
/// When tools are missing, or this machine refuses namespaces.
pub(crate) async fn run(command: &[OsString], environment: &[(&str, &OsStr)]) -> Result<u8> {
    let tools = probe().await?;
    let mut all = tools.command(command);
    all.envs(environment.iter().copied());
    let shares_terminal = is_foreground();
    if !shares_terminal {
        all.process_group(0); // a signal for our whole group must not come twice
    }
    let broken = |error| Error::infrastructure("cannot run a command in the sandbox").because(error);
    // Before the command begins, so that none is missed.
    let mut signals = Signals::install().map_err(broken)?;
    let mut child = all.spawn().map_err(broken)?;
    let mut pending = None;
    loop {
        tokio::select! {
            ended = child.wait() => return ended.map(code).map_err(broken),
            signal = signals.next_signal() => {
                // What the terminal gave to the command already must not take the place of one that waits.
                let is_there = shares_terminal && comes_from_terminal(signal);
                pending = if is_there { pending } else { Some(signal) };
            }
            () = tokio::time::sleep(AGAIN), if pending.is_some() => {}
        }
        if let Some(signal) = pending
            && pass_on(&mut child, signal).map_err(broken)?
        {
            pending = None;
        }
    }
}

/// Fails where [`run`] would: tools are missing, or this machine refuses namespaces.
///
/// # Errors
/// Names what is missing, or what `unshare` said.
pub(crate) async fn check() -> Result<()> {
    probe().await.map(drop)
}

/// The tools, in the first way of using them that works here.
async fn probe() -> Result<Tools> {
    let mut tools = Tools::find()?;
    let Err(first) = tools.try_out().await else { return Ok(tools) };
    tools.propagation = Propagation::Unchanged;
    if is_mount_point("/proc") && tools.try_out().await.is_ok() { Ok(tools) } else { Err(first) }
}

/// What `unshare` does with the mounts of the new namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Propagation {
    /// All become private, from the root on.
    Private,
    /// They stay as they are: the root of a plain chroot is no mount point, so it cannot become private. `unshare` makes
    /// `/proc` private before it mounts another one there, so nothing reaches the machine outside.
    Unchanged,
}

fn is_mount_point(path: &str) -> bool {
    let parent = std::path::Path::new(path).join("..");
    let device = |path: &std::path::Path| std::fs::metadata(path).map(|it| it.dev()).ok();
    device(path.as_ref()).zip(device(&parent)).is_some_and(|(own, above)| own != above)
}

/// Programs of this machine.
#[derive(Debug)]
struct Tools {
    unshare: PathBuf,
    setpriv: PathBuf,
    ip: PathBuf,
    propagation: Propagation,
}

impl Tools {
    fn find() -> Result<Self> {
        host::require("the sandbox", &NEEDS)?;
        let path = |need: host::Need| host::find(need.name).unwrap_or_else(|| need.name.into());
        let propagation = Propagation::Private;
        Ok(Self { unshare: path(UNSHARE), setpriv: path(SETPRIV), ip: path(IP), propagation })
    }

    /// A sandbox with `command` in it.
    fn command(&self, command: &[OsString]) -> Command {
        let mut all = Command::new(&self.setpriv);
        all.args(["--pdeathsig", "KILL"]).arg(&self.unshare);
        if !rustix::process::geteuid().is_root() {
            all.args(["--user", "--map-root-user"]);
        }
        all.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        if self.propagation == Propagation::Unchanged {
            all.args(["--propagation", "unchanged"]);
        }
        all.args(["sh", "-c", INIT, "flasher sandbox"]).arg(&self.ip).args(command);
        all.env(MARK, "1").kill_on_drop(true);
        all
    }

    /// Makes a sandbox in which nothing happens, so that what goes wrong with it is not taken for the command's doing.
    async fn try_out(&self) -> Result<()> {
        let mut trial = self.command(&["true".into()]);
        trial.stdin(Stdio::null()).env("LC_ALL", "C");
        let output = match timeout(PATIENCE, trial.output()).await {
            Ok(output) => output.map_err(|error| refused(&error.to_string()))?,
            Err(_) => return Err(refused(&format!("no end within {} s", PATIENCE.as_secs()))),
        };
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(()) } else { Err(refused(said.trim())) }
    }
}

fn refused(why: &str) -> Error {
    let help = "run as root, or allow namespaces: a container needs the capability SYS_ADMIN, a user without privilege \
                the sysctls `user.max_user_namespaces` and, where it exists, `kernel.unprivileged_userns_clone`; \
                the tools are of the Debian packages util-linux and iproute2";
    Error::new(Class::Infrastructure, format!("this machine refuses network and process namespaces: {why}"))
        .help(help)
        .retryable(false)
}

/// Whether our process group has the terminal. ^C then reaches the command without our help, which must stay in that
/// group to read from the terminal.
fn is_foreground() -> bool {
    let terminal = File::open("/dev/tty").ok();
    let foreground = terminal.and_then(|terminal| rustix::termios::tcgetpgrp(terminal).ok());
    // Asked for only with a terminal at hand: in a container our group may be somebody's outside, and has no number here.
    foreground.is_some_and(|group| group == rustix::process::getpgrp())
}

/// Whether a terminal sends it to all of its foreground: at ^C, at ^\, and when it is closed.
fn comes_from_terminal(signal: Signal) -> bool {
    [Signal::INT, Signal::QUIT, Signal::HUP].contains(&signal)
}

/// Sends the signal to the command; false when it has not begun. Ends everything when the kernel does not tell which
/// process the command is (it was built without `CONFIG_PROC_CHILDREN`).
fn pass_on(child: &mut Child, signal: Signal) -> io::Result<bool> {
    let Some(unshare) = child.id() else { return Ok(true) };
    let Ok(init) = oldest_child(unshare) else {
        child.start_kill()?;
        return Ok(true);
    };
    let command = init.and_then(|init| oldest_child(init).ok().flatten());
    match command.map(|command| rustix::process::kill_process(command, signal)) {
        None => Ok(false),
        Some(Ok(()) | Err(rustix::io::Errno::SRCH)) => Ok(true),
        Some(Err(error)) => Err(error.into()),
    }
}

/// The kernel lists children by age (proc(5)), and what the namespace's first process inherits comes behind its own.
fn oldest_child(process: impl std::fmt::Display) -> io::Result<Option<Pid>> {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children"))?;
    Ok(children.split_whitespace().next().and_then(|id| id.parse().ok()).and_then(Pid::from_raw))
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_who_refused_and_what_to_do() {
        let error = refused("unshare: unshare failed: Operation not permitted");
        assert_eq!(
            error.to_string(),
            "this machine refuses network and process namespaces: unshare: unshare failed: Operation not permitted"
        );
        assert_eq!((error.class().exit_code(), error.is_retryable()), (4, false));
        let help = error.next_step().unwrap();
        assert!(help.ends_with("the tools are of the Debian packages util-linux and iproute2"), "{help}");
    }

    #[test]
    fn the_end_of_a_command_becomes_an_exit_code() {
        for (raw, expected) in [(0, 0), (7 << 8, 7), (9, 137), (15, 143)] {
            assert_eq!(code(ExitStatus::from_raw(raw)), expected, "{raw}");
        }
    }
}
