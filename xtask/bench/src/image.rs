//! How fast images are decoded and flashed, against the tools people use, measured in turns in the same run.

mod content;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::measure::{self, Cost, median};
use super::overhead;
use xtask_support::packages;
use xtask_support::workspace::Workspace;

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Length of the image, MiB; 40 % of it are data
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// Rounds; the first one is not counted
    #[arg(long, default_value_t = 4)]
    rounds: usize,
    /// Measure only this; `decode` needs no build of the whole command line
    #[arg(long, value_name = "PART")]
    only: Option<Measured>,
}

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Measured {
    /// Decoding, beside the tools that unpack
    Decode,
    /// Whole flashes onto a file
    Flash,
}

/// Commands measured in turns.
struct Row {
    name: &'static str,
    command: Box<dyn Fn() -> Command>,
    /// Ours; what a shell runs takes memory that is not the shell's.
    ours: bool,
    costs: Vec<Cost>,
}

fn ours(name: &'static str, command: impl Fn() -> Command + 'static) -> Row {
    Row { name, command: Box::new(command), ours: true, costs: Vec::new() }
}

/// What a shell runs in `folder`.
fn peer(name: &'static str, folder: &Path, text: String) -> Row {
    let folder = folder.to_owned();
    Row { name, command: Box::new(move || sh(&folder, &text)), ours: false, costs: Vec::new() }
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    packages::require(&["xz-utils", "zstd", "pigz", "curl", "bmap-tools"])?;
    let root = Workspace::load()?.root;
    let lab = std::env::temp_dir().join(format!("flasher-bench-{}", std::process::id()));
    let outcome = measured(args, &root, &lab);
    fs::remove_dir_all(&lab)?;
    outcome
}

fn measured(args: &Args, root: &Path, lab: &Path) -> Result<()> {
    overhead::bench(root, lab, args.mib << 20)?;
    content::image(&lab.join("os.img"), args.mib)?;
    for pack in ["zstd -q -3 -T0 -k os.img", "xz -1 -T0 -k os.img", "pigz -6 -k os.img"] {
        shell(lab, pack)?;
    }
    if args.only != Some(Measured::Flash) {
        let decode = example(root)?;
        for (file, tool) in [
            ("os.img.zst", "zstd -q -d -c os.img.zst"),
            ("os.img.xz", "xz -d -c -T0 os.img.xz"),
            ("os.img.gz", "pigz -d -c os.img.gz"),
        ] {
            decoding(args, &decode, lab, file, tool)?;
        }
    }
    match args.only {
        Some(Measured::Decode) => Ok(()),
        _ => flashing(args, &measure::flasher(root)?, lab),
    }
}

/// Ours hashes source, image and ranges besides; the peer with `sha256sum` behind it does a part of that.
fn decoding(args: &Args, decode: &Path, lab: &Path, file: &'static str, tool: &'static str) -> Result<()> {
    let (decode, here) = (decode.to_owned(), lab.to_owned());
    let mut rows = [
        ours("decode, map, digests", move || in_folder(&here, Command::new(&decode), &[file])),
        peer("tool to /dev/null", lab, format!("{tool} > /dev/null")),
        peer("tool to sha256sum", lab, format!("{tool} | sha256sum > /dev/null")),
    ];
    take_turns(args.rounds, &mut rows, || Ok(()))?;
    println!("\n{file}: `{tool}`, {} MiB decoded, medians of {}:", args.mib, args.rounds - 1);
    report(&rows, args.mib);
    Ok(())
}

