//! The shell on its pty, the board's line discipline before it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use pty_process::{Pts, Pty};
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::time::Sleep;

use super::discipline::{Discipline, Typed};
use super::lengths::Lengths;
use super::rewrite::Rewrite;
use super::strip::Strip;
use super::{hosttools, safety};
use crate::error::SimError;
use crate::machine::Machine;

/// How long a piece of output that may be the beginning of a path is held back.
const HOLD: Duration = Duration::from_millis(15);
/// Between two looks whether the shell has taken a line.
pub(super) const LOOK: Duration = Duration::from_millis(1);
/// Output that comes after the shell has ended is waited for this long.
const LINGER: Duration = Duration::from_millis(30);

/// Where a shell runs.
#[derive(Debug)]
pub(super) struct ShellPlace {
    /// The guest's `/`.
    pub(super) root: PathBuf,
    /// What marks its processes in their environment: name and value.
    pub(super) marker: (String, String),
    /// Size of the medium, bytes.
    pub(super) medium_bytes: u64,
}

/// The shell, its pty, and what is on the way to it.
pub(super) struct Shell {
    pub(super) pty: Pty,
    pts: Pts,
    pub(super) child: Child,
    discipline: Discipline,
    lengths: Lengths,
    /// Lines the shell has not been given yet, and how much of the first one it has.
    pub(super) queue: VecDeque<Vec<u8>>,
    sent: usize,
    pub(super) strip: Strip,
    pub(super) hold: Pin<Box<Sleep>>,
}

impl Shell {
    /// Starts it.
    ///
    /// # Errors
    /// When the host has no shell, no pty, or does not let it start.
    pub(super) fn start(place: &ShellPlace) -> Result<Self, SimError> {
        let failed = |error: pty_process::Error| SimError::file("start", "sh")(std::io::Error::other(error));
        let (pty, pts) = pty_process::open().map_err(failed)?;
        hand_over_discipline(&pty).map_err(SimError::file("set up", "pty"))?;
        let root = &place.root;
        let program = hosttools::shell(root).ok_or(SimError::Tools(vec!["sh"]))?;
        let line = start_line(&program, place.medium_bytes);
        let mut command = pty_process::Command::new(&program).args(["-c", &line]).env_clear();
        if safety::is_root() {
            command = command.uid(safety::NOBODY).gid(safety::NOBODY);
        }
        let child = command
            .envs([
                ("PATH", root.join("bin")),
                ("HOME", root.join("root")),
                ("TMPDIR", root.join("tmp")),
                ("ENV", root.join("profile")),
            ])
            .env(&place.marker.0, &place.marker.1)
            .env("TERM", "vt102")
            .current_dir(root.join("root"))
            .kill_on_drop(true)
            .spawn_borrowed(&pts)
            .map_err(failed)?;
        let root = root.display().to_string();
        Ok(Self {
            pty,
            pts,
            child,
            discipline: Discipline::default(),
            lengths: Lengths::default(),
            queue: VecDeque::new(),
            sent: 0,
            strip: Strip::new(&root),
            hold: Box::pin(tokio::time::sleep(HOLD)),
        })
    }

    pub(super) fn key(&mut self, key: u8, machine: &Machine, rewrite: &Rewrite) {
        let echo = tcgetattr(&self.pty).is_ok_and(|modes| modes.local_modes.contains(LocalModes::ECHO));
        let show = |text: &[u8]| {
            if echo {
                machine.screen.write(text.to_vec())
            }
        };
        match self.discipline.take(key) {
            Typed::Echo(text) => show(&text),
            Typed::Line(line) => {
                show(b"\r\n");
                let mut line = self.lengths.mend(&line, rewrite.line(&line));
                line.push(b'\n');
                self.queue.push_back(line);
            }
            Typed::Interrupt => {
                show(b"^C\r\n");
                self.queue.clear();
                self.sent = 0;
                self.interrupt();
            }
            Typed::End if self.shell_waits() => self.queue.push_back(b"exit\n".to_vec()),
            Typed::End => {}
        }
    }

    /// Sends SIGINT to what runs in the foreground. It may just have ended: then there is no process to interrupt.
    fn interrupt(&self) {
        if let Ok(group) = tcgetpgrp(&self.pty) {
            kill_process_group(group, Signal::INT).ok();
        }
    }

    fn shell_waits(&self) -> bool {
        tcgetpgrp(&self.pty).ok() == self.pid()
    }

    fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()))
    }

    /// Gives the shell what it can take now. The next line waits until it has read the one before, as it would from a
    /// terminal in canonical mode; but a line may be longer than such a terminal's 4095 characters.
    pub(super) async fn feed(&mut self) -> Result<(), SimError> {
        let failed = |error| SimError::file("type into", "sh")(error);
        while let Some(line) = self.queue.front() {
            if self.sent == 0 && rustix::io::ioctl_fionread(&self.pts).is_ok_and(|waiting| waiting > 0) {
                return Ok(());
            }
            let room = tokio::time::timeout(LOOK, self.pty.write(&line[self.sent..])).await;
            let Ok(count) = room else { return Ok(()) };
            self.sent += count.map_err(failed)?;
            if self.sent >= line.len() {
                self.queue.pop_front();
                self.sent = 0;
            }
        }
        Ok(())
    }

    pub(super) fn strip(&mut self, output: &[u8]) -> Vec<u8> {
        self.hold.as_mut().reset(tokio::time::Instant::now() + HOLD);
        self.strip.feed(output)
    }

    /// Prints what is still on the way.
    pub(super) async fn drain(&mut self, machine: &Machine, buffer: &mut [u8]) {
        while let Ok(Ok(count @ 1..)) = tokio::time::timeout(LINGER, self.pty.read(buffer)).await {
            let text = self.strip(&buffer[..count]);
            machine.screen.write(text);
        }
        machine.screen.write(self.strip.flush());
    }
}

/// Leaves echo and control characters to the board: EXTPROC makes the kernel pass everything through while its flags
/// still say what programs want, such as no echo.
fn hand_over_discipline(pty: &Pty) -> std::io::Result<()> {
    let mut modes = tcgetattr(pty)?;
    modes.local_modes.remove(LocalModes::ICANON);
    modes.local_modes.insert(LocalModes::EXTPROC | LocalModes::ECHO | LocalModes::ISIG);
    Ok(tcsetattr(pty, OptionalActions::Now, &modes)?)
}

/// Starts the interactive shell with a limit: no file of the guest grows beyond the medium, so that the medium itself
/// does not either. `ulimit -f` counts in 512 bytes (POSIX); a write beyond it is an error, no signal.
fn start_line(program: &Path, medium_bytes: u64) -> String {
    // bash would edit and echo lines itself.
    let plain = if hosttools::is_bash(program) { "--noediting " } else { "" };
    let program = program.display();
    format!("trap '' XFSZ; ulimit -f {}; exec '{program}' {plain}-i", medium_bytes.div_ceil(512))
}
