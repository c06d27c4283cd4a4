//! `cargo xtask bench serial`: a line through the driver, recorded and watched, beside the same through pyserial.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use super::measure::median;
use xtask_support::workspace::Workspace;

/// What a flood moves, MiB.
const FLOOD: u64 = 50;
/// Bytes that go there and back one by one.
const PINGS: usize = 2000;
/// How often each is done.
const ROUNDS: usize = 3;
/// How long a board talks at 3 Mbaud, seconds.
const STEADY: u64 = 5;
/// `2026-11-25T08:30:00.123Z < `
const STAMP: usize = 27;
/// 3 Mbaud with 10 bits a byte, bytes a second.
const THREE_MBAUD: f64 = 300_000.0;

/// Reads the board's line: this driver, or pyserial.
struct Reader {
    name: &'static str,
    command: Vec<String>,
    /// Recorded where there is a recorder.
    recording: Option<PathBuf>,
}

/// Measures and prints.
pub(super) fn run() -> Result<()> {
    let root = Workspace::load()?.root;
    let bench = build(&root)?;
    let recording = std::env::temp_dir().join(format!("flasher-bench-{}.log", std::process::id()));
    let ours = Reader {
        name: "flasher",
        command: vec![bench.display().to_string(), "read".to_owned()],
        recording: Some(recording),
    };
    let script = root.join("xtask/bench/src/pyserial_peer.py").display().to_string();
    let pyserial = Reader { name: "pyserial", command: vec!["python3".to_owned(), script], recording: None };
    println!(
        "{:10} {:>12} {:>10} {:>12} {:>12} {:>12} {:>10}",
        "reader", "flood MB/s", "x 3 Mbaud", "p50 us", "p99 us", "max us", "peak MiB"
    );
    report(&ours, &bench)?;
    if Command::new("python3")
        .args(["-c", "import serial"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|it| it.success())
    {
        report(&pyserial, &bench)?;
    } else {
        println!("pyserial   skipped: python3 has no module `serial` (Debian: python3-serial)");
    }
    println!(
        "flood: {FLOOD} MiB; times: {PINGS} single bytes there and back; flasher is recorded and watched; medians of {ROUNDS} rounds"
    );
    Ok(())
}

fn build(root: &Path) -> Result<PathBuf> {
    let arguments = ["build", "--quiet", "--release", "-p", "driver-pyserial", "--example", "serial_bench"];
    if !xtask_support::workspace::cargo().args(arguments).current_dir(root).status()?.success() {
        bail!("the release build failed");
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release/examples/serial_bench"))
}

fn report(reader: &Reader, bench: &Path) -> Result<()> {
    let (mut rates, mut peaks, mut p50, mut p99, mut most) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let (said, count, peak) = session(reader, bench, &["flood", &FLOOD.to_string()])?;
        let bytes = (FLOOD << 20) + 1;
        if count != bytes {
            bail!("{}: {count} of {bytes} bytes arrived", reader.name);
        }
        recorded(reader)?;
        rates.push(bytes as f64 / said.trim().parse::<f64>()?);
        peaks.push(peak as f64 / 1024.0);
        let (said, ..) = session(reader, bench, &["ping", &PINGS.to_string()])?;
        recorded(reader)?;
        let times = said.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        let at = |percent: usize| {
            times.get(times.len() * percent / 100).or(times.last()).copied().unwrap_or(f64::NAN)
        };
        p50.push(at(50));
        p99.push(at(99));
        most.push(at(100));
    }
    let rate = median(rates);
    println!(
        "{:10} {:>12.1} {:>10.0} {:>12.0} {:>12.0} {:>12.0} {:>10.1}",
        reader.name,
        rate / 1e6,
        rate / THREE_MBAUD,
        median(p50),
        median(p99),
        median(most),
        median(peaks)
    );
    println!("{}", steady(reader, bench)?);
    Ok(())
}

/// What came in at 3 Mbaud for [`STEADY`] seconds, and what of it was recorded.
fn steady(reader: &Reader, bench: &Path) -> Result<String> {
    let (_, count, _) = session(reader, bench, &["steady", &STEADY.to_string()])?;
    let recorded = recorded(reader)?
        .map_or(String::new(), |(bytes, gaps)| format!(", {bytes} recorded with {gaps} gaps"));
    Ok(format!("{:10} {STEADY} s at 3 Mbaud: {count} bytes arrived{recorded}", reader.name))
}

/// Bytes of the board in the recording, and gaps it tells of; it is removed for the next round.
fn recorded(reader: &Reader) -> Result<Option<(usize, usize)>> {
    let Some(recording) = &reader.recording else { return Ok(None) };
    let text = std::fs::read(recording)?;
    std::fs::remove_file(recording)?;
    let gaps = text.windows(14).filter(|it| it == b"lines left out").count();
    // Each line begins with its time and a sign.
    let lines = text.iter().filter(|it| **it == b'\n').count();
    Ok(Some((text.len() - lines * STAMP, gaps)))
}

/// One board and one reader; gives what the board measured, and what the reader counted and needed.
fn session(reader: &Reader, bench: &Path, work: &[&str]) -> Result<(String, u64, u64)> {
    let mut board = Running::start(Command::new(bench).arg("board").args(work))?;
    let path = board.line()?;
    let mut command = Command::new(&reader.command[0]);
    command.args(&reader.command[1..]).arg(path.trim()).args(&reader.recording);
    let mut read = Running::start(&mut command)?;
    let said = board.line()?;
    let count = read.line()?.trim().parse().context("the reader's count")?;
    let peak = read.line()?.trim().parse().context("the reader's memory")?;
    Ok((said, count, peak))
}

/// A process that ends with this value.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let out = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self { child, out })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.out.read_line(&mut line)? == 0 {
            bail!("it ended early: {:?}", self.child.wait()?);
        }
        Ok(line)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, or is no longer wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
