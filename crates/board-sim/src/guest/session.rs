//! A login session: the shell on its pty, the board's line discipline before it, and what its tools tell the board.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use pty_process::{Pts, Pty};
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::unix::pipe;
use tokio::process::Child;
use tokio::time::{Interval, MissedTickBehavior, Sleep};

use super::discipline::{Discipline, Typed};
use super::home::Home;
use super::rewrite::Rewrite;
use super::strip::Strip;
use super::{End, hosttools, login, safety};
use crate::error::SimError;
use crate::machine::Machine;

/// How long a piece of output that may be the beginning of a path is held back.
const HOLD: Duration = Duration::from_millis(15);
/// Between two looks whether the shell has taken a line.
const LOOK: Duration = Duration::from_millis(1);
/// Output that comes after the shell has ended is waited for this long.
const LINGER: Duration = Duration::from_millis(30);
/// Priority of kernel messages that still reach the console (printk's default).
const LOUD: u32 = 7;
/// Messages of priority 6 (informational) are shown above this console level.
const INFORMATIONAL: u32 = 6;

type Pipe = Lines<BufReader<pipe::Receiver>>;

/// What lasts from login to login.
#[derive(Debug)]
pub(crate) struct Session {
    root: PathBuf,
    marker: (String, String),
    medium_bytes: u64,
    rewrite: Rewrite,
    control: Pipe,
    caches: Pipe,
    console_level: u32,
    kernel_messages: u64,
    /// A kernel message that comes in the middle of the next output.
    due: bool,
}

/// Why the shell is left.
enum Left {
    LoggedOut,
    System(End),
}

/// What happened next.
enum Next {
    Key(u8),
    Output(std::io::Result<usize>),
    Told(String),
    CachesDropped,
    KernelSpeaks,
    Held,
    Fed,
    ShellEnded,
}

impl Session {
    pub(crate) fn new(home: &Home, block: Vec<String>) -> Result<Self, SimError> {
        let root = home.root().to_owned();
        let (name, value) = home.marker();
        Ok(Self {
            rewrite: Rewrite::new(root.display().to_string(), block),
            control: open_pipe(root.join("control"))?,
            caches: open_pipe(root.join("proc/sys/vm/drop_caches"))?,
            marker: (name.to_owned(), value.to_owned()),
            medium_bytes: home.medium_bytes(),
            root,
            console_level: LOUD,
            kernel_messages: 0,
            due: false,
        })
    }

    /// Login after login, until the system ends.
    pub(crate) async fn run(&mut self, machine: &mut Machine) -> End {
        loop {
            login::login(machine).await;
            match self.shell(machine).await {
                Ok(Left::LoggedOut) => {}
                Ok(Left::System(end)) => return end,
                Err(error) => return super::panic_screen(machine, &error),
            }
        }
    }

    async fn shell(&mut self, machine: &mut Machine) -> Result<Left, SimError> {
        let mut shell = Shell::start(self)?;
        let mut ticks = kernel_ticks(machine.config.faults.kernel_lines);
        let mut buffer = [0; 4096];
        loop {
            let next = tokio::select! {
                key = machine.keys.next() => Next::Key(key),
                count = shell.pty.read(&mut buffer) => Next::Output(count),
                Ok(Some(line)) = self.control.next_line() => Next::Told(line),
                Ok(Some(_)) = self.caches.next_line() => Next::CachesDropped,
                () = tick(&mut ticks) => Next::KernelSpeaks,
                () = shell.hold.as_mut(), if shell.strip.holds() => Next::Held,
                () = tokio::time::sleep(LOOK), if !shell.queue.is_empty() => Next::Fed,
                _ = shell.child.wait() => Next::ShellEnded,
            };
            match next {
                Next::Key(key) => shell.key(key, machine, &self.rewrite),
                Next::Output(Ok(count @ 1..)) => {
                    let text = shell.strip(&buffer[..count]);
                    self.print(machine, text);
                }
                Next::Output(_) | Next::ShellEnded => {
                    shell.drain(machine, &mut buffer).await;
                    return Ok(Left::LoggedOut);
                }
                Next::Told(line) => {
                    if let Some(end) = self.told(&line, machine) {
                        shell.drain(machine, &mut buffer).await;
                        return Ok(Left::System(end));
                    }
                }
                Next::CachesDropped => machine.tally.count(|counters| counters.cache_drops += 1),
                Next::KernelSpeaks => self.kernel_speaks(machine),
                Next::Held => self.print(machine, shell.strip.flush()),
                Next::Fed => {}
            }
            shell.feed().await?;
        }
    }

