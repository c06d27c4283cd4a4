//! A real U-Boot under QEMU as the client of our TFTP server, on a line that is good and on one that loses packets.
//!
//! Runs in a namespace of its own, as the other stories on the emulated board. Speed is printed and not judged.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use board_qemu::{BoardNetwork, Config, QemuBoard};
use exporter_yaml::Document;
use flasher_core::{ByteStream, Device, FileServer, Transfer, TransferLog, TransferState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::lab::noise;

const INSIDE: &str = "FLASHER_INTEROP_INSIDE";
/// What a kernel with its initramfs takes.
const LENGTH: usize = 30 * 1024 * 1024;
/// No wait for U-Boot is longer.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at what the server saw.
const LOOK: Duration = Duration::from_millis(50);

#[test]
fn qemu_u_boot_fetches_a_kernel() {
    if env::var_os(INSIDE).is_some() {
        crate::qemu::run(Command::new("ip").args(["link", "set", "lo", "up"]));
        return tokio::runtime::Runtime::new().unwrap().block_on(story());
    }
    if let Some(why) = crate::qemu::missing_board() {
        println!("skipped: {why}");
        return;
    }
    let mut again = crate::qemu::namespace();
    again.arg(env::current_exe().unwrap()).args(["--exact", &crate::qemu::test_name(), "--nocapture"]);
    let output = again.env(INSIDE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    let passed = output.status.success() && text.contains("1 passed");
    assert!(passed, "{}", String::from_utf8_lossy(&output.stderr));
}

async fn story() {
    let folder = tempfile::tempdir().unwrap();
    let content = noise(LENGTH, 30);
    fs::write(folder.path().join("kernel"), &content).unwrap();
    let mut sum = flate2::Crc::new();
    sum.update(&content);
    let sum = format!("{:08x}", sum.sum());
    let board = QemuBoard::new(Config { network: Some(BoardNetwork::default()), ..Config::default() });
    let mut uboot = UBoot::boot(&board).await;
    let (server, seen) = serve(folder.path()).await;

    uboot.command("setenv autoload no").await;
    assert!(uboot.command("dhcp").await.contains("bound to address"));
    for setting in ["serverip 10.77.0.1", "tftpblocksize 1468"] {
        uboot.command(&format!("setenv {setting}")).await;
    }
    // As the flasher does.
    for setting in ["tftpwindowsize 16", "tftptimeout 1000", "tftptimeoutcountmax 100"] {
        uboot.command(&format!("setenv {setting}")).await;
    }
    for loss in [0, 5] {
        lose(loss);
        uboot.command("mw.l 44000000 0 1000").await;
        let told = uboot.command("tftpboot 44000000 kernel").await;
        lose(0);
        assert!(told.contains("Bytes transferred = 31457280"), "{loss} % loss: {told}");
        let told = uboot.command(&format!("crc32 44000000 {LENGTH:x}")).await;
        assert!(told.contains(&sum), "{loss} % loss: {told}");
        println!("window 16, {loss} % loss: {}", outcome(&seen).await);
    }
    server.close().await.unwrap();
    board.power().close().await.unwrap();
}

/// What the server saw of the last transfer. The client has all of it before the server hears of its last block.
async fn outcome(seen: &Mutex<Vec<Transfer>>) -> String {
    for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
        let last = seen.lock().unwrap().last().cloned().unwrap();
        match last.state {
            TransferState::Done { seconds, resends, round_trip, .. } => {
                let trip = round_trip.unwrap_or_default() * 1e3;
                return format!("{seconds:.2} s, {resends} packets sent again, round trip {trip:.2} ms");
            }
            // U-Boot sends its last acknowledgement once, and that may be lost.
            TransferState::Unconfirmed { seconds, resends, .. } => {
                return format!(
                    "{seconds:.2} s, {resends} packets sent again, the last acknowledgement lost"
                );
            }
            TransferState::Begun { .. } => tokio::time::sleep(LOOK).await,
            state => panic!("{state:?}"),
        }
    }
    panic!("the server never saw the end of the transfer: {:?}", seen.lock().unwrap())
}

async fn serve(folder: &Path) -> (Arc<dyn FileServer>, Arc<Mutex<Vec<Transfer>>>) {
    let text = "export: { tftp: { type: tftp, config: { root_dir: ., host: 10.77.0.1 } } }";
    let document = Document::parse("interop", folder, text).unwrap();
    let tree = exporter_yaml::build(&document).unwrap_or_else(|findings| panic!("{findings}"));
    let Device::FileServer(server) = tree.find("tftp").unwrap() else { panic!("no file server") };
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    server.start(TransferLog::new(move |transfer| sink.lock().unwrap().push(transfer))).await.unwrap();
    (server, seen)
}

/// Drops so many of 100 packets each way, on the tap: in `hook output` the sender would get an error.
fn lose(percent: u8) {
    let _ = Command::new("nft").args(["delete", "table", "netdev", "lossy"]).output();
    if percent > 0 {
        let rule = |hook: &str| {
            format!(
                "chain {hook} {{ type filter hook {hook} device qtap0 priority 0; numgen random mod 100 < {percent} drop; }}"
            )
        };
        let rules = format!("table netdev lossy {{\n{}\n{}\n}}", rule("egress"), rule("ingress"));
        crate::qemu::run(Command::new("nft").arg(rules));
    }
}

/// U-Boot at its prompt.
struct UBoot {
    line: Box<dyn ByteStream>,
}

impl UBoot {
    async fn boot(board: &Arc<QemuBoard>) -> Self {
        let mut uboot = Self { line: board.serial().open().await.unwrap() };
        board.power().on().await.unwrap();
        uboot.until("stop autoboot").await;
        uboot.line.write_all(b" ").await.unwrap();
        uboot.until("\n=> ").await;
        uboot
    }

    async fn command(&mut self, command: &str) -> String {
        self.line.write_all(format!("{command}\n").as_bytes()).await.unwrap();
        self.until("\n=> ").await
    }

    async fn until(&mut self, text: &str) -> String {
        let mut seen = String::new();
        let mut buffer = [0; 4096];
        while !seen.contains(text) {
            let read = timeout(PATIENCE, self.line.read(&mut buffer)).await;
            let count = read.unwrap_or_else(|_| panic!("no `{text}` in:\n{seen}")).unwrap();
            assert!(count > 0, "the line ended:\n{seen}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        seen
    }
}
