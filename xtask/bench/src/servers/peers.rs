//! The servers that are compared: how each is started, and what it costs.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::bench::Bench;
use super::tftp_client;
use xtask_support::programs::{has_program, succeed};

/// Ticks of the processor clock a second, as Linux tells them to programs.
const TICKS: f64 = 100.0;
/// How long a server may take to answer for the first time.
const START: Duration = Duration::from_secs(10);
/// How long a server may take to end before it is killed.
const END: Duration = Duration::from_secs(3);

/// A server that is not running.
pub(super) struct Peer {
    pub(super) name: String,
    command: Vec<String>,
    pub(super) address: SocketAddr,
}

/// A server that runs; dropping it ends it.
pub(super) struct Running {
    child: Child,
}

fn peer(name: impl Into<String>, port: u16, command: &[&str]) -> Peer {
    let address = (Ipv4Addr::LOCALHOST, port).into();
    Peer { name: name.into(), command: command.iter().map(|word| (*word).to_owned()).collect(), address }
}

/// The TFTP servers that are there; ours first.
pub(super) fn tftp(bench: &Bench) -> Vec<Peer> {
    let root = bench.root().display().to_string();
    let flasher = bench.flasher.display().to_string();
    let mut peers = vec![peer(
        "flasher",
        7001,
        &[&flasher, "--json", "files", &root, "--tftp", "127.0.0.1:7001", "--http", "off"],
    )];
    let at = |path: &str| bench.peers.join(path).display().to_string();
    let (hpa, atftpd, rs) =
        (at("tftpd-hpa/usr/sbin/in.tftpd"), at("atftpd/usr/sbin/atftpd"), at("rs-tftpd/bin/tftpd"));
    let version = |program: &str, argument: &str| version(program, &[argument]);
    let others = [
        peer(
            format!("tftpd-hpa {}", version(&hpa, "-V")),
            7002,
            &[&hpa, "-L", "-u", "root", "-a", "127.0.0.1:7002", "-s", &root],
        ),
        peer(
            format!("atftpd {}", version(&atftpd, "--version")),
            7003,
            &[
                &atftpd,
                "--daemon",
                "--no-fork",
                "--user",
                "root.root",
                "--port",
                "7003",
                "--bind-address",
                "127.0.0.1",
                &root,
            ],
        ),
        peer(
            format!("dnsmasq {}", version("dnsmasq", "--version")),
            69,
            &[
                "dnsmasq",
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--port=0",
                "--enable-tftp",
                "--user=root",
                "--listen-address=127.0.0.1",
                "--pid-file=",
                &format!("--tftp-root={root}"),
            ],
        ),
        peer("rs-tftpd 1.0.0", 7005, &[&rs, "-i", "127.0.0.1", "-p", "7005", "-r", "-d", &root]),
    ];
    peers.extend(others.into_iter().filter(|peer| !bench.alone && peer.is_there()));
    peers
}

/// The HTTP servers that are there; ours first.
pub(super) fn http(bench: &Bench) -> Result<Vec<Peer>> {
    let root = bench.root().display().to_string();
    let flasher = bench.flasher.display().to_string();
    let mut peers = vec![peer(
        "flasher",
        7101,
        &[&flasher, "--json", "files", &root, "--tftp", "off", "--http", "127.0.0.1:7101"],
    )];
    let conf = bench.lab.join("nginx.conf");
    let lab = bench.lab.display();
    fs::write(
        &conf,
        format!(
            "daemon off; user root; worker_processes auto; pid {lab}/nginx.pid; error_log {lab}/nginx.log;\n\
             events {{ }}\n\
             http {{ sendfile on; tcp_nopush on; access_log off; server {{ listen 127.0.0.1:7102; root {root}; }} }}\n"
        ),
    )?;
    let axum = axum(&bench.peers).display().to_string();
    let others = [
        peer(
            format!("nginx {}", version("nginx", &["-v"])),
            7102,
            &["nginx", "-c", &conf.display().to_string()],
        ),
        peer("axum ServeDir", 7103, &[&axum, "127.0.0.1:7103", &root]),
    ];
    peers.extend(others.into_iter().filter(|peer| !bench.alone && peer.is_there()));
    Ok(peers)
}

/// The first word of what a program says about itself that looks like a version.
fn version(program: &str, arguments: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(arguments).output() else { return String::new() };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut words = text.split([' ', '\n', ',', '-', '/']);
    words.find(|word| word.starts_with(|letter: char| letter.is_ascii_digit())).unwrap_or_default().to_owned()
}

impl Peer {
    fn is_there(&self) -> bool {
        let program = &self.command[0];
        let there = has_program(program) || Path::new(program).is_file();
        if !there {
            println!("not measured: {} (no `{program}`)", self.name);
        }
        there
    }

    /// Starts it and waits until it answers.
    pub(super) fn start(&self, is_up: impl Fn(SocketAddr) -> bool) -> Result<Running> {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("`{}` did not start", self.command[0]))?;
        let running = Running { child };
        let begun = Instant::now();
        while !is_up(self.address) {
            if begun.elapsed() > START {
                bail!("`{}` does not answer on {}", self.command.join(" "), self.address);
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(running)
    }
}

/// Whether a TFTP server gives the small file.
pub(super) fn gives_a_file(address: SocketAddr) -> bool {
    tftp_client::Fetch {
        patience: Duration::from_millis(200),
        bound: Duration::from_millis(300),
        ..tftp_client::Fetch::new(address, "small")
    }
    .run(None)
    .is_ok_and(|got| got.whole)
}

/// Whether a server listens on a TCP port.
pub(super) fn listens(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}

impl Running {
    /// Processor time of the server and its children so far, seconds.
    pub(super) fn processor(&self) -> f64 {
        self.each(|fields| {
            fields.get(11..15).map(|times| times.iter().filter_map(|time| time.parse::<f64>().ok()).sum())
        }) / TICKS
    }

    /// Peak resident memory of the server's own process, MiB.
    pub(super) fn peak(&self) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap_or(f64::NAN) / 1024.0
    }

    /// The sum over the server and its children; `of` gets the fields of `/proc/PID/stat` after the name.
    fn each(&self, of: impl Fn(&[&str]) -> Option<f64>) -> f64 {
        let id = self.child.id().to_string();
        let mut sum = 0.0;
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
            let fields: Vec<_> = rest.split(' ').collect();
            if entry.file_name().to_string_lossy() == id || fields.get(1) == Some(&id.as_str()) {
                sum += of(&fields).unwrap_or_default();
            }
        }
        sum
    }
}

impl Drop for Running {
    /// Asks it to end, so that it can end its children, and kills it when it does not.
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let begun = Instant::now();
        while begun.elapsed() < END {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn axum(folder: &Path) -> PathBuf {
    folder.join("axum/target/release/axum-files")
}

/// Builds the smallest axum program that serves a folder; it is no part of this workspace.
pub(super) fn build_axum(folder: &Path) -> Result<()> {
    let project = folder.join("axum");
    fs::create_dir_all(project.join("src"))?;
    fs::write(project.join("Cargo.toml"), include_str!("axum/Cargo.toml.template"))?;
    fs::write(project.join("src/main.rs"), include_str!("axum/main.rs.template"))?;
    let mut build = xtask_support::workspace::cargo();
    succeed(build.args(["build", "--quiet", "--release", "--target-dir", "target"]).current_dir(project))
}
