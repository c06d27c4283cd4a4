//! Each machine that can be emulated, flashed by its boot loader alone and by a Linux that it boots, and proven.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use board_qemu::{BoardNetwork, Cache, Config, Disk, DiskKind, Model, QemuBoard};
use driver_flasher::{BaseFlasher, FlasherConfig};
use flasher_core::flash::{Via, ViaUsed};
use flasher_core::{Device, DriverType, Event, FlashJob, Receipt, Step, Verdict, Wiring};

use super::bench::made;
use crate::lab::{noise, pack};

/// The boot loader of the Orange Pi, where `cargo xtask test` unpacks its package.
const ALLWINNER: &str = "usr/lib/u-boot/orangepi_zero/u-boot-sunxi-with-spl.bin";
const MIB: usize = 1024 * 1024;
const DISK: usize = 64 * MIB;

/// A machine and how it is flashed.
pub(crate) struct Machine {
    pub(crate) name: &'static str,
    model: Model,
    disk: DiskKind,
    /// What its U-Boot calls the medium.
    device: &'static str,
    /// The bundle of the Linux that writes it; none where its boot loader does.
    bundle: Option<&'static str>,
    /// Tool the image is packed with.
    packed: Option<&'static str>,
    /// The power is cut, once, while the image is written.
    cut: bool,
}

const fn machine(name: &'static str, model: Model, disk: DiskKind, device: &'static str) -> Machine {
    Machine { name, model, disk, device, bundle: None, packed: None, cut: false }
}

/// One that a Linux flashes, twice: a raw image, and one that is packed.
const fn linux(
    name: &'static str,
    model: Model,
    disk: DiskKind,
    bundle: &'static str,
    tool: &'static str,
) -> Machine {
    Machine { bundle: Some(bundle), packed: Some(tool), ..machine(name, model, disk, "") }
}

pub(crate) const MACHINES: &[Machine] = &[
    machine("arm64 by its boot loader", Model::Arm64, DiskKind::Virtio, "virtio 0"),
    Machine { packed: Some("xz"), ..machine("arm64, nvme, xz", Model::Arm64, DiskKind::Nvme, "nvme 0") },
    Machine { cut: true, ..machine("arm64, power cut", Model::Arm64, DiskKind::Virtio, "virtio 0") },
    Machine { packed: Some("zstd"), ..machine("armhf, zst", Model::Armhf, DiskKind::Virtio, "virtio 0") },
    Machine { packed: Some("gzip"), ..machine("x86_64, gz", Model::X86, DiskKind::Nvme, "nvme 0") },
    machine("riscv64", Model::Riscv64, DiskKind::Virtio, "virtio 0"),
    machine("orangepi-pc boots what it was given", Model::OrangepiPc, DiskKind::Sd, "mmc 0"),
];

/// The machine of [`super::cases`] is missing here: it is played at length there.
pub(crate) const WITH_LINUX: &[Machine] = &[
    linux("armhf by Linux, raw and zst", Model::Armhf, DiskKind::Virtio, "qemu-armhf", "zstd"),
    linux("x86_64 by Linux, raw and gz", Model::X86, DiskKind::Nvme, "qemu-x86_64", "gzip"),
    linux("orangepi-pc by Linux, raw and xz", Model::OrangepiPc, DiskKind::Sd, "qemu-orangepi", "xz"),
];

impl Machine {
    fn config(&self, folder: &Path) -> Config {
        let (file, cache) = (folder.join("disk"), Cache::default());
        let unpacked =
            Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/u-boot-sunxi")).join(ALLWINNER);
        let bios = (self.model == Model::OrangepiPc && unpacked.is_file()).then_some(unpacked);
        Config {
            bios,
            model: self.model,
            disk: Some(Disk { kind: self.disk, file, size: None, cache, blkdebug: None }),
            network: Some(BoardNetwork::default()),
            ..Config::default()
        }
    }

    /// What its machine needs and is not here.
    pub(crate) fn missing(&self) -> Option<String> {
        if self.bundle().is_some_and(|folder| !folder.join("manifest.yaml").is_file()) {
            return Some(format!("{}: its bundle is missing: cargo xtask qemu-bundle", self.name));
        }
        let config = self.config(Path::new("/"));
        let runs = std::process::Command::new(config.emulator()).arg("--version").output().is_ok();
        match (runs, config.boot_loader()) {
            (false, _) => Some(format!("{}: {} is missing", self.name, config.emulator().display())),
            (_, file) if !file.is_file() => Some(format!("{}: {} is missing", self.name, file.display())),
            _ => None,
        }
    }

    /// The folder of its bundle.
    fn bundle(&self) -> Option<PathBuf> {
        self.bundle.map(|name| super::bundles().join(name))
    }

