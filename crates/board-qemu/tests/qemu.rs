//! Stories on a real QEMU with a real U-Boot, each in a private network namespace of its own.
//!
//! A test starts its own binary again below `unshare`, and that one runs the story. Needs root, QEMU and U-Boot.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a story that cannot go on has failed, one that cannot be told says so"
)]

use std::env;
use std::fs;
use std::future::Future;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use board_qemu::{Config, Network, QemuBoard};
use flasher_core::ByteStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const INSIDE: &str = "BOARD_QEMU_TEST_INSIDE";
/// An emulated board on a busy machine may take long; a hung one is found all the same.
const PATIENCE: Duration = Duration::from_secs(60);
const NAMESPACE: [&str; 5] = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// Runs `story` inside a private namespace, or says why it cannot.
fn story<F: Future<Output = ()>>(name: &str, story: impl FnOnce() -> F) {
    if env::var_os(INSIDE).is_some() {
        run(Command::new("ip").args(["link", "set", "lo", "up"]));
        tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(story());
        return;
    }
    if let Some(why) = missing() {
        println!("skipped: {why}");
        return;
    }
    let mut again = Command::new("unshare");
    again.args(NAMESPACE).arg(env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]);
    let told = run(again.env(INSIDE, "1"));
    assert!(told.contains("1 passed"), "the story did not run: {told}");
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// What a story needs and this machine has not. What CI could install must be there.
fn missing() -> Option<String> {
    let works = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    if !works(
        Command::new("unshare").args(NAMESPACE).args(["ip", "tuntap", "add", "dev", "t0", "mode", "tap"]),
    ) {
        return Some(
            "no root, no `ip`, or no taps: a private network namespace with a tap cannot be made".to_owned(),
        );
    }
    let board = Config::default();
    let why = if !works(Command::new(&board.qemu).arg("--version")) {
        "qemu-system-aarch64 is missing: apt-get install qemu-system-arm"
    } else if !board.bios.is_file() {
        "U-Boot for QEMU is missing: apt-get install u-boot-qemu"
    } else {
        return None;
    };
    assert!(env::var_os("CI").is_none(), "{why}");
    Some(why.to_owned())
}

/// The console with everything read from it.
struct Console {
    line: Box<dyn ByteStream>,
    seen: String,
}

impl Console {
    async fn open(board: &Arc<QemuBoard>) -> Self {
        Self { line: board.serial().open().await.unwrap(), seen: String::new() }
    }

    /// Reads until `text` comes, and gives everything up to it.
    async fn expect(&mut self, text: &str) -> String {
        let mut buffer = [0; 1024];
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            let read = timeout(PATIENCE, self.line.read(&mut buffer)).await;
            let count = read.unwrap_or_else(|_| panic!("no `{text}` in:\n{}", self.seen)).unwrap();
            assert!(count > 0, "the line ended before `{text}`:\n{}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }

    /// What is still there to be read.
    async fn rest(&mut self) -> String {
        let mut buffer = [0; 1024];
        while let Ok(Ok(count @ 1..)) = timeout(Duration::from_millis(100), self.line.read(&mut buffer)).await
        {
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        std::mem::take(&mut self.seen)
    }

    async fn type_in(&mut self, text: &str) {
        self.line.write_all(text.as_bytes()).await.unwrap();
    }

    async fn stop_autoboot(&mut self) {
        self.expect("U-Boot 20").await;
        self.expect("Hit any key to stop autoboot").await;
        self.type_in(" ").await;
        self.expect("\n=> ").await;
    }

    /// Runs one U-Boot command and gives its output.
    async fn command(&mut self, command: &str) -> String {
        self.type_in(&format!("{command}\n")).await;
        self.expect("\n=> ").await
    }
}

/// Processes of this namespace whose name begins so.
fn processes(name: &str) -> usize {
    let comm =
        |entry: std::io::Result<fs::DirEntry>| fs::read_to_string(entry.ok()?.path().join("comm")).ok();
    fs::read_dir("/proc").unwrap().filter_map(comm).filter(|comm| comm.starts_with(name)).count()
}

fn interfaces() -> Vec<String> {
    let table = fs::read_to_string("/proc/self/net/dev").unwrap();
    table.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

/// A killed process takes a moment to be gone.
async fn no_qemu_left() {
    let gone = async {
        while processes("qemu-system") > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("QEMU is still there");
}

fn with_network() -> Config {
    Config { network: Some(Network::default()), ..Config::default() }
}

#[test]
fn qemu_one_open_line_sees_u_boot_through_a_power_cycle_and_dhcp() {
    story("qemu_one_open_line_sees_u_boot_through_a_power_cycle_and_dhcp", || async {
        let board = QemuBoard::new(with_network());
        let power = board.power();
        power.probe().await.unwrap();
        let mut console = Console::open(&board).await;

        power.on().await.unwrap();
        power.on().await.unwrap();
        assert_eq!(processes("qemu-system"), 1, "on twice is on once");
        console.stop_autoboot().await;
        console.command("setenv autoload no").await;
        let dhcp = console.command("dhcp").await;
        assert!(dhcp.contains("DHCP client bound to address 10.77.0.50"), "{dhcp}");
        let found = console.command("printenv ipaddr serverip netmask").await;
        for line in ["ipaddr=10.77.0.50", "serverip=10.77.0.1", "netmask=255.255.255.0"] {
            assert!(found.contains(line), "{line} in {found}");
        }
        assert!(console.command("ping 10.77.0.1").await.contains("host 10.77.0.1 is alive"));
        console.command("setenv kept no").await;

        power.off().await.unwrap();
        power.off().await.unwrap();
        assert!(!board.is_on().await);
        no_qemu_left().await;
        console.rest().await;
        console.type_in("typed while off\n").await;
        assert_eq!(console.rest().await, "", "a board without power is silent");

        power.on().await.unwrap();
        console.stop_autoboot().await;
        let lost = console.command("printenv kept").await;
        assert!(lost.contains("\"kept\" not defined"), "memory survived the power cut: {lost}");

        drop((board, power));
        no_qemu_left().await;
        assert_eq!(interfaces(), ["lo"]);
        let mut end = [0];
        assert_eq!(timeout(PATIENCE, console.line.read(&mut end)).await.unwrap().unwrap(), 0);
    });
}
