//! One emulated board with its flasher, the fault of the case, and a look at the disk afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use board_qemu::{BoardNetwork, Cache, Config, Disk, QemuBoard};
use disk_image::Digest;
use driver_flasher::config::StaticNetwork;
use driver_flasher::{BaseFlasher, FlasherConfig};
use flasher_core::flash::{PartitionImage, PowerState, Wire, WireUsed};
use flasher_core::{
    ContentServer, Device, DriverType, DumpJob, DumpSink, Event, FlashJob, Flasher, Quiet, Receipt, Step,
    Transfer, TransferState, Verdict, Wiring,
};

use super::card::{self, Card};
use super::cases::{Case, Ends, Fault, What};
use crate::lab::{has, noise, pack};

const MIB: usize = 1024 * 1024;
const DISK: usize = 64 * MIB;
/// The disk of a large case, bytes.
const LARGE: usize = 512 * MIB;
/// The disk of a case that dumps it, bytes: an emulated SD card is read slowly.
const DUMPED: usize = 32 * MIB;
/// The flash that keeps U-Boot's environment, bytes.
const FLASH: usize = 64 * MIB;

/// Plays a case and looks at the disk from outside.
pub(crate) async fn play(case: &Case) {
    if case.what == What::Partitions {
        return partitions(case).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new(case, folder.path()).await;
    let content = content(case);
    let image = folder.path().join("image");
    fs::write(&image, case.packed.map_or_else(|| content.clone(), |tool| pack(tool, &content))).unwrap();
    let source = match case.what {
        What::Direct => origin(folder.path()).await,
        _ => image.to_str().unwrap().to_owned(),
    };
    let (receipt, travelled) = bench.flash(case, source).await;
    if case.what == What::Dump {
        dump(&bench, case, &folder.path().join("disk")).await;
    }
    bench.board.power().close().await.unwrap();
    if receipt.verdict == Verdict::Proven && receipt.attempts == 1 {
        check_ways(case, &receipt, &content, travelled);
    }
    check(case, &receipt, &content, &fs::read(folder.path().join("disk")).unwrap());
}

/// A server with the folder's `image`, which board and exporter reach under the same address; gives the URL.
async fn origin(folder: &Path) -> String {
    // The exporter reads the image before the network to the board is there.
    super::run(Command::new("ip").args(["address", "add", "10.77.0.1/32", "dev", "lo"]));
    super::run(Command::new("ip").args(["link", "set", "lo", "up"]));
    let Device::ContentServer(server) =
        made("origin", folder, "http", "{ host: 10.77.0.1, port: 0, root_dir: . }")
    else {
        panic!("no content server")
    };
    let address = server.start(Default::default()).await.unwrap();
    // It ends with the process, which plays this case alone.
    std::mem::forget(server);
    format!("http://{address}/image")
}

/// Keeps a dump in memory.
#[derive(Default)]
struct Memory(Mutex<Vec<u8>>);

impl DumpSink for Memory {
    fn label(&self) -> String {
        "memory".to_owned()
    }

    fn begin(&self, _length: u64) -> flasher_core::Result<()> {
        self.0.lock().unwrap().clear();
        Ok(())
    }

    fn take(&self, bytes: &[u8]) -> flasher_core::Result<()> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    }

    fn keep(&self) -> flasher_core::Result<()> {
        Ok(())
    }
}