    /// What a tool of the guest tells the board; gives the system's end.
    fn told(&mut self, line: &str, machine: &Machine) -> Option<End> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut end = None;
        machine.tally.count(|counters| match word {
            "reboot" => {
                counters.reboots += 1;
                end = Some((End::Reset, "reboot: Restarting system"));
            }
            "poweroff" => {
                counters.poweroffs += 1;
                end = Some((End::Off, "reboot: Power down"));
            }
            "wrote" => {
                counters.written_bytes += rest.parse::<u64>().unwrap_or(0);
                let limit = machine.config.faults.cut_power_after_bytes;
                if counters.power_cuts == 0 && limit.is_some_and(|limit| counters.written_bytes >= limit.0) {
                    counters.power_cuts += 1;
                    end = Some((End::Off, ""));
                }
            }
            "flip" => counters.flips += 1,
            "date" => counters.date = Some(rest.to_owned()),
            "printk" => self.console_level = rest.trim().parse().unwrap_or(self.console_level),
            _ => {}
        });
        let (end, words) = end?;
        if !words.is_empty() {
            machine.screen.print(&format!("[   99.000000] {words}\n"));
        }
        Some(end)
    }

    fn kernel_speaks(&mut self, machine: &Machine) {
        if self.console_level <= INFORMATIONAL {
            return;
        }
        self.kernel_messages += 1;
        self.due = self.kernel_messages.is_multiple_of(2);
        if !self.due {
            machine.screen.write(self.kernel_message(machine));
        }
    }

    fn kernel_message(&self, machine: &Machine) -> Vec<u8> {
        machine.tally.count(|counters| counters.kernel_lines += 1);
        format!("[   42.{:06}] mmc0: tuning execution # {}\r\n", self.kernel_messages, self.kernel_messages)
            .into_bytes()
    }

    /// Prints output of the guest, a kernel message in its middle when one is due.
    fn print(&mut self, machine: &Machine, mut text: Vec<u8>) {
        if self.due && text.len() > 1 {
            self.due = false;
            let middle = text.len() / 2;
            text.splice(middle..middle, self.kernel_message(machine));
        }
        machine.screen.write(text);
    }
}

/// The shell, its pty, and what is on the way to it.
struct Shell {
    pty: Pty,
    pts: Pts,
    child: Child,
    discipline: Discipline,
    /// Lines the shell has not been given yet, and how much of the first one it has.
    queue: VecDeque<Vec<u8>>,
    sent: usize,
    strip: Strip,
    hold: Pin<Box<Sleep>>,
}

impl Shell {
    fn start(session: &Session) -> Result<Self, SimError> {
        let failed = |error: pty_process::Error| SimError::file("start", "sh")(std::io::Error::other(error));
        let (pty, pts) = pty_process::open().map_err(failed)?;
        hand_over_discipline(&pty).map_err(SimError::file("set up", "pty"))?;
        let program = hosttools::shell().ok_or(SimError::Tools(vec!["sh"]))?;
        let root = &session.root;
        let line = start_line(&program, session.medium_bytes);
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
            .env(&session.marker.0, &session.marker.1)
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
            queue: VecDeque::new(),
            sent: 0,
            strip: Strip::new(&root),
            hold: Box::pin(tokio::time::sleep(HOLD)),
        })
    }

    fn key(&mut self, key: u8, machine: &Machine, rewrite: &Rewrite) {
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
                let mut line = rewrite.line(&line);
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

    /// Sends SIGINT to what runs in the foreground. It may just have ended: then there is nobody to interrupt.
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
    async fn feed(&mut self) -> Result<(), SimError> {
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

    fn strip(&mut self, output: &[u8]) -> Vec<u8> {
        self.hold.as_mut().reset(tokio::time::Instant::now() + HOLD);
        self.strip.feed(output)
    }

    /// Prints what is still on the way.
    async fn drain(&mut self, machine: &Machine, buffer: &mut [u8]) {
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
    let program = program.display();
    // bash would edit and echo lines itself.
    let plain = if hosttools::is_bash() { "--noediting " } else { "" };
    format!("trap '' XFSZ; ulimit -f {}; exec '{program}' {plain}-i", medium_bytes.div_ceil(512))
}

fn open_pipe(path: PathBuf) -> Result<Pipe, SimError> {
    // Open for writing too: it never ends.
    let pipe = pipe::OpenOptions::new().read_write(true).open_receiver(&path);
    Ok(BufReader::new(pipe.map_err(SimError::file("open", path))?).lines())
}

fn kernel_ticks(every: Option<u64>) -> Option<Interval> {
    let mut interval = tokio::time::interval(Duration::from_millis(every?.max(1)));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval.reset();
    Some(interval)
}

async fn tick(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => {
            ticks.tick().await;
        }
        None => std::future::pending().await,
    }
}
