//! What people who look on cost: pages of a board with a console at 1 Mbaud, and the report of a large flash.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::measure::{self, median};
use super::overhead::{self, allow_all};
use xtask_support::workspace::Workspace;

/// Bytes a second of a console at 1 Mbaud with a start and a stop bit.
const CONSOLE: u64 = 100_000;
/// How long each number of watchers is measured, and left alone before.
const MEASURED: Duration = Duration::from_secs(20);
const SETTLING: Duration = Duration::from_secs(3);
/// Reports that are made, of which the median counts.
const REPORTS: usize = 9;

/// What is looked at.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Pages that are open at once
    #[arg(long, value_name = "N", default_value_t = 50)]
    watchers: usize,
    /// Size of the image whose flash is reported, GiB
    #[arg(long, value_name = "GIB", default_value_t = 7)]
    gib: u64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let root = Workspace::load()?.root;
    let flasher = measure::flasher(&root)?;
    let folder = std::env::temp_dir().join(format!("flasher-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let outcome =
        watched(&flasher, &folder, args.watchers).and_then(|()| reported(&flasher, &root, &folder, args.gib));
    fs::remove_dir_all(&folder)?;
    outcome
}

/// The exporter's processor time without a watcher, with one, and with many.
fn watched(flasher: &Path, folder: &Path, watchers: usize) -> Result<()> {
    let console = TcpListener::bind(("127.0.0.1", 0))?;
    let yaml = format!(
        "export:
  board:
    type: composite
    children:
      power: {{ type: power-mock }}
      serial: {{ type: serial, config: {{ url: 'socket://{}' }} }}
",
        console.local_addr()?
    );
    fs::write(folder.join("console.yaml"), yaml)?;
    thread::spawn(move || talk(&console));
    let exporter = Exporter::start(flasher, folder)?;
    // A page hears what the user of a line hears.
    let _user = Ended(user(flasher, folder)?);
    let mut open = Vec::new();
    let mut shares = Vec::new();
    for count in [0, 1, watchers] {
        while open.len() < count {
            open.push(Page::open(&exporter.address)?);
        }
        pause(SETTLING);
        let (begun, before, heard) = (Instant::now(), exporter.cpu()?, heard(&open));
        pause(MEASURED);
        let seconds = begun.elapsed().as_secs_f64();
        let share = (exporter.cpu()? - before) / seconds * 100.0;
        let each = (self::heard(&open) - heard) as f64 / seconds / 1000.0 / count.max(1) as f64;
        if count > 0 && each < 1.0 {
            bail!("the pages heard nothing of the console");
        }
        println!("{count} pages: {share:.1} % of a processor, each page gets {each:.0} kB/s");
        shares.push(share);
    }
    let more = shares.last().context("nothing was measured")? - shares[1];
    println!("\n{watchers} pages with a console of {CONSOLE} bytes a second:");
    println!("  more of a processor than one page      {more:6.1} % (goal: at most 10)");
    Ok(())
}

/// Waits this long, also when the thread is woken before.
fn pause(length: Duration) {
    let end = Instant::now() + length;
    while Instant::now() < end {
        thread::park_timeout(end.saturating_duration_since(Instant::now()));
    }
}

/// A user of the console who types nothing.
fn user(flasher: &Path, folder: &Path) -> Result<Child> {
    let mut command = Command::new(flasher);
    let remote = format!("unix:{}", folder.join("exporter.sock").display());
    command.current_dir(folder).args(["--remote", &remote, "console"]);
    Ok(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?)
}

/// A console that goes on and on, in lines as a kernel writes them.
fn talk(console: &TcpListener) {
    for stream in console.incoming() {
        let Ok(mut stream) = stream else { return };
        thread::spawn(move || {
            let begun = Instant::now();
            let mut sent = 0;
            loop {
                let due = (begun.elapsed().as_secs_f64() * CONSOLE as f64) as u64;
                while sent < due {
                    let line = format!(
                        "[{:>12.6}] mmc0: request done, {sent:016x} of it\r\n",
                        begun.elapsed().as_secs_f64()
                    );
                    if stream.write_all(line.as_bytes()).is_err() {
                        return; // the exporter has ended
                    }
                    sent += line.len() as u64;
                }
                thread::park_timeout(Duration::from_millis(5));
            }
        });
    }
}

/// A page of the board that is open, and reads all it gets.
struct Page {
    heard: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Page {
    fn open(address: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let request = format!("GET /board/board/events?from=0 HTTP/1.1\r\nhost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let page = Self { heard: Arc::default(), over: Arc::default() };
        let (heard, over) = (Arc::clone(&page.heard), Arc::clone(&page.over));
        thread::spawn(move || {
            let mut bytes = vec![0; 65_536];
            while !over.load(Ordering::Relaxed) {
                match stream.read(&mut bytes) {
                    Ok(0) => return,
                    Ok(length) => heard.fetch_add(length as u64, Ordering::Relaxed),
                    Err(_) => continue, // nothing for a second
                };
            }
        });
        Ok(page)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn heard(pages: &[Page]) -> u64 {
    pages.iter().map(|page| page.heard.load(Ordering::Relaxed)).sum()
}

/// `flasher serve --web`.
struct Exporter {
    process: Ended,
    /// `127.0.0.1:PORT`
    address: String,
    /// Kept open: an exporter whose messages are not read any more ends.
    _messages: BufReader<std::process::ChildStderr>,
}

impl Exporter {
    fn start(flasher: &Path, folder: &Path) -> Result<Self> {
        let mut command = Command::new(flasher);
        command.current_dir(folder).args(["--exporter", "console.yaml", "serve", "--web", "127.0.0.1:0"]);
        command.args(["--unix", "exporter.sock"]);
        command.env("XDG_STATE_HOME", folder.join("state"));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut messages = BufReader::new(child.stderr.take().context("no standard error")?);
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if messages.read_line(&mut line)? == 0 {
                bail!("the exporter ended: {said}");
            }
            if let Some(address) = line.trim().strip_prefix("web page at http://") {
                let address = address.trim_end_matches('/').to_owned();
                return Ok(Self { process: Ended(child), address, _messages: messages });
            }
            said.push_str(&line);
        }
    }

    /// Seconds it took of all processors so far.
    fn cpu(&self) -> Result<f64> {
        measure::cpu(&PathBuf::from(format!("/proc/{}/stat", self.process.0.id())), measure::Whose::Own)
    }
}

/// A process that is ended when dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok(); // it may have ended by itself
        self.0.wait().ok(); // the same
    }
}

/// Flashes a large image once; times the making of its report.
fn reported(flasher: &Path, root: &Path, folder: &Path, gib: u64) -> Result<()> {
    overhead::bench(root, folder, gib << 30)?;
    measure::image(&folder.join("image"), gib << 30, 40)?;
    fs::File::create(folder.join("medium"))?.set_len(gib << 30)?;
    allow_all(&folder.join("medium"))?;
    let mut flash = Command::new(flasher);
    flash.current_dir(folder).args([
        "--quiet",
        "--exporter",
        "exporter.yaml",
        "flash",
        "image",
        "--no-ledger",
    ]);
    flash.args(["--receipt", "receipt.json", "--transcript", "console.log"]);
    let cost = measure::run(&mut flash)?;
    let mut times = Vec::new();
    for _ in 0..REPORTS {
        let mut report = Command::new(flasher);
        report.current_dir(folder).args(["report", "receipt.json", "--html", "report.html"]);
        times.push(measure::run(&mut report)?.wall * 1e3);
    }
    let size = fs::metadata(folder.join("report.html"))?.len() as f64 / 1024.0;
    println!("\nthe report of a flash of {gib} GiB, 40 % data ({:.0} s):", cost.wall);
    println!("  made in, with start and end            {:6.1} ms (goal: at most 200)", median(times));
    println!("  size                                   {size:6.1} KiB (goal: at most 1024)");
    Ok(())
}
