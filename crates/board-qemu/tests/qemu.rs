//! Stories on a real QEMU with a real U-Boot, each in a private network namespace of its own.
//!
//! A test starts its own binary again below `unshare`, and that one runs the test. Needs root, QEMU and U-Boot.
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

use board_qemu::{BoardNetwork, Cache, Config, Disk, DiskKind, QemuBoard, Size};
use flasher_core::{ByteStream, Class, Device, testing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const INSIDE: &str = "BOARD_QEMU_TEST_INSIDE";
/// An emulated board on a busy machine may take long; a hung one is found all the same.
const PATIENCE: Duration = Duration::from_secs(60);
const NAMESPACE: [&str; 5] = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// Runs `story`, which is the whole test, inside a private namespace, or says why it cannot.
fn story<F: Future<Output = ()>>(story: impl FnOnce() -> F) {
    if env::var_os(INSIDE).is_some() {
        run(Command::new("ip").args(["link", "set", "lo", "up"]));
        tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(story());
        return;
    }
    if let Some(why) = missing() {
        println!("skipped: {why}");
        return;
    }
    let test = name();
    let mut again = Command::new("unshare");
    again.args(NAMESPACE).arg(env::current_exe().unwrap()).args(["--exact", &test, "--nocapture"]);
    let told = run(again.env(INSIDE, "1"));
    assert!(told.contains("1 passed"), "the story did not run: {told}");
}

/// This test's name: the test harness gives each test a thread of its name.
fn name() -> String {
    std::thread::current().name().unwrap().to_owned()
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// What a test needs and this machine has not. What CI could install must be there.
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
    let why = if !works(Command::new(board.emulator()).arg("--version")) {
        "qemu-system-aarch64 is missing: apt-get install qemu-system-arm"
    } else if !board.boot_loader().is_file() {
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

/// Processes of this namespace whose name begins so. A zombie does not count: here
/// the test is process 1, which inherits orphans.
fn processes(name: &str) -> usize {
    let stat =
        |entry: std::io::Result<fs::DirEntry>| fs::read_to_string(entry.ok()?.path().join("stat")).ok();
    let lives = |stat: &String| stat.contains(&format!("({name}")) && !stat.contains(") Z ");
    fs::read_dir("/proc").unwrap().filter_map(stat).filter(lives).count()
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
    Config { network: Some(BoardNetwork::default()), ..Config::default() }
}

#[test]
fn qemu_keeps_the_promises_of_a_power_and_of_a_serial_driver() {
    story(|| async {
        let board = QemuBoard::new(Config::default());
        let power = || Device::Power(board.power(), None);
        assert_eq!(testing::power(&power).await, [""; 0]);
        assert_eq!(testing::serial(&|| Device::Serial(board.serial()), false).await, [""; 0]);
        board.power().close().await.unwrap();
    });
}

#[test]
fn qemu_u_boot_through_a_power_cycle_and_dhcp() {
    story(|| async {
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

#[test]
fn qemu_reset_keeps_the_memory_and_a_cut_does_not() {
    story(|| async {
        let board = QemuBoard::new(with_network());
        assert_eq!(board.reset().await.unwrap_err().to_string(), "cannot reset: the emulated board is off");
        let mut console = Console::open(&board).await;
        board.power().on().await.unwrap();
        console.stop_autoboot().await;
        console.command("mw.l 50000000 c0ffee11").await;

        board.reset().await.unwrap();
        console.stop_autoboot().await;
        assert!(console.command("md.l 50000000 1").await.contains("50000000: c0ffee11"));

        board.link(false).await.unwrap();
        console.command("setenv autoload no").await;
        console.type_in("dhcp\n").await;
        console.expect("BOOTP broadcast 2").await;
        console.type_in("\x03").await;
        console.expect("\n=> ").await;
        board.link(true).await.unwrap();
        assert!(console.command("dhcp").await.contains("bound to address 10.77.0.50"));

        board.cut().await.unwrap();
        assert!(!board.is_on().await);
        console.rest().await;
        board.power().on().await.unwrap();
        console.stop_autoboot().await;
        assert!(console.command("md.l 50000000 1").await.contains("50000000: 00000000"));

        console.type_in("poweroff\n").await;
        no_qemu_left().await;
        board.power().off().await.unwrap();
        board.power().on().await.unwrap();
        console.stop_autoboot().await;
        board.power().close().await.unwrap();
        board.power().close().await.unwrap();
        assert_eq!((processes("qemu-system"), interfaces()), (0, vec!["lo".to_owned()]));
    });
}

/// What U-Boot finds on a disk of this kind, and whether what it writes reaches the file.
async fn check_disk(kind: DiskKind, scan: &str, found: &str, write: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a disk, raw.img");
    let disk = Disk {
        kind,
        file: file.clone(),
        size: Some(Size(32 << 20)),
        cache: Cache::default(),
        blkdebug: None,
    };
    let environment = Some(folder.path().join("env.flash"));
    let board = QemuBoard::new(Config { disk: Some(disk), environment, ..Config::default() });
    let mut console = Console::open(&board).await;
    board.power().on().await.unwrap();
    console.stop_autoboot().await;
    let told = console.command(scan).await;
    assert!(told.contains(found), "{kind:?}: {told}");
    if let Some(write) = write {
        console.command("mw.b 50000000 a5 200").await;
        console.command(write).await;
        board.power().off().await.unwrap();
        let bytes = fs::read(&file).unwrap();
        assert_eq!(bytes.len(), 32 << 20);
        assert!(bytes[512..1024].iter().all(|&byte| byte == 0xa5), "{kind:?}: not written");
        assert!(
            bytes[..512].iter().chain(&bytes[1024..]).all(|&byte| byte == 0),
            "{kind:?}: written elsewhere"
        );
    }
}

#[test]
fn qemu_each_kind_of_disk_is_seen_and_written() {
    story(|| async {
        let virtio = Some("virtio write 50000000 1 1");
        check_disk(DiskKind::Virtio, "virtio scan; virtio info", "Capacity: 32.0 MB", virtio).await;
        let nvme = Some("nvme write 50000000 1 1");
        check_disk(DiskKind::Nvme, "nvme scan; nvme info", "Capacity: 32.0 MB", nvme).await;
        // This U-Boot has no driver for SD cards: the controller is all it can see.
        check_disk(DiskKind::Sd, "pci", "1b36", None).await;
    });
}

// What `saveenv` leaves is made here with U-Boot's own tool: the flash of QEMU before 8 takes no buffered writes from it.
#[test]
fn qemu_a_saved_environment_outlives_the_power() {
    story(|| async {
        let folder = tempfile::tempdir().unwrap();
        let environment = folder.path().join("env.flash");
        fs::write(folder.path().join("env.txt"), "bootdelay=2\nbootcmd=echo booted\nkept=yes\n").unwrap();
        let mut tool = Command::new("mkenvimage");
        tool.args(["-s", "0x40000", "-o"]).arg(&environment).arg(folder.path().join("env.txt"));
        assert!(tool.status().unwrap().success());
        fs::File::options().write(true).open(&environment).unwrap().set_len(64 << 20).unwrap();
        let board = QemuBoard::new(Config { environment: Some(environment), ..Config::default() });
        let mut console = Console::open(&board).await;
        for _ in 0..2 {
            board.power().on().await.unwrap();
            console.stop_autoboot().await;
            let kept = console.command("printenv kept").await;
            assert!(kept.contains("kept=yes"), "{kept}");
            board.power().off().await.unwrap();
        }
    });
}

#[test]
fn qemu_a_disk_fails_where_the_rules_say() {
    story(|| async {
        let folder = tempfile::tempdir().unwrap();
        let rules = "[inject-error]\nevent = \"pwritev\"\niotype = \"write\"\nerrno = \"5\"\n";
        let disk = Disk {
            kind: DiskKind::Virtio,
            file: folder.path().join("disk.img"),
            size: Some(Size(32 << 20)),
            cache: Cache::default(),
            blkdebug: Some(rules.to_owned()),
        };
        let board = QemuBoard::new(Config { disk: Some(disk), ..Config::default() });
        let mut console = Console::open(&board).await;
        board.power().on().await.unwrap();
        console.stop_autoboot().await;
        console.command("virtio scan").await;
        let told = console.command("virtio write 50000000 0 1").await;
        assert!(told.contains("ERROR"), "{told}");
        let told = console.command("virtio read 50000000 0 1").await;
        assert!(told.contains("1 blocks read: OK"), "{told}");
    });
}

#[test]
fn qemu_that_cannot_start_says_why() {
    story(|| async {
        let board = QemuBoard::new(Config { cpu: Some("z80".to_owned()), ..with_network() });
        let refused = board.power().on().await.unwrap_err();
        assert_eq!(refused.class(), Class::Infrastructure);
        assert!(refused.cause().contains("z80"), "{refused:?}");
        board.power().close().await.unwrap();
        assert_eq!(interfaces(), ["lo"]);

        let folder = tempfile::tempdir().unwrap();
        let bios = folder.path().join("empty.bin");
        fs::File::create(&bios).unwrap().set_len(1 << 30).unwrap();
        let board = QemuBoard::new(Config { bios: Some(bios), ..Config::default() });
        let refused = board.power().on().await.unwrap_err();
        assert!(refused.cause().contains("QEMU ended at once with exit status: 1"), "{refused:?}");
        no_qemu_left().await;
    });
}

#[test]
fn qemu_taps_are_separate() {
    story(|| async {
        let first = QemuBoard::new(with_network());
        first.power().on().await.unwrap();
        let refused = QemuBoard::new(with_network()).power().on().await.unwrap_err();
        let why = format!("the tap `qtap0` is in use by process {}", std::process::id());
        assert!(refused.cause().contains(&why), "{refused:?}");
        let address = "10.78.0.1/24".to_owned().try_into().unwrap();
        let board = "10.78.0.50".parse().unwrap();
        let network = BoardNetwork { tap: "qtap1".to_owned(), address, board, ..BoardNetwork::default() };
        let second = QemuBoard::new(Config { network: Some(network), ..Config::default() });
        second.power().on().await.unwrap();
        assert_eq!(processes("qemu-system"), 2);
        drop((first, second));
        no_qemu_left().await;

        // As a killed process leaves it: its tap is replaced.
        run(Command::new("ip").args(["tuntap", "add", "dev", "qtap0", "mode", "tap"]));
        let alias = "flasher qemu-board, process 4000000";
        run(Command::new("ip").args(["link", "set", "dev", "qtap0", "alias", alias]));
        let board = QemuBoard::new(with_network());
        board.power().on().await.unwrap();
        board.power().close().await.unwrap();
        assert_eq!(interfaces(), ["lo"]);

        run(Command::new("ip").args(["tuntap", "add", "dev", "eth0", "mode", "tap"]));
        for power in [board.power(), QemuBoard::new(with_slirp()).power()] {
            let refused = power.probe().await.unwrap_err();
            assert!(refused.cause().contains("this network namespace has `eth0`"), "{refused:?}");
            assert!(power.on().await.is_err());
        }
        assert_eq!((processes("qemu-system"), interfaces().len()), (0, 2));
    });
}

fn with_slirp() -> Config {
    Config { arguments: vec!["-nic".to_owned(), "user".to_owned()], ..Config::default() }
}

/// Plays the process that is killed by the test below.
#[test]
fn qemu_ends_with_the_process_that_started_it() {
    let name = name();
    story(|| async {
        if env::var_os("BOARD_QEMU_TEST_VICTIM").is_some() {
            let board = QemuBoard::new(Config::default());
            board.power().on().await.unwrap();
            std::future::pending::<()>().await;
        }
        let mut victim = tokio::process::Command::new(env::current_exe().unwrap());
        let victim = victim.args(["--exact", &name, "--nocapture"]).env("BOARD_QEMU_TEST_VICTIM", "1");
        // A killed process cannot remove its folder.
        let folder = tempfile::tempdir().unwrap();
        let victim = victim.env("TMPDIR", folder.path());
        let mut victim = victim.kill_on_drop(true).spawn().unwrap();
        let started = async {
            while processes("qemu-system") == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, started).await.expect("QEMU was not started");
        victim.kill().await.unwrap();
        no_qemu_left().await;
    });
}