/// A flash on the simulated board boots it, writes, reads back and proves; its peers only write.
fn flashing(args: &Args, flasher: &Path, lab: &Path) -> Result<()> {
    let medium = lab.join("medium");
    let flash = |more: &'static [&'static str]| {
        let (flasher, lab) = (flasher.to_owned(), lab.to_owned());
        move || {
            let mut command = Command::new(&flasher);
            command.args(["--json", "--exporter"]).arg(lab.join("exporter.yaml")).arg("flash");
            command.arg(lab.join("os.img.xz")).args(more);
            if !more.contains(&"--no-cache") {
                command.arg("--cache-dir").arg(lab.join("cache"));
            }
            command
        }
    };
    let (anew, cache) = (flash(&[]), lab.join("cache"));
    let first = move || {
        // It is not there yet the first time.
        let _ = fs::remove_dir_all(&cache);
        anew()
    };
    let plain = "curl -s file://$PWD/os.img.xz | xzcat -T0 | dd of=medium bs=1M iflag=fullblock oflag=direct conv=notrunc,fsync 2>/dev/null";
    let mut rows = [
        ours("proven flash, the first", first),
        ours("proven flash, cached", flash(&[])),
        ours("proven flash, no cache", flash(&["--no-cache"])),
        ours("no cache, not proven", flash(&["--no-cache", "--verify", "off"])),
        peer("curl | xzcat | dd", lab, plain.to_owned()),
        peer("the same, then sha256sum", lab, format!("{plain}; sha256sum medium >/dev/null")),
        peer("bmaptool --nobmap", lab, "bmaptool -q copy --nobmap os.img.xz medium".to_owned()),
    ];
    take_turns(args.rounds, &mut rows, || wipe(&medium, args.mib))?;
    println!("\nxz to a file as medium, {} MiB, 40 % data, medians of {}:", args.mib, args.rounds - 1);
    report(&rows, args.mib);
    Ok(())
}

/// Stale good content once made failed flashes look good.
fn wipe(medium: &Path, mib: u64) -> Result<()> {
    let mut file = fs::File::create(medium)?;
    for _ in 0..mib {
        std::io::Write::write_all(&mut file, &[0xa5; 1 << 20])?;
    }
    file.sync_all()?;
    overhead::allow_all(medium)
}

fn take_turns(rounds: usize, rows: &mut [Row], before: impl Fn() -> Result<()>) -> Result<()> {
    ensure!(rounds >= 2, "the first round is not counted, so there must be two");
    for round in 0..rounds {
        for row in &mut *rows {
            before()?;
            let cost = measure::run(&mut (row.command)()).with_context(|| row.name)?;
            if round > 0 {
                row.costs.push(cost);
            }
        }
    }
    Ok(())
}

/// Each row, and how many times faster than it the first one is.
fn report(rows: &[Row], mib: u64) {
    let wall = |row: &Row| median(row.costs.iter().map(|cost| cost.wall).collect());
    let ours = rows.first().map_or(f64::NAN, wall);
    for row in rows {
        let (wall, peak) = (wall(row), median(row.costs.iter().map(|cost| cost.peak).collect()));
        let (speed, ratio) = (mib as f64 / wall, wall / ours);
        let peak = if row.ours { format!("  peak {peak:.0} MiB") } else { String::new() };
        println!("  {:26} {wall:7.2} s {speed:7.0} MiB/s  ours x {ratio:.2}{peak}", row.name);
    }
}

fn sh(folder: &Path, text: &str) -> Command {
    in_folder(folder, Command::new("sh"), &["-c", text])
}

fn in_folder(folder: &Path, mut command: Command, arguments: &[&str]) -> Command {
    command.current_dir(folder).args(arguments);
    command
}

fn shell(folder: &Path, text: &str) -> Result<()> {
    match sh(folder, text).status()? {
        status if status.success() => Ok(()),
        status => bail!("`{text}` ended with {status}"),
    }
}

/// Builds the example that decodes to nothing, and gives its path.
fn example(root: &Path) -> Result<PathBuf> {
    let status = xtask_support::workspace::cargo()
        .args(["build", "--quiet", "--release", "-p", "disk-image", "--example", "decode"])
        .current_dir(root)
        .status()?;
    ensure!(status.success(), "the release build failed");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release/examples/decode"))
}