/// What is dumped is what the disk's file holds.
async fn dump(bench: &Bench, case: &Case, disk: &Path) {
    let memory = Arc::new(Memory::default());
    let job = DumpJob {
        retries: 0,
        target: Some(case.target.to_owned()),
        ..DumpJob::new(Arc::clone(&memory) as _)
    };
    let receipt = bench.flasher.dump(job, Arc::new(Quiet)).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{}: {:#?}", case.name, receipt.failure);
    assert!(*memory.0.lock().unwrap() == fs::read(disk).unwrap(), "{}: the dump differs", case.name);
    println!("dumped {DUMPED} bytes in {:.1} s, steps {:?}", receipt.seconds, receipt.steps);
}

/// Flashes two partitions of a disk; nothing else on it changes.
async fn partitions(case: &Case) {
    if !has("sfdisk") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new(case, folder.path()).await;
    let disk = folder.path().join("disk");
    let table = "label: gpt\nstart=2048, size=8192, name=boot\nstart=20480, size=65536, name=\"my root\"\n";
    let mut sfdisk =
        Command::new("sfdisk").arg(&disk).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut sfdisk.stdin.take().unwrap(), table.as_bytes()).unwrap();
    assert!(sfdisk.wait().unwrap().success());
    let mut expected = fs::read(&disk).unwrap();
    let (boot, root) = (noise(3 * MIB, 1), [noise(5 * MIB, 2), vec![0; 4 * MIB], noise(777, 3)].concat());
    for (sector, content) in [(2048, &boot), (20480, &root)] {
        expected[sector * 512..][..content.len()].copy_from_slice(content);
    }
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(place("boot"), &boot).unwrap();
    fs::write(place("root"), pack("xz", &root)).unwrap();
    let job = FlashJob {
        retries: 0,
        target: Some(case.target.to_owned()),
        partition: Some("boot".to_owned()),
        also: vec![PartitionImage { label: "my root".to_owned(), image: place("root") }],
        preflash: vec!["test -b /dev/vda2".to_owned()],
        ..FlashJob::new(place("boot"))
    };
    let receipt = bench.flasher.flash(job, Arc::new(Quiet)).await;
    bench.board.power().close().await.unwrap();
    assert_eq!(receipt.verdict, Verdict::Proven, "{}: {:#?}", case.name, receipt.failure);
    assert_eq!(receipt.further[0].medium.as_ref().unwrap().device, "/dev/vda2");
    assert!(fs::read(&disk).unwrap() == expected, "{}: the disk differs", case.name);
}

fn check(case: &Case, receipt: &Receipt, content: &[u8], disk: &[u8]) {
    let name = case.name;
    match case.ends {
        Ends::Proven(attempts) => {
            assert_eq!(receipt.verdict, Verdict::Proven, "{name}: {:#?}", receipt.failure);
            assert_eq!(receipt.attempts, attempts, "{name}");
            assert_eq!(Digest::of(&disk[..content.len()]), Digest::of(content), "{name}: a false success");
            let behind = &disk[content.len()..];
            assert!(behind == vec![0xa5; behind.len()], "{name}: bytes behind the image were touched");
        }
        Ends::Failed(class, step, says) => {
            assert_eq!(receipt.verdict, Verdict::Failed, "{name}: a false success");
            let failure = receipt.failure.as_ref().unwrap();
            assert_eq!((failure.class, failure.step), (class, step), "{name}: {failure:#?}");
            assert!(failure.cause.contains(says), "{name}: {failure:#?}");
            let is_old = disk[..65_536].iter().all(|byte| *byte == 0xa5);
            let is_wiped = disk[..65_536].iter().all(|byte| *byte == 0);
            assert!(is_old || is_wiped, "{name}: the board could boot something half written");
            assert!(step >= Step::Write || is_old, "{name}: the medium was touched");
        }
    }
    assert!(matches!(receipt.power, PowerState::Off | PowerState::Untouched), "{name}: {:?}", receipt.power);
}

/// How zeros and data came to the board; `travelled` is what left over HTTP for the medium, bytes.
fn check_ways(case: &Case, receipt: &Receipt, content: &[u8], travelled: u64) {
    let (name, medium) = (case.name, receipt.medium.as_ref().unwrap());
    if case.what == What::Direct {
        assert_eq!(medium.wire, Some(WireUsed::Direct), "{name}");
        assert!(medium.ranges.iter().all(|range| range.writes == 1), "{name}: written from here");
        return assert!(travelled < MIB as u64, "{name}: {travelled} bytes came from here");
    }
    let data = content.chunks(MIB).filter(|chunk| chunk.iter().any(|byte| *byte != 0)).map(<[u8]>::len);
    let data = data.sum::<usize>() as u64;
    assert_eq!(medium.zeros_by, Some(case.zeros), "{name}");
    check_wire(case, medium.wire);
    // Frame lines and what rounds up to blocks come on top.
    let most = data + data / 100 + 2 * MIB as u64;
    println!("{name}: {travelled} bytes over HTTP for {data} of data in {}", content.len());
    assert!(travelled <= most, "{name}: {travelled} bytes travelled, at most {most} have to");
    assert!(case.packed.is_none() || travelled >= data / 2, "{name}: the bytes were not counted");
}

