//! What 10 000 receipts in the ledger cost: listing jobs, and one more flash that is kept.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, UNIX_EPOCH};

use ::ledger::Ledger;
use anyhow::{Context, Result, bail};
use flasher_core::{Receipt, clock};

use super::measure::{self, median};
use super::overhead;
use xtask_support::workspace::Workspace;

/// Receipts in the ledger.
const RECEIPTS: u32 = 10_000;
/// Size of the image and of the medium, bytes.
const LENGTH: u64 = 64 << 20;
const RUNS: usize = 9;

pub(crate) fn run() -> Result<()> {
    let root = Workspace::load()?.root;
    let flasher = measure::flasher(&root)?;
    let lab = std::env::temp_dir().join(format!("flasher-bench-{}", std::process::id()));
    let outcome = measured(&flasher, &root, &lab);
    fs::remove_dir_all(&lab)?;
    outcome
}

fn measured(flasher: &Path, root: &Path, lab: &Path) -> Result<()> {
    overhead::bench(root, lab, LENGTH)?;
    measure::image(&lab.join("image"), LENGTH, 100)?;
    fs::write(lab.join("medium"), vec![0xa5; usize::try_from(LENGTH)?])?;
    overhead::allow_all(&lab.join("medium"))?;
    let receipt = lab.join("receipt.json");
    measure::run(flash(flasher, lab).arg("--no-ledger").arg("--receipt").arg(&receipt))?;
    let receipt = Receipt::read(&fs::read_to_string(receipt)?).context("the receipt of a flash")?;
    let begun = Instant::now();
    fill(&Ledger::at(lab.join("state/flasher/ledger.sqlite")), &receipt)?;
    println!("{RECEIPTS} receipts were kept in {:.1} s", begun.elapsed().as_secs_f64());
    let wall = |command: &mut Command| -> Result<f64> { Ok(measure::run(command)?.wall * 1e3) };
    let (mut list, mut start, mut with, mut without) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for run in 0..=RUNS {
        let listed = wall(Command::new(flasher).env("XDG_STATE_HOME", lab.join("state")).arg("history"))?;
        let started = wall(Command::new(flasher).arg("drivers"))?;
        let kept = wall(&mut flash(flasher, lab))?;
        let plain = wall(flash(flasher, lab).arg("--no-ledger"))?;
        if run > 0 {
            println!("run {run}: history {listed:.1} ms, flash {kept:.0} ms, without a ledger {plain:.0} ms");
            list.push(listed);
            start.push(started);
            with.push(kept);
            without.push(plain);
        }
    }
    let (with, without) = (median(with), median(without));
    println!("\nmedians of {RUNS}, with {RECEIPTS} receipts of {} ranges each:", ranges(&receipt));
    println!("  flasher history          {:7.1} ms (goal: at most 50)", median(list));
    println!("  flasher drivers          {:7.1} ms (a start, for comparison)", median(start));
    println!("  a flash, kept            {with:7.1} ms");
    println!("  a flash, --no-ledger     {without:7.1} ms");
    println!("  difference               {:7.1} ms (goal: at most 20)", with - without);
    Ok(())
}

fn ranges(receipt: &Receipt) -> usize {
    receipt.medium.as_ref().map_or(0, |medium| medium.ranges.len())
}

/// Keeps many receipts of jobs one after the other.
fn fill(ledger: &Ledger, receipt: &Receipt) -> Result<()> {
    let now = clock::parse(&receipt.begun).context("when the flash began")?;
    for index in 0..RECEIPTS {
        // One job in ten minutes, so that none is too old to be kept.
        let begun = now - i64::from(RECEIPTS - index) * 600_000;
        let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(begun)?);
        let mut one = receipt.clone();
        one.begun = clock::milliseconds(at);
        one.started = u64::try_from(begun / 1000)?;
        one.site.node = Some(format!("board-{}", index % 16));
        if let Err(error) = ledger.keep(&one.sealed()) {
            bail!("a receipt is not kept: {error}");
        }
    }
    Ok(())
}

/// A flash of the image that the medium holds already, so that little else is measured.
fn flash(flasher: &Path, lab: &Path) -> Command {
    let mut command = Command::new(flasher);
    command.env("XDG_STATE_HOME", lab.join("state"));
    command.args(["--json", "--exporter"]).arg(lab.join("exporter.yaml")).arg("flash").arg(lab.join("image"));
    command
}
