//! Our proven flash of the emulated board against a script that pipes `wget` into `dd` on the same board and checks
//! nothing, in turns.

mod table;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::measure;
use table::{Rounds, Run};
use xtask_support::workspace::Workspace;

pub(super) const MIB: u64 = 1024 * 1024;
/// Size of the board's disk.
const DISK: u64 = 512 * MIB;
/// Percent of an image that is data; the rest is zeros.
const DATA: u64 = 40;
/// Bound on one flash, seconds; `timeout` (coreutils) keeps it.
const BOUND: &str = "600";
const PLAIN: &str = include_str!("plain.py");

/// How often to measure.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Runs of each kind per image; the table shows medians
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

/// What is flashed.
struct Image {
    name: String,
    /// As it is written to the disk.
    raw: PathBuf,
    /// As it is given to flash.
    source: PathBuf,
    length: u64,
}

/// Programs and folders.
pub(super) struct Bench {
    pub(super) flasher: PathBuf,
    bundle: PathBuf,
    pub(super) lab: PathBuf,
    /// Size of the board's disk, bytes.
    disk: u64,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let bench = Bench::new(DISK)?;
    let outcome = bench.measured(args.runs);
    fs::remove_dir_all(&bench.lab)?;
    outcome
}

/// The board's bundle, where `flasher demo --qemu` finds it too.
fn bundle(root: &Path) -> Result<PathBuf> {
    let bundles = std::env::var_os("FLASHER_QEMU_BUNDLES").filter(|text| !text.is_empty());
    let bundles = bundles.map_or_else(|| root.join("target/qemu-bundle"), PathBuf::from);
    let bundle = bundles.join("qemu-virt");
    if !bundle.join("manifest.yaml").is_file() {
        bail!(
            "no bundle in `{}`: run `cargo xtask qemu-bundle`, or set FLASHER_QEMU_BUNDLES",
            bundle.display()
        );
    }
    Ok(fs::canonicalize(bundle)?)
}

impl Bench {
    /// Of a board with a disk of `disk` bytes. Builds the release binary.
    pub(super) fn new(disk: u64) -> Result<Self> {
        let root = Workspace::load()?.root;
        let bundle = bundle(&root)?;
        let flasher = measure::flasher(&root)?;
        let lab = std::env::temp_dir().join(format!("flasher-bench-{}", std::process::id()));
        Ok(Self { flasher, bundle, lab, disk })
    }

    fn measured(&self, runs: u32) -> Result<()> {
        self.prepare()?;
        let mut all = Vec::new();
        for length in [32 * MIB, 256 * MIB] {
            for image in self.images(length)? {
                let rounds = self.rounds(&image, runs)?;
                all.push((image.name, rounds));
            }
        }
        print!("{}", table::text(&all, runs));
        Ok(())
    }

    /// Writes what every run needs.
    pub(super) fn prepare(&self) -> Result<()> {
        self.prepare_with("")
    }

    /// Does so with `more` keys in the flasher's config, as `, via: uboot`.
    pub(super) fn prepare_with(&self, more: &str) -> Result<()> {
        fs::create_dir_all(&self.lab)?;
        fs::write(self.lab.join("plain.py"), PLAIN)?;
        // A text of JSON is one of YAML.
        let bundle = Value::from(self.bundle.to_str().context("the path of the bundle is no UTF-8")?);
        let disk = self.disk / MIB;
        let exporter = format!(
            "export:
  board:
    type: qemu-board
    config:
      disk: {{ kind: virtio, file: ./disk, size: {disk}MiB }}
      network: {{ tap: qtap0, address: 10.77.0.1/24, board: 10.77.0.50, dhcp: true }}
  storage:
    type: flasher
    config: {{ flasher_bundle: {bundle}, power_off_seconds: 0{more} }}
    children:
      serial: {{ ref: board.serial }}
      power: {{ ref: board.power }}
      tftp: {{ type: tftp, config: {{ root_dir: ./tftp }} }}
      http: {{ type: http, config: {{ port: 0, root_dir: ./http }} }}
"
        );
        Ok(fs::write(self.lab.join("exporter.yaml"), exporter)?)
    }

