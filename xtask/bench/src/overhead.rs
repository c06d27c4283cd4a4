//! Our wall time on the simulated board, minus that of moving and hashing the same bytes with curl, dd and sha256sum.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::measure::{self, Cost, median};
use xtask_support::workspace::Workspace;

const LENGTH: u64 = 256 * 1024 * 1024;
const RUNS: usize = 5;

pub(crate) fn run() -> Result<()> {
    let root = Workspace::load()?.root;
    let flasher = measure::flasher(&root)?;
    let lab = std::env::temp_dir().join(format!("flasher-bench-{}", std::process::id()));
    let outcome = measured(&flasher, &root, &lab);
    fs::remove_dir_all(&lab)?;
    outcome
}

fn measured(flasher: &Path, root: &Path, lab: &Path) -> Result<()> {
    prepare(root, lab)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for run in 0..=RUNS {
        fs::write(lab.join("medium"), vec![0xa5; LENGTH as usize])?;
        allow_all(&lab.join("medium"))?;
        let flash = measure::run(&mut flash(flasher, lab))?;
        let plain = measure::run(&mut plain(lab))?;
        if run > 0 {
            println!("run {run}: flash {:.2} s, curl|dd and sha256sum {:.2} s", flash.wall, plain.wall);
            ours.push(flash);
            theirs.push(plain);
        }
    }
    report(&ours, &theirs);
    Ok(())
}

fn report(ours: &[Cost], theirs: &[Cost]) {
    let of = |costs: &[Cost], pick: fn(&Cost) -> f64| median(costs.iter().map(pick).collect());
    let (flash, plain) = (of(ours, |cost| cost.wall), of(theirs, |cost| cost.wall));
    println!("\n256 MiB raw, all data, medians of {RUNS}:");
    println!("  proven flash on the simulated board   {flash:7.2} s");
    println!("  curl | dd, then sha256sum             {plain:7.2} s");
    println!("  difference                            {:7.2} s   (goal: at most 1.0)", flash - plain);
    println!(
        "  start to first event                  {:7.1} ms  (goal: at most 30)",
        of(ours, |cost| cost.first_line) * 1e3
    );
    println!(
        "  peak memory of flasher flash          {:7.1} MiB (goal: at most 64)",
        of(ours, |cost| cost.peak)
    );
}

fn prepare(root: &Path, lab: &Path) -> Result<()> {
    bench(root, lab, LENGTH)?;
    measure::image(&lab.join("image"), LENGTH, 100)
}

/// A folder with the exporter YAML and the bundle of a simulated board, whose `medium` has `length` bytes.
pub(super) fn bench(root: &Path, lab: &Path, length: u64) -> Result<()> {
    fs::create_dir_all(lab.join("bundle/data"))?;
    allow_all(lab)?;
    let manifest = root.join("crates/flasher-bundles/boards/sim.yaml");
    fs::copy(manifest, lab.join("bundle/manifest.yaml"))?;
    for name in ["kernel", "initramfs", "sim.dtb"] {
        fs::write(lab.join("bundle/data").join(name), [1; 1000])?;
    }
    let exporter = format!(
        "export:
  board: {{ type: sim-board, config: {{ medium: ./medium, size: {length}, bootdelay: 1 }} }}
  storage:
    type: flasher
    config: {{ flasher_bundle: ./bundle, power_off_seconds: 0 }}
    children:
      serial: {{ ref: board.serial }}
      power: {{ ref: board.power }}
      tftp: {{ type: tftp, config: {{ port: 0, root_dir: ./tftp }} }}
      http: {{ type: http, config: {{ port: 0, root_dir: ./http }} }}
"
    );
    fs::write(lab.join("exporter.yaml"), exporter)?;
    Ok(())
}

fn flash(flasher: &Path, lab: &Path) -> Command {
    let mut command = Command::new(flasher);
    command.args(["--json", "--exporter"]).arg(lab.join("exporter.yaml")).arg("flash").arg(lab.join("image"));
    command
}

fn plain(lab: &Path) -> Command {
    let mut command = Command::new("sh");
    command.current_dir(lab).args([
        "-c",
        "curl -s \"file://$PWD/image\" | dd of=medium bs=1M iflag=fullblock conv=notrunc,fsync 2>/dev/null && sha256sum medium",
    ]);
    command
}

/// The simulated board may run as another user.
pub(super) fn allow_all(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o777))?;
    Ok(())
}
