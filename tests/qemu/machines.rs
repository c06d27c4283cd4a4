//! Boards that have nothing but their boot loader: a real U-Boot of each machine writes the medium, and proves it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use board_qemu::{BoardNetwork, Cache, Config, Disk, DiskKind, Model, QemuBoard};
use driver_flasher::{BaseFlasher, FlasherConfig};
use flasher_core::flash::{Via, ViaUsed};
use flasher_core::{Device, DriverType, Event, FlashJob, Step, Verdict, Wiring};

use super::bench::made;
use crate::lab::{noise, pack};

/// The boot loader of the Orange Pi, where `cargo xtask test` unpacks its package.
const ALLWINNER: &str = "usr/lib/u-boot/orangepi_zero/u-boot-sunxi-with-spl.bin";
const MIB: usize = 1024 * 1024;
const DISK: usize = 64 * MIB;

/// A machine and what is flashed by its boot loader.
pub(crate) struct Machine {
    pub(crate) name: &'static str,
    model: Model,
    disk: DiskKind,
    /// What its U-Boot calls the medium.
    device: &'static str,
    /// Tool the image is packed with.
    packed: Option<&'static str>,
    /// The power is cut, once, while the image is written.
    cut: bool,
}

const fn machine(name: &'static str, model: Model, disk: DiskKind, device: &'static str) -> Machine {
    Machine { name, model, disk, device, packed: None, cut: false }
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
        let config = self.config(Path::new("/"));
        let runs = std::process::Command::new(config.emulator()).arg("--version").output().is_ok();
        match (runs, config.boot_loader()) {
            (false, _) => Some(format!("{}: {} is missing", self.name, config.emulator().display())),
            (_, file) if !file.is_file() => Some(format!("{}: {} is missing", self.name, file.display())),
            _ => None,
        }
    }

    fn content(&self) -> Vec<u8> {
        if self.model != Model::OrangepiPc {
            return [noise(5 * MIB, 3), vec![0; 9 * MIB], noise(12 * MIB + 333, 4)].concat();
        }
        // An image that brings the board's boot loader along, as one for this board must.
        let mut image = [noise(MIB, 3), vec![0; MIB]].concat();
        let code = fs::read(self.config(Path::new("/")).boot_loader()).unwrap();
        image[8192..8192 + code.len()].copy_from_slice(&code);
        image
    }
}

/// Flashes the machine, looks at its disk from outside, and has the Orange Pi boot from it.
pub(crate) async fn play(machine: &Machine) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // The Orange Pi's boot loader is put onto an empty medium.
    let old = if machine.model == Model::OrangepiPc { 0 } else { 0xa5 };
    fs::write(folder.join("disk"), vec![old; DISK]).unwrap();
    let content = machine.content();
    let packed = machine.packed.map_or_else(|| content.clone(), |tool| pack(tool, &content));
    fs::write(folder.join("image"), packed).unwrap();
    let board = QemuBoard::new(machine.config(folder));
    let receipt = flash(machine, &board, folder).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{}: {:#?}", machine.name, receipt.failure);
    assert_eq!(receipt.attempts, if machine.cut { 2 } else { 1 }, "{}", machine.name);
    assert_eq!(receipt.medium.as_ref().unwrap().via, Some(ViaUsed::Uboot));
    let disk = fs::read(folder.join("disk")).unwrap();
    assert!(disk[..content.len()] == *content, "{}: a false success", machine.name);
    assert!(disk[content.len()..].iter().all(|byte| *byte == old), "{}: written behind it", machine.name);
    if machine.model == Model::OrangepiPc {
        let again = flash(machine, &board, folder).await;
        assert_eq!(
            again.verdict,
            Verdict::Proven,
            "it boots the boot loader of its image: {:#?}",
            again.failure
        );
    }
    board.power().close().await.unwrap();
}

async fn flash(machine: &Machine, board: &Arc<QemuBoard>, folder: &Path) -> flasher_core::Receipt {
    let children = BTreeMap::from([
        ("power".to_owned(), Device::Power(board.power(), None)),
        ("serial".to_owned(), Device::Serial(board.serial())),
        ("tftp".to_owned(), made("tftp", folder, "tftp", "{ root_dir: ./tftp }")),
        ("http".to_owned(), made("http", folder, "http", "{ port: 0, root_dir: ./http }")),
        ("uboot".to_owned(), made("uboot", Path::new("/"), "uboot", "{}")),
    ]);
    let mut config = FlasherConfig {
        via: Via::Uboot,
        targets: BTreeMap::from([("disk".to_owned(), machine.device.to_owned())]),
        medium_holds_bootloader: machine.model == Model::OrangepiPc,
        power_off_seconds: 0.0,
        ..FlasherConfig::default()
    };
    if machine.cut {
        // A board without power answers nothing.
        config.timeouts.tftp = 20.0;
        config.timeouts.read_back = 20.0;
        config.timeouts.command = 20.0;
    }
    let Device::Flasher(flasher) =
        BaseFlasher::build(config, Wiring::new("storage", folder, children)).unwrap()
    else {
        panic!("no flasher")
    };
    let (cut, board) = (AtomicBool::new(machine.cut), Arc::clone(board));
    let progress = move |event: Event| {
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