    /// An image of `length` bytes, raw and packed.
    fn images(&self, length: u64) -> Result<[Image; 2]> {
        let name = format!("{} MiB", length / MIB);
        let raw = self.lab.join(format!("{length}.img"));
        measure::image(&raw, length, DATA)?;
        measure::run(Command::new("xz").args(["-T0", "-1", "--keep"]).arg(&raw))?;
        let packed = self.lab.join(format!("{length}.img.xz"));
        Ok([
            Image { name: format!("{name} raw"), raw: raw.clone(), source: raw.clone(), length },
            Image { name: format!("{name} xz"), raw, source: packed, length },
        ])
    }

    /// In turns, so that a busy minute of this machine slows both.
    fn rounds(&self, image: &Image, runs: u32) -> Result<Rounds> {
        let mut rounds = Rounds::default();
        for run in 1..=runs {
            let ours = self.flashed(image, self.ours(image), &steps).context("our flash")?;
            let plain = self.flashed(image, self.plain(image), &plain_parts).context("the plain way")?;
            println!("{}, run {run}: ours {:.2} s, plain {:.2} s", image.name, ours.wall, plain.wall);
            rounds.ours.push(ours);
            rounds.plain.push(plain);
        }
        Ok(rounds)
    }

    /// One flash of an empty disk. Afterwards, untimed, the disk must hold the image: what went wrong is no figure.
    fn flashed(&self, image: &Image, mut command: Command, parts: &Parts) -> Result<Run> {
        self.empty()?;
        let (cost, said) = measure::output(&mut command)?;
        let mut compare = Command::new("cmp");
        compare.args(["-n", &image.length.to_string()]).args([&image.raw, &self.disk()]);
        measure::run(&mut compare).context("the disk does not hold the image")?;
        Ok(Run { wall: cost.wall, parts: parts(&said)? })
    }

    /// An empty disk.
    pub(super) fn empty(&self) -> Result<()> {
        Ok(File::create(self.disk())?.set_len(self.disk)?)
    }

    fn disk(&self) -> PathBuf {
        self.lab.join("disk")
    }

    fn ours(&self, image: &Image) -> Command {
        self.flash(&image.source)
    }

    /// A flash that tells its events.
    pub(super) fn flash(&self, source: &Path) -> Command {
        let mut command = self.sandbox();
        command.arg(&self.flasher).args(["--json", "--exporter"]).arg(self.lab.join("exporter.yaml"));
        command.arg("flash").arg(source).args(["--retries", "0"]);
        command
    }

    fn plain(&self, image: &Image) -> Command {
        let mut command = self.sandbox();
        command.arg("python3").arg(self.lab.join("plain.py")).arg(&self.bundle).arg(&image.source);
        command.arg(self.disk()).arg(image.length.to_string());
        command
    }

    fn sandbox(&self) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--foreground", "--kill-after=10", BOUND]).arg(&self.flasher).args(["sandbox", "--"]);
        command
    }
}

/// Reads the seconds of each part out of what a command printed.
type Parts = dyn Fn(&str) -> Result<BTreeMap<String, f64>>;

/// Steps out of our events; the job must have ended proven.
pub(super) fn steps(said: &str) -> Result<BTreeMap<String, f64>> {
    let mut steps = BTreeMap::new();
    let mut proven = false;
    for line in said.lines() {
        let event: Value = serde_json::from_str(line).with_context(|| format!("no event: `{line}`"))?;
        match event["event"].as_str() {
            Some("step-done") => {
                let step = event["step"].as_str().context("a step without a name")?;
                *steps.entry(step.to_owned()).or_default() +=
                    event["seconds"].as_f64().context("no seconds")?;
            }
            Some("finished") => proven = event["receipt"]["verdict"] == "proven",
            _ => {}
        }
    }
    if !proven {
        bail!("the flash was not proven");
    }
    Ok(steps)
}

fn plain_parts(said: &str) -> Result<BTreeMap<String, f64>> {
    serde_json::from_str(said).with_context(|| format!("no seconds: `{said}`"))
}

#[cfg(test)]
mod tests;
