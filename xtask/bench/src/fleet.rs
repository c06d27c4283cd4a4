//! Several simulated boards in one command, against one command for each board, one after the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::measure;
use super::overhead::{self, allow_all};
use xtask_support::workspace::Workspace;

/// What is flashed, and on how many boards.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Boards
    #[arg(long, value_name = "N", default_value_t = 8)]
    boards: usize,
    /// Size of the image, MiB; it is packed with xz
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    mib: u64,
}

/// What a run cost.
#[derive(Clone, Copy, Debug)]
struct RunCost {
    /// Seconds of wall time.
    wall: f64,
    /// Seconds of all processors, of the process with its boards in it.
    cpu: f64,
    /// Peak resident memory, MiB.
    peak: f64,
}

/// The folder with everything, and the program.
struct Lab {
    flasher: PathBuf,
    folder: PathBuf,
    length: u64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let root = Workspace::load()?.root;
    let folder = std::env::temp_dir().join(format!("flasher-bench-{}", std::process::id()));
    let lab = Lab { flasher: measure::flasher(&root)?, folder, length: args.mib << 20 };
    let outcome = lab.prepare(&root, args.boards).and_then(|()| lab.measured(args));
    fs::remove_dir_all(&lab.folder)?;
    outcome
}

impl Lab {
    fn prepare(&self, root: &Path, boards: usize) -> Result<()> {
        overhead::bench(root, &self.folder, self.length)?;
        for (file, fault) in [("boards.yaml", ""), ("killed.yaml", "cut_power_after_bytes: HALF")] {
            let fault = fault.replace("HALF", &(self.length / 4).to_string());
            let board = |index| self.board(index, if index == 0 { &fault } else { "" });
            let boards: String = (0..boards).map(board).collect();
            fs::write(self.folder.join(file), format!("export:\n{boards}"))?;
        }
        let image = self.folder.join("image");
        measure::image(&image, self.length, 50)?;
        let packed = Command::new("xz").args(["-0", "-T0"]).arg(&image).status().context("xz")?;
        if !packed.success() {
            bail!("the image cannot be packed: {packed}");
        }
        Ok(())
    }

    fn board(&self, index: usize, fault: &str) -> String {
        format!(
            "  board-{index}: {{ type: sim-board, config: {{ medium: ./medium-{index}, size: {}, bootdelay: 3, faults: {{ {fault} }} }} }}
  b{index}:
    type: flasher
    config: {{ flasher_bundle: ./bundle, power_off_seconds: 0 }}
    children:
      serial: {{ ref: board-{index}.serial }}
      power: {{ ref: board-{index}.power }}
      tftp: {{ type: tftp, config: {{ port: 0, root_dir: ./tftp-{index} }} }}
      http: {{ type: http, config: {{ port: 0, root_dir: ./http-{index} }} }}
",
            self.length
        )
    }

    /// A flash with an empty cache and media that hold nothing of the image.
    fn flash(&self, file: &str, which: &[&str], boards: std::ops::Range<usize>) -> Result<RunCost> {
        for index in boards {
            let medium = self.folder.join(format!("medium-{index}"));
            fs::File::create(&medium)?.set_len(self.length)?;
            allow_all(&medium)?;
        }
        let mut command = Command::new(&self.flasher);
        command.current_dir(&self.folder).args(["--quiet", "--exporter", file, "flash", "image.xz"]);
        command.args(["--no-ledger", "--retries", "0"]).args(which);
        command.env("FLASHER_CACHE_DIR", self.folder.join("cache"));
        let (begun, before) = (Instant::now(), children_cpu()?);
        let peak = match measure::run(&mut command) {
            Ok(cost) => cost.peak,
            // One of its boards was to fail.
            Err(_) if file == "killed.yaml" => f64::NAN,
            Err(error) => return Err(error),
        };
        Ok(RunCost { wall: begun.elapsed().as_secs_f64(), cpu: children_cpu()? - before, peak })
    }

    fn measured(&self, args: &Args) -> Result<()> {
        let boards = args.boards;
        let (mut wall, mut cpu, mut peak) = (0.0, 0.0, 0.0_f64);
        for index in 0..boards {
            self.forget()?;
            let one = self.flash("boards.yaml", &["--device", &format!("b{index}")], index..index + 1)?;
            println!("b{index} alone: {one:.1?}");
            (wall, cpu, peak) = (wall + one.wall, cpu + one.cpu, peak.max(one.peak));
        }
        self.forget()?;
        let together = self.flash("boards.yaml", &["--all"], 0..boards)?;
        println!("together: {together:.1?}");
        self.forget()?;
        let killed = self.flash("killed.yaml", &["--all"], 0..boards)?;
        println!("together, one cut: {killed:.1?}");
        println!("\n{boards} simulated boards, {} MiB packed with xz, half of it data:", args.mib);
        println!(
            "  wall, one command      {:6.1} s, {:.2} of {wall:.1} s one after the other (goal: at most 0.33)",
            together.wall,
            together.wall / wall
        );
        println!("  processors             {:6.1} s, {:.2} of {cpu:.1} s", together.cpu, together.cpu / cpu);
        println!(
            "  peak memory            {:6.1} MiB, of one alone {peak:.1} MiB (goal: at most {} MiB)",
            together.peak,
            96 + 24 * boards
        );
        println!(
            "  with one power cut     {:6.1} s, {:.2} of without (goal: at most 1.02)",
            killed.wall,
            killed.wall / together.wall
        );
        Ok(())
    }

    /// Has the next run fetch and decode for itself.
    fn forget(&self) -> Result<()> {
        let cache = self.folder.join("cache");
        if cache.exists() { fs::remove_dir_all(cache).context("the cache") } else { Ok(()) }
    }
}

/// Seconds that ended children of this process took of all processors.
fn children_cpu() -> Result<f64> {
    measure::cpu(Path::new("/proc/self/stat"), measure::Whose::Children)
}