/// What is asked for is used; else the board measures, and a busy machine may favour any.
fn check_wire(case: &Case, used: Option<WireUsed>) {
    let allowed: &[WireUsed] = match case.wire {
        Some(Wire::Identity) => &[WireUsed::Identity],
        Some(Wire::Gzip) => &[WireUsed::Gzip],
        Some(Wire::Zstd) => &[WireUsed::Zstd],
        Some(Wire::Auto) | None => &[WireUsed::Identity, WireUsed::Gzip, WireUsed::Zstd],
    };
    assert!(used.is_some_and(|used| allowed.contains(&used)), "{}: {used:?}", case.name);
}

fn disk_length(case: &Case) -> usize {
    match case.what {
        What::Dump => DUMPED,
        _ if case.large => LARGE,
        _ => DISK,
    }
}

fn content(case: &Case) -> Vec<u8> {
    if case.large {
        // Of each five mebibytes, three are zeros.
        let part = |index: u64| [noise(2 * MIB, index), vec![0; 3 * MIB]].concat();
        return (1..=51).flat_map(part).chain(noise(MIB, 99)).collect();
    }
    match case.fault {
        Fault::Counterfeit { .. } if matches!(case.ends, Ends::Failed(..)) => noise(48 * MIB, 2),
        Fault::TooLarge => noise(DISK + MIB, 1),
        // Long enough to be cut in the middle.
        Fault::PowerCut => noise(24 * MIB, 2),
        Fault::HttpCut => noise(48 * MIB, 2),
        _ => [noise(5 * MIB, 3), vec![0; 9 * MIB], noise(2 * MIB + 333, 4)].concat(),
    }
}

struct Bench {
    board: Arc<QemuBoard>,
    http: Arc<dyn ContentServer>,
    flasher: Arc<dyn Flasher>,
    tftp: PathBuf,
    _card: Option<Card>,
}

impl Bench {
    async fn new(case: &Case, folder: &Path) -> Self {
        fs::write(folder.join("disk"), vec![0xa5; disk_length(case)]).unwrap();
        let card = match case.fault {
            Fault::Counterfeit { beyond, holds } => Some(Card::new(folder, DISK, beyond, holds).await),
            _ => None,
        };
        let bundle = bundle(case, folder);
        let board = QemuBoard::new(board(case, folder));
        let children = BTreeMap::from([
            ("power".to_owned(), Device::Power(board.power(), None)),
            ("serial".to_owned(), Device::Serial(board.serial())),
            ("tftp".to_owned(), tftp(folder)),
            ("http".to_owned(), http(folder)),
            ("uboot".to_owned(), uboot()),
        ]);
        let Some(Device::ContentServer(http)) = children.get("http").cloned() else {
            panic!("no content server")
        };
        let wiring = Wiring::new("storage", folder, children);
        let Device::Flasher(flasher) = BaseFlasher::build(config(case, &bundle), wiring).unwrap() else {
            panic!("no flasher")
        };
        Self { board, http, flasher, tftp: folder.join("tftp"), _card: card }
    }

    /// Flashes; gives the receipt, and how many bytes the board fetched as frames.
    async fn flash(&self, case: &Case, image: String) -> (Receipt, u64) {
        let retries = if case.fault == Fault::PowerCut { 1 } else { 0 };
        let job = FlashJob {
            retries,
            target: Some(case.target.to_owned()),
            wire: case.wire,
            direct: case.what == What::Direct,
            ..FlashJob::new(image)
        };
        let (fault, board, http, tftp) =
            (case.fault, Arc::clone(&self.board), Arc::clone(&self.http), self.tftp.clone());
        let moments = AtomicU32::new(0);
        let travelled = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&travelled);
        let progress = move |event: Event| {
            if let Event::Transfer(transfer) = &event {
                count.fetch_add(framed(transfer), Ordering::Relaxed);
            }
            if strikes(fault, &event) && moments.fetch_add(1, Ordering::Relaxed) == passed(fault) {
                strike(fault, &board, &http, &event, &tftp);
            }
        };
        let receipt = self.flasher.flash(job, Arc::new(progress)).await;
        (receipt, travelled.load(Ordering::Relaxed))
    }
}

