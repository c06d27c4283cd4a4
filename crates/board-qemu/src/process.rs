//! One child process that ends with us, whatever happens.
//!
//! A thread of its own starts it and waits for it. `PR_SET_PDEATHSIG` fires when the *thread* that started the child
//! ends, and threads of the runtime come and go; this one lives exactly as long as the child.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::{oneshot, watch};

use crate::error::QemuError;
use crate::host;

/// Bytes at the end of the child's messages that are shown.
const TAIL: u64 = 4096;

/// A running child. Dropping it kills the child.
#[derive(Debug)]
pub(crate) struct Process {
    id: u32,
    /// Names this very process, also after its id has been given to another one.
    handle: OwnedFd,
    ended: watch::Receiver<Option<String>>,
    messages: PathBuf,
}

impl Process {
    /// Starts `program`. What it says goes to the file `messages`.
    pub(crate) async fn start(
        program: &Path,
        arguments: Vec<OsString>,
        messages: &Path,
    ) -> Result<Self, QemuError> {
        let failed = |source| QemuError::Start { program: program.to_owned(), source };
        let output = File::create(messages).map_err(QemuError::file("create", messages))?;
        let command = command(program, arguments, output);
        let (started, start) = oneshot::channel();
        let (tell, ended) = watch::channel(None);
        thread::Builder::new()
            .name("qemu-keeper".to_owned())
            .spawn(move || keep(command, started, &tell))
            .map_err(failed)?;
        let (id, handle) = start.await.map_err(|_| QemuError::Worker)?.map_err(failed)?;
        Ok(Self { id, handle, ended, messages: messages.to_owned() })
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Kills it. One that has ended already stays ended.
    pub(crate) fn kill(&self) {
        // The only error there can be is that it is gone.
        pidfd_send_signal(&self.handle, Signal::KILL).ok();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// Waits until it has ended, and says how.
    pub(crate) async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(status) => status.clone().unwrap_or_default(),
            Err(_) => "an unknown status".to_owned(),
        }
    }

    /// The end of what it said.
    pub(crate) fn messages(&self) -> String {
        match tail(&self.messages) {
            Ok(text) if text.trim().is_empty() => "no message".to_owned(),
            Ok(text) => text.trim().replace('\n', "; "),
            Err(error) => format!("its messages are lost: {error}"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Its own process group: ^C on a terminal is for us, not for the board.
fn command(program: &Path, arguments: Vec<OsString>, output: File) -> Command {
    let mut command = match host::find(Path::new("setpriv")) {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.args(arguments).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
    command
}

type Started = io::Result<(u32, OwnedFd)>;

fn keep(mut command: Command, started: oneshot::Sender<Started>, tell: &watch::Sender<Option<String>>) {
    let (mut child, handle) = match spawn(&mut command) {
        Ok(both) => both,
        Err(error) => {
            started.send(Err(error)).ok();
            return;
        }
    };
    if started.send(Ok((child.id(), handle))).is_err() {
        // The caller has given up meanwhile.
        child.kill().ok();
    }
    let status = child.wait().map_or_else(|error| error.to_string(), |status: ExitStatus| status.to_string());
    tracing::debug!(process = child.id(), %status, "QEMU ended");
    tell.send_replace(Some(status));
}

fn spawn(command: &mut Command) -> io::Result<(Child, OwnedFd)> {
    let mut child = command.spawn()?;
    match handle(&child) {
        Ok(handle) => Ok((child, handle)),
        Err(error) => {
            child.kill()?;
            child.wait()?;
            Err(error)
        }
    }
}

/// Not reaped yet, so the id is still the child's.
fn handle(child: &Child) -> io::Result<OwnedFd> {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    Ok(pidfd_open(id.ok_or(io::ErrorKind::InvalidData)?, PidfdFlags::empty())?)
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