    fn content(&self, seed: u64) -> Vec<u8> {
        if self.model != Model::OrangepiPc {
            return [noise(5 * MIB, seed), vec![0; 9 * MIB], noise(12 * MIB + 333, seed + 1)].concat();
        }
        // An image that brings the board's boot loader along, as one for this board must.
        let mut image = [noise(MIB, seed), vec![0; MIB]].concat();
        let code = fs::read(self.config(Path::new("/")).boot_loader()).unwrap();
        image[8192..8192 + code.len()].copy_from_slice(&code);
        image
    }

    /// Whether every byte that is not written is this one: the Orange Pi's boot loader is put onto an empty medium.
    fn old(&self) -> u8 {
        if self.model == Model::OrangepiPc { 0 } else { 0xa5 }
    }

    fn flasher_config(&self) -> FlasherConfig {
        let mut config = FlasherConfig { power_off_seconds: 0.0, ..FlasherConfig::default() };
        match self.bundle() {
            Some(bundle) => config.flasher_bundle = Some(bundle.display().to_string()),
            None => {
                config.via = Via::Uboot;
                config.targets = BTreeMap::from([("disk".to_owned(), self.device.to_owned())]);
                config.medium_holds_bootloader = self.model == Model::OrangepiPc;
            }
        }
        if self.cut {
            // A board without power answers nothing.
            config.timeouts.tftp = 20.0;
            config.timeouts.read_back = 20.0;
            config.timeouts.command = 20.0;
        }
        config
    }
}

/// Flashes the machine, looks at its disk from outside, and flashes those once more that boot from it or from Linux.
pub(crate) async fn play(machine: &Machine) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("disk"), vec![machine.old(); DISK]).unwrap();
    let board = QemuBoard::new(machine.config(folder));
    let has_linux = machine.bundle.is_some();
    prove(machine, &board, folder, 3, machine.packed.filter(|_| !has_linux)).await;
    if has_linux || machine.model == Model::OrangepiPc {
        // The Orange Pi boots the boot loader of its image.
        prove(machine, &board, folder, 5, machine.packed).await;
    }
    board.power().close().await.unwrap();
}

async fn prove(
    machine: &Machine,
    board: &Arc<QemuBoard>,
    folder: &Path,
    seed: u64,
    packed: Option<&'static str>,
) {
    let (name, content) = (machine.name, machine.content(seed));
    let image = packed.map_or_else(|| content.clone(), |tool| pack(tool, &content));
    fs::write(folder.join("image"), image).unwrap();
    let receipt = flash(machine, board, folder).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{name}: {:#?}", receipt.failure);
    assert_eq!(receipt.attempts, if machine.cut { 2 } else { 1 }, "{name}");
    let via = if machine.bundle.is_some() { ViaUsed::Linux } else { ViaUsed::Uboot };
    assert_eq!(receipt.medium.as_ref().unwrap().via, Some(via), "{name}");
    let disk = fs::read(folder.join("disk")).unwrap();
    assert!(disk[..content.len()] == *content, "{name}: a false success");
    assert!(disk[content.len()..].iter().all(|byte| *byte == machine.old()), "{name}: written behind it");
    println!("proven in {:.1} s, steps {:?}", receipt.seconds, receipt.steps);
}

async fn flash(machine: &Machine, board: &Arc<QemuBoard>, folder: &Path) -> Receipt {
    let children = BTreeMap::from([
        ("power".to_owned(), Device::Power(board.power(), None)),
        ("serial".to_owned(), Device::Serial(board.serial())),
        ("tftp".to_owned(), made("tftp", folder, "tftp", "{ root_dir: ./tftp }")),
        ("http".to_owned(), made("http", folder, "http", "{ port: 0, root_dir: ./http }")),
        ("uboot".to_owned(), made("uboot", Path::new("/"), "uboot", "{}")),
    ]);
    let wiring = Wiring::new("storage", folder, children);
    let Device::Flasher(flasher) = BaseFlasher::build(machine.flasher_config(), wiring).unwrap() else {
        panic!("no flasher")
    };
    let (cut, board) = (AtomicBool::new(machine.cut), Arc::clone(board));
    let progress = move |event: Event| {
        if let Event::Console { line, .. } = &event {
            println!("{line}");
        }
        let now = matches!(event, Event::Advanced { step: Step::Write, done, .. } if done > MIB as u64);
        if now && cut.swap(false, Ordering::Relaxed) {
            let board = Arc::clone(&board);
            tokio::spawn(async move { board.cut().await.unwrap() });
        }
    };
    let job =
        FlashJob { retries: u32::from(machine.cut), ..FlashJob::new(folder.join("image").to_str().unwrap()) };
    flasher.flash(job, Arc::new(progress)).await
}
