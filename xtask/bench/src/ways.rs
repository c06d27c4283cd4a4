//! Each way to a medium: the boot loader by itself against Linux on the emulated board, and a disk of this machine against `bmaptool`
//! and `sha256sum` on the same loop device. In turns, proven each time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::measure::{self, median};
use crate::qemu::{self, Bench, MIB};

/// Percent of an image that is data; the rest is zeros.
const DATA: u64 = 40;
/// Size of the emulated board's disk, bytes.
const DISK: u64 = 512 * MIB;
/// Size of the image for a disk of this machine, bytes.
const HOST_IMAGE: u64 = 1024 * MIB;

/// How often to measure.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Runs of each kind; the median counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let bench = Bench::new(DISK)?;
    let outcome = boot_loader(&bench, args.runs).and_then(|()| host(&bench, args.runs));
    fs::remove_dir_all(&bench.lab)?;
    outcome
}

/// The boot loader against Linux.
fn boot_loader(bench: &Bench, runs: u32) -> Result<()> {
    bench.prepare_with(", targets: { virtio: virtio 0 }")?;
    let raw = bench.lab.join("small.img");
    measure::image(&raw, 32 * MIB, DATA)?;
    let packed = bench.lab.join("large.img");
    measure::image(&packed, 256 * MIB, DATA)?;
    measure::run(Command::new("xz").args(["-T0", "-1"]).arg(&packed))?;
    for (name, image, wanted) in
        [("32 MiB raw", raw, 0.6), ("256 MiB xz", bench.lab.join("large.img.xz"), 1.3)]
    {
        let by = |via: &str| -> Result<f64> {
            bench.empty()?;
            let (cost, said) =
                measure::output(bench.flash(&image).args(["--target", "virtio", "--via", via]))?;
            qemu::steps(&said).with_context(|| format!("{name} by {via}"))?;
            Ok(cost.wall)
        };
        turns(name, runs, wanted, ("boot loader", &|| by("uboot")), ("Linux", &|| by("linux")))?;
    }
    Ok(())
}

/// A disk of this machine against bmaptool and sha256sum.
fn host(bench: &Bench, runs: u32) -> Result<()> {
    let image = bench.lab.join("host.img");
    measure::image(&image, HOST_IMAGE, DATA)?;
    // bmaptool leaves out what the file system does not keep, so zeros have to be holes.
    measure::run(Command::new("fallocate").arg("--dig-holes").arg(&image))?;
    let map = bench.lab.join("host.bmap");
    measure::run(Command::new("bmaptool").arg("create").arg("--output").args([&map, &image]))
        .context("bmaptool of the package bmap-tools")?;
    let disk = LoopDisk::new(&bench.lab)?;
    let ours = || -> Result<f64> {
        disk.empty()?;
        let mut flash = Command::new(&bench.flasher);
        flash.args(["--json", "--exporter"]).arg(bench.lab.join("host.yaml")).arg("flash").arg(&image);
        let (cost, said) = measure::output(flash.args(["--retries", "0", "--no-ledger"]))?;
        qemu::steps(&said).context("our flash")?;
        Ok(cost.wall)
    };
    let theirs = || -> Result<f64> {
        disk.empty()?;
        let mut copy = Command::new("bmaptool");
        let copied = measure::run(copy.args(["copy", "--bmap"]).args([&map, &image, &disk.device]))?.wall;
        Ok(copied + measure::run(Command::new("sha256sum").arg(&disk.device))?.wall)
    };
    turns("1 GiB to a disk of this machine", runs, 1.0, ("flasher", &ours), ("bmaptool, sha256sum", &theirs))
}

/// What is measured: its name and one run of it, which gives its seconds.
type Measured<'a> = (&'a str, &'a dyn Fn() -> Result<f64>);

/// Runs both in turns and prints the ratio of their medians.
fn turns(name: &str, runs: u32, wanted: f64, ours: Measured<'_>, peer: Measured<'_>) -> Result<()> {
    let (mut own, mut other) = (Vec::new(), Vec::new());
    for run in 1..=runs {
        own.push((ours.1)()?);
        other.push((peer.1)()?);
        if let (Some(own), Some(other)) = (own.last(), other.last()) {
            println!("{name}, run {run}: {} {own:.2} s, {} {other:.2} s", ours.0, peer.0);
        }
    }
    let (own, other) = (median(own), median(other));
    println!("{name}: {own:.2} s against {other:.2} s, ratio {:.2} (goal: at most {wanted})", own / other);
    Ok(())
}

/// A file as a disk of this machine, and an exporter that writes it; detached when dropped.
struct LoopDisk {
    file: PathBuf,
    device: PathBuf,
}

impl LoopDisk {
    fn new(lab: &Path) -> Result<Self> {
        let file = lab.join("host-disk");
        File::create(&file)?.set_len(HOST_IMAGE)?;
        let mut attach = Command::new("losetup");
        let (_, said) = measure::output(attach.args(["--find", "--show"]).arg(&file))
            .context("a loop device, which needs root")?;
        let disk = Self { file, device: PathBuf::from(said.trim()) };
        let name = lab.join("medium-of-the-bench");
        std::os::unix::fs::symlink(&disk.device, &name)?;
        let yaml = format!(
            "export:
  storage:
    type: flasher
    config: {{ via: host, targets: {{ disk: {} }}, host: {{ may_hold: [swap, lvm, raid] }} }}
",
            name.display()
        );
        fs::write(lab.join("host.yaml"), yaml)?;
        Ok(disk)
    }

    /// Has nothing of the image on the disk, and nothing of it in memory.
    fn empty(&self) -> Result<()> {
        measure::run(Command::new("blkdiscard").arg(&self.device))?;
        measure::run(Command::new("sync").arg(&self.file))?;
        measure::run(Command::new("blockdev").arg("--flushbufs").arg(&self.device))?;
        Ok(())
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        Command::new("losetup").arg("--detach").arg(&self.device).status().ok(); // a disk that stays is no figure
    }
}
