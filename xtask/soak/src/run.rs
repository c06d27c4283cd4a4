//! Runs the program as a process of its own, and has things happen to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::act::Act;
use crate::case::Moment;
use crate::clock;
use crate::folder::Folder;

/// How often is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(15);

/// What the program is given.
#[derive(Debug)]
pub(crate) struct Orders<'a> {
    pub(crate) program: &'a Path,
    pub(crate) words: Vec<String>,
    /// What comes out of the pipe, and whether it is closed then; no pipe when not given.
    pub(crate) pipe: Option<(Vec<u8>, bool)>,
    pub(crate) acts: Vec<(Moment, Act)>,
    /// Another image, packed like the right one.
    pub(crate) other: &'a [u8],
    /// It hangs when it takes longer.
    pub(crate) bound: Duration,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) process: u32,
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    /// What it printed on standard output, and on standard error.
    pub(crate) printed: String,
    pub(crate) errors: String,
    pub(crate) seconds: f64,
    pub(crate) hung: bool,
    /// Whether a signal was sent.
    pub(crate) signalled: bool,
}

/// Runs it to its end.
pub(crate) fn run(folder: &Folder, orders: Orders<'_>) -> Result<Ran> {
    let begun = Instant::now();
    let mut child = start(folder, &orders)?;
    let process = child.id();
    let pid = Pid::from_child(&child);
    feed(&mut child, orders.pipe.clone());
    let errors = child.stderr.take().context("no standard error")?;
    let errors = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        BufReader::new(errors).read_to_end(&mut bytes).ok();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let (sender, lines) = channel();
    let output = child.stdout.take().context("no standard output")?;
    std::thread::spawn(move || read_lines(output, &sender));
    let mut course =
        Course { folder, pid, orders: &orders, due: Vec::new(), signalled: false, printed: String::new() };
    let status = course.follow(&mut child, &lines, begun + orders.bound)?;
    let hung = status.is_none();
    if hung {
        kill_process_group(pid, Signal::KILL).ok();
    }
    let status = match status {
        Some(status) => status,
        None => child.wait()?,
    };
    let seconds = begun.elapsed().as_secs_f64();
    course.rest(&lines);
    Ok(Ran {
        process,
        code: status.code(),
        signal: status.signal(),
        printed: course.printed,
        errors: errors.join().unwrap_or_default(),
        seconds,
        hung,
        signalled: course.signalled,
    })
}

fn start(folder: &Folder, orders: &Orders<'_>) -> Result<Child> {
    let mut command = Command::new(orders.program);
    command.args(&orders.words).current_dir(folder.path("lab")).process_group(0).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("RUST_BACKTRACE", "1");
    if orders.acts.iter().any(|(_, act)| act.sets_clock())
        && let Some(library) = clock::library()
    {
        folder.write("clock", clock::offset(0).as_bytes(), 0o644)?;
        command.envs(clock::variables(&library, &folder.path("clock")));
    }
    for (name, place) in [
        ("HOME", "home"),
        ("TMPDIR", "tmp"),
        ("XDG_RUNTIME_DIR", "run"),
        ("XDG_STATE_HOME", "state"),
        ("XDG_CACHE_HOME", "home"),
        ("FLASHER_CACHE_DIR", "cache"),
    ] {
        command.env(name, folder.path(place));
    }
    let stdin = if orders.pipe.is_some() { Stdio::piped() } else { Stdio::null() };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().with_context(|| format!("`{}` did not start", orders.program.display()))
}

fn feed(child: &mut Child, pipe: Option<(Vec<u8>, bool)>) {
    let (Some(mut stdin), Some((bytes, closes))) = (child.stdin.take(), pipe) else { return };
    std::thread::spawn(move || {
        // A program that has seen enough closes its input.
        stdin.write_all(&bytes).ok();
        if !closes {
            std::thread::sleep(Duration::from_secs(600));
        }
    });
}

fn read_lines(output: impl std::io::Read, sender: &Sender<String>) {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
            return;
        }
        line.clear();
    }
}

/// The course of one run.
struct Course<'a> {
    folder: &'a Folder,
    pid: Pid,
    orders: &'a Orders<'a>,
    /// When what happens; each happens once.
    due: Vec<(usize, Instant)>,
    signalled: bool,
    printed: String,
}

impl Course<'_> {
    /// Until it ends; none when it does not by then.
    fn follow(
        &mut self,
        child: &mut Child,
        lines: &Receiver<String>,
        end: Instant,
    ) -> Result<Option<ExitStatus>> {
        loop {
            match lines.recv_timeout(LOOK) {
                Ok(line) => self.hear(&line),
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.act();
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > end {
                return Ok(None);
            }
        }
    }

    fn hear(&mut self, line: &str) {
        for (number, (moment, _)) in self.orders.acts.iter().enumerate() {
            let mark = format!("\"event\":\"step-begun\",\"step\":\"{}\"", moment.step);
            if line.contains(&mark) && self.due.iter().all(|(it, _)| *it != number) {
                self.due.push((number, Instant::now() + moment.after));
            }
        }
        self.printed.push_str(line);
    }

    fn act(&mut self) {
        let now = Instant::now();
        let ripe: Vec<usize> =
            self.due.iter().filter(|(_, at)| *at <= now).map(|(number, _)| *number).collect();
        for number in ripe {
            for due in self.due.iter_mut().filter(|(it, _)| *it == number) {
                // Far away: it happens once.
                due.1 = now + Duration::from_secs(1_000_000);
            }
            let act = &self.orders.acts[number].1;
            self.signalled |= act.is_signal();
            act.happen(self.pid, self.folder, self.orders.other);
        }
    }

    /// What was still in its output when it ended.
    fn rest(&mut self, lines: &Receiver<String>) {
        while let Ok(line) = lines.recv_timeout(Duration::from_secs(2)) {
            self.printed.push_str(&line);
        }
    }
}
