//! A login session: what the shell prints, what its tools tell the board, how it ends.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::net::unix::pipe;
use tokio::time::{Interval, MissedTickBehavior};

use super::home::GuestFolder;
use super::login;
use super::rewrite::Rewrite;
use super::shell::{LOOK, Shell, ShellPlace};
use crate::error::SimError;
use crate::machine::{Machine, SystemEnd};

/// Priority of kernel messages that still reach the console (printk's default).
const LOUD: u32 = 7;
/// Messages of priority 6 (informational) are shown above this console level.
const INFORMATIONAL: u32 = 6;

type Pipe = Lines<BufReader<pipe::Receiver>>;

/// What lasts from login to login.
#[derive(Debug)]
pub(crate) struct GuestSession {
    place: ShellPlace,
    rewrite: Rewrite,
    control: Pipe,
    caches: Pipe,
    console_level: u32,
    kernel_messages: u64,
    hostile_lines: usize,
    /// A kernel message that comes in the middle of the next output.
    due: bool,
}

/// Why the shell is left.
enum ShellExit {
    LoggedOut,
    System(SystemEnd),
}

/// What happened next.
enum AfterLogin {
    Key(u8),
    Output(std::io::Result<usize>),
    Told(String),
    CachesDropped,
    KernelSpeaks,
    Hostile,
    Held,
    Fed,
    ShellEnded,
}

impl GuestSession {
    pub(crate) fn new(home: &GuestFolder, block: Vec<String>) -> Result<Self, SimError> {
        let root = home.root().to_owned();
        let (name, value) = home.marker();
        Ok(Self {
            rewrite: Rewrite::new(root.display().to_string(), block),
            control: open_pipe(root.join("control"))?,
            caches: open_pipe(root.join("proc/sys/vm/drop_caches"))?,
            place: ShellPlace {
                root,
                marker: (name.to_owned(), value.to_owned()),
                medium_bytes: home.medium_bytes(),
            },
            console_level: LOUD,
            kernel_messages: 0,
            hostile_lines: 0,
            due: false,
        })
    }

    /// Login after login, until the system ends.
    pub(crate) async fn run(&mut self, machine: &mut Machine) -> SystemEnd {
        loop {
            login::login(machine).await;
            match self.shell(machine).await {
                Ok(ShellExit::LoggedOut) => {}
                Ok(ShellExit::System(end)) => return end,
                Err(error) => return machine.panic(&error),
            }
        }
    }

    async fn shell(&mut self, machine: &mut Machine) -> Result<ShellExit, SimError> {
        let mut shell = Shell::start(&self.place)?;
        let mut ticks = kernel_ticks(machine.config.faults.kernel_lines);
        let mut hostile = kernel_ticks(machine.config.faults.linux.hostile_lines);
        let mut buffer = [0; 4096];
        loop {
            let next = tokio::select! {
                key = machine.keys.next() => AfterLogin::Key(key),
                count = shell.pty.read(&mut buffer) => AfterLogin::Output(count),
                Ok(Some(line)) = self.control.next_line() => AfterLogin::Told(line),
                Ok(Some(_)) = self.caches.next_line() => AfterLogin::CachesDropped,
                () = tick(&mut ticks) => AfterLogin::KernelSpeaks,
                () = tick(&mut hostile) => AfterLogin::Hostile,
                () = shell.hold.as_mut(), if shell.strip.holds() => AfterLogin::Held,
                () = tokio::time::sleep(LOOK), if !shell.queue.is_empty() => AfterLogin::Fed,
                _ = shell.child.wait() => AfterLogin::ShellEnded,
            };
            match next {
                AfterLogin::Key(key) => shell.key(key, machine, &self.rewrite),
                AfterLogin::Output(Ok(count @ 1..)) => {
                    let text = shell.strip(&buffer[..count]);
                    self.print(machine, text);
                }
                AfterLogin::Output(_) | AfterLogin::ShellEnded => {
                    shell.drain(machine, &mut buffer).await;
                    return Ok(ShellExit::LoggedOut);
                }
                AfterLogin::Told(line) => {
                    if let Some(end) = self.told(&line, machine) {
                        shell.drain(machine, &mut buffer).await;
                        return Ok(ShellExit::System(end));
                    }
                }
                AfterLogin::CachesDropped => machine.tally.count(|counters| counters.cache_drops += 1),
                AfterLogin::KernelSpeaks => self.kernel_speaks(machine),
                AfterLogin::Hostile => self.hostile(machine),
                AfterLogin::Held => self.print(machine, shell.strip.flush()),
                AfterLogin::Fed => {}
            }
            shell.feed().await?;
        }
    }

    /// What a tool of the guest tells the board; gives the system's end.
    fn told(&mut self, line: &str, machine: &Machine) -> Option<SystemEnd> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut end = None;
        machine.tally.count(|counters| match word {
            "reboot" => {
                counters.reboots += 1;
                end = Some((SystemEnd::Reset, "reboot: Restarting system"));
            }
            "poweroff" => {
                counters.poweroffs += 1;
                end = Some((SystemEnd::Off, "reboot: Power down"));
            }
            "wrote" => {
                counters.written_bytes += rest.parse::<u64>().unwrap_or(0);
                let limit = machine.config.faults.cut_power_after_bytes;
                if counters.power_cuts == 0 && limit.is_some_and(|limit| counters.written_bytes >= limit.0) {
                    counters.power_cuts += 1;
                    end = Some((SystemEnd::Off, ""));
                }
            }
            "cut" => {
                counters.power_cuts += 1;
                end = Some((SystemEnd::Off, ""));
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

    /// What no board means, and a broken line or an unkind one can send.
    fn hostile(&mut self, machine: &Machine) {
        const LINES: [&[u8]; 5] = [
            b"\x1b[2J\x1b[1;1H\x1b]0;title\x07\r\n",
            b"\0\0\0\xff\xfe\xc3\x28\r\n",
            b"\r\n=> \r\nsomewhere login: \r\n# \r\n",
            b"\x08\x08\x08\x7f\x1b[A\x1b[6n\r\n",
            b"\x9b31m\xe2\x80\xae evil \xe2\x80\xac\r\n",
        ];
        let line = LINES[self.hostile_lines % LINES.len()];
        self.hostile_lines += 1;
        machine.screen.write(line.to_vec());
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