/// Bytes of a transfer that went to the medium and is over.
fn framed(transfer: &Transfer) -> u64 {
    match transfer.state {
        TransferState::Done { bytes, .. } if transfer.file.ends_with("/frames") => bytes,
        _ => 0,
    }
}

/// Whether now is the time for the fault.
fn strikes(fault: Fault, event: &Event) -> bool {
    match (fault, event) {
        (Fault::PowerCut, Event::Advanced { step: Step::Write, done, .. }) => *done > MIB as u64,
        (Fault::HttpCut, Event::Transfer(Transfer { file, state: TransferState::Begun { .. }, .. })) => {
            file.ends_with("/frames")
        }
        (Fault::TftpMissing, Event::StepDone { step, .. }) => *step == Step::Services,
        (Fault::LinkDown | Fault::Loss(_), Event::StepBegun { step }) => *step == Step::Bootloader,
        _ => false,
    }
}

/// How many moments pass unharmed: the first frames are the marks of the look at how much the medium holds.
fn passed(fault: Fault) -> u32 {
    u32::from(fault == Fault::HttpCut)
}

/// The boot file of the job that runs; it lies in a folder of its own.
fn staged(tftp: &Path, name: &str) -> PathBuf {
    let folders = fs::read_dir(tftp).unwrap().map(|entry| entry.unwrap().path());
    folders.map(|folder| folder.join(name)).find(|file| file.is_file()).unwrap()
}

fn strike(fault: Fault, board: &Arc<QemuBoard>, http: &Arc<dyn ContentServer>, event: &Event, tftp: &Path) {
    let board = Arc::clone(board);
    match fault {
        Fault::PowerCut => drop(tokio::spawn(async move { board.cut().await.unwrap() })),
        Fault::HttpCut => cut_soon(Arc::clone(http), event),
        Fault::LinkDown => drop(tokio::spawn(async move { board.link(false).await.unwrap() })),
        Fault::TftpMissing => fs::remove_file(staged(tftp, "initramfs.cpio.gz")).unwrap(),
        Fault::Loss(percent) => lose(percent),
        _ => {}
    }
}

/// Cuts a transfer that has begun, in its middle: 48 MiB take longer than this, and progress is reported too seldom to wait for.
fn cut_soon(http: Arc<dyn ContentServer>, event: &Event) {
    let Event::Transfer(transfer) = event else { return };
    let file = transfer.file.trim_start_matches('/').to_owned();
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        http.withdraw(&file);
    });
}

/// Drops packets in both directions, on the tap: in `hook output` the sender would get an error.
fn lose(percent: u8) {
    let rules = format!(
        "table netdev lossy {{
           chain out {{ type filter hook egress device qtap0 priority 0; numgen random mod 100 < {percent} drop; }}
           chain in {{ type filter hook ingress device qtap0 priority 0; numgen random mod 100 < {percent} drop; }}
         }}"
    );
    let output = Command::new("nft").arg(rules).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn board(case: &Case, folder: &Path) -> Config {
    let mut disk = Disk {
        kind: case.disk,
        file: folder.join("disk"),
        size: None,
        cache: Cache::default(),
        blkdebug: None,
    };
    if case.fault == Fault::WriteError {
        let rules = folder.join("blkdebug");
        fs::write(
            &rules,
            "[inject-error]\nevent = \"pwritev\"\niotype = \"write\"\nerrno = \"5\"\nonce = \"off\"\n",
        )
        .unwrap();
        disk.blkdebug = Some(fs::read_to_string(rules).unwrap());
    }
    let environment = folder.join("environment");
    if case.fault == Fault::GarbageEnvironment {
        fs::write(&environment, noise(FLASH, 9)).unwrap();
    }
    if case.fault == Fault::NotInterruptible {
        uninterruptible(&environment);
    }
    let keeps = matches!(case.fault, Fault::GarbageEnvironment | Fault::NotInterruptible);
    let (disk, arguments) = match case.fault {
        Fault::Counterfeit { .. } => (None, card::arguments(folder)),
        _ => (Some(disk), Vec::new()),
    };
    let network = BoardNetwork { dhcp: case.fault != Fault::StaticAddress, ..BoardNetwork::default() };
    Config {
        disk,
        arguments,
        environment: keeps.then_some(environment),
        network: Some(network),
        ..Config::default()
    }
}

