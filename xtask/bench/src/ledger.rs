//! What 10 000 receipts in the ledger cost: listing jobs, and one more flash that is kept.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::measure::{self, median};
use super::overhead;
use xtask_support::workspace::Workspace;

/// Receipts in the ledger.
const RECEIPTS: u32 = 10_000;
/// Size of the image and of the medium, bytes.
const LENGTH: u64 = 64 << 20;
const RUNS: usize = 9;
/// Copies the one row of the table; what must be another in each is.
const FILL: &str = "
import sqlite3, sys
ledger = sqlite3.connect(sys.argv[1])
columns = [row[1] for row in ledger.execute('PRAGMA table_info(receipts)') if row[1] != 'id']
(first,) = ledger.execute(f'SELECT {\",\".join(columns)} FROM receipts')
with ledger:
    for index in range(int(sys.argv[2])):
        row = dict(zip(columns, first))
        row['sha256'] = f'{index:064x}'
        row['begun'] = f'2026-{1 + index // 1000:02}-{1 + index // 40 % 25:02}T{index % 24:02}:00:00.000Z'
        row['node'] = f'board-{index % 16}'
        marks = ','.join('?' * len(columns))
        ledger.execute(f'INSERT INTO receipts ({\",\".join(columns)}) VALUES ({marks})', list(row.values()))
";

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
    measure::run(&mut flash(flasher, lab))?;
    fill(&lab.join("state/flasher/ledger.sqlite"))?;
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
    println!("\nmedians of {RUNS}, with {RECEIPTS} receipts of an image of {} MiB:", LENGTH >> 20);
    println!("  flasher history          {:7.1} ms (goal: at most 50)", median(list));
    println!("  flasher drivers          {:7.1} ms (a start, for comparison)", median(start));
    println!("  a flash, kept            {with:7.1} ms");
    println!("  a flash, --no-ledger     {without:7.1} ms");
    println!("  difference               {:7.1} ms (goal: at most 20)", with - without);
    Ok(())
}

/// Fills the ledger with copies of its only receipt, each of another time and board.
fn fill(ledger: &Path) -> Result<()> {
    let mut python = Command::new("python3");
    let status = python.args(["-c", FILL]).arg(ledger).arg(RECEIPTS.to_string()).status()?;
    if !status.success() {
        bail!("the ledger cannot be filled: {status}");
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