/// An environment that offers no prompt and never ends. Made with U-Boot's own tool: the flash of QEMU before 8 takes no
/// buffered writes from `saveenv`.
fn uninterruptible(environment: &Path) {
    let text = environment.with_extension("txt");
    fs::write(&text, "bootdelay=-2\nbootcmd=reset\n").unwrap();
    let made = Command::new("mkenvimage").args(["-s", "0x40000", "-o"]).args([environment, &text]).status();
    assert!(made.unwrap().success());
    fs::File::options().write(true).open(environment).unwrap().set_len(FLASH as u64).unwrap();
}

/// The bundle of the case; a changed copy of it when the fault is in the bundle.
fn bundle(case: &Case, folder: &Path) -> PathBuf {
    let original = super::bundles().join(case.bundle);
    let manifest = fs::read_to_string(original.join("manifest.yaml")).unwrap();
    let changed = match case.fault {
        Fault::Overlap => manifest.replace("0x44000000", "0x40500000"),
        Fault::BootFails => with_bootcmd(&manifest, "reset"),
        Fault::KernelNoise => format!(
            "{manifest}  preflash_commands:\n    - dmesg -n 8\n    - \"(while :; do echo '<1>noise on the console' >/dev/kmsg; usleep 70000; done) >/dev/null 2>&1 &\"\n"
        ),
        _ => return original,
    };
    assert_ne!(changed, manifest, "the manifest has another shape than this test thinks");
    let copy = folder.join("bundle");
    fs::create_dir_all(copy.join("data")).unwrap();
    for entry in fs::read_dir(original.join("data")).unwrap().flatten() {
        fs::copy(entry.path(), copy.join("data").join(entry.file_name())).unwrap();
    }
    fs::write(copy.join("manifest.yaml"), changed).unwrap();
    copy
}

/// The manifest with another boot command; the old one may take several lines.
fn with_bootcmd(manifest: &str, command: &str) -> String {
    let mut inside = false;
    let mut changed = String::new();
    for line in manifest.lines() {
        if line.starts_with("  bootcmd:") {
            inside = true;
            changed.push_str(&format!("  bootcmd: {command}\n"));
        } else if !inside || !line.starts_with("    ") {
            inside = false;
            changed.push_str(&format!("{line}\n"));
        }
    }
    changed
}

fn config(case: &Case, bundle: &Path) -> FlasherConfig {
    let mut config =
        FlasherConfig { flasher_bundle: Some(bundle.display().to_string()), ..FlasherConfig::default() };
    config.power_off_seconds = 0.0;
    config.timeouts.bootloader = 20.0;
    config.timeouts.shell = 60.0;
    if case.fault == Fault::PowerCut {
        config.timeouts.stall = 5.0;
    }
    if case.fault == Fault::LinkDown {
        config.timeouts.dhcp = 10.0;
    }
    if case.fault == Fault::StaticAddress {
        let (address, netmask) = ("10.77.0.60".parse().unwrap(), "255.255.255.0".parse().unwrap());
        config.network = Some(StaticNetwork { address, netmask, gateway: None });
    }
    config
}

fn tftp(folder: &Path) -> Device {
    made("tftp", folder, "tftp", "{ root_dir: ./tftp }")
}

fn http(folder: &Path) -> Device {
    made("http", folder, "http", "{ port: 0, root_dir: ./http }")
}

fn uboot() -> Device {
    made("uboot", Path::new("/"), "uboot", "{}")
}

/// A driver by its name, as an exporter YAML makes it.
pub(crate) fn made(name: &str, folder: &Path, kind: &str, config: &str) -> Device {
    let text = format!("export: {{ {name}: {{ type: {kind}, config: {config} }} }}");
    let document = exporter_yaml::Document::parse("case", folder, &text).unwrap();
    let tree = exporter_yaml::build(&document).unwrap_or_else(|findings| panic!("{findings}"));
    tree.find(name).unwrap()
}
