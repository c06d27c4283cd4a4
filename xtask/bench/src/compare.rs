//! What comparing first costs and saves on the emulated board: the same image again, one that changed a little, a new disk.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::measure;
use crate::qemu::{self, Bench, MIB};

/// Percent of an image that is data; the rest is zeros.
const DATA: u64 = 80;
/// One MiB in so many is another in the changed image.
const CHANGED: u64 = 50;

/// How often to measure.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Runs for each image; the table shows medians
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Sizes of the images, MiB
    #[arg(long, value_name = "MIB", value_delimiter = ',', default_values_t = [256, 1024])]
    sizes: Vec<u64>,
}

/// One flash.
#[derive(Clone, Copy, Debug)]
struct Flash {
    /// Of the whole job, seconds.
    whole: f64,
    /// From the board's shell on, seconds.
    after_boot: f64,
    /// Bytes that were written.
    written: u64,
}

/// The flashes of one round.
struct Round {
    /// A new disk, without comparing.
    never: Flash,
    /// A new disk.
    new: Flash,
    /// The same image again.
    again: Flash,
    /// An image that changed a little.
    changed: Flash,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let largest = args.sizes.iter().max().copied().unwrap_or_default();
    let bench = Bench::new((largest + 64) * MIB)?;
    let outcome = measured(&bench, args);
    fs::remove_dir_all(&bench.lab)?;
    outcome
}

fn measured(bench: &Bench, args: &Args) -> Result<()> {
    bench.prepare()?;
    for size in &args.sizes {
        let length = size * MIB;
        let (image, other) = (bench.lab.join("image"), bench.lab.join("changed"));
        measure::image(&image, length, DATA)?;
        change(&image, &other, length)?;
        let rounds = (0..args.runs).map(|_| round(bench, &image, &other)).collect::<Result<Vec<_>>>()?;
        print!("{}", table(*size, &rounds));
    }
    Ok(())
}

/// The same image with every fiftieth MiB another.
fn change(image: &Path, other: &Path, length: u64) -> Result<()> {
    fs::copy(image, other)?;
    let file = File::options().write(true).open(other)?;
    for place in (CHANGED / 2..length / MIB).step_by(CHANGED as usize) {
        file.write_all_at(&[0x5a; 4096], place * MIB + 4096)?;
    }
    Ok(())
}

fn round(bench: &Bench, image: &Path, other: &Path) -> Result<Round> {
    let on_new = |how: &str| -> Result<Flash> {
        bench.empty()?;
        flash(bench, image, how)
    };
    let never = on_new("never")?;
    let new = on_new("auto")?;
    let again = flash(bench, image, "auto")?;
    let changed = flash(bench, other, "auto")?;
    println!("{never:?}\n{new:?}\n{again:?}\n{changed:?}");
    Ok(Round { never, new, again, changed })
}

/// One proven flash, out of its events.
fn flash(bench: &Bench, image: &Path, how: &str) -> Result<Flash> {
    let (_, said) = measure::output(bench.flash(image).args(["--compare", how]))?;
    let steps = qemu::steps(&said)?;
    let last = said.lines().last().context("no events")?;
    let receipt = serde_json::from_str::<Value>(last)?["receipt"].take();
    let medium = &receipt["medium"];
    let number = |value: &Value| value.as_u64().context("a receipt without its counts");
    let written = number(&medium["data_written"])? + number(&medium["zeros_written"])?;
    let whole = receipt["seconds"].as_f64().context("a receipt without its time")?;
    let late = ["target", "compare", "write", "commit", "verify", "finish"];
    let after_boot = late.iter().filter_map(|step| steps.get(*step)).sum();
    if !whole.is_finite() {
        bail!("a receipt without its time");
    }
    Ok(Flash { whole, after_boot, written })
}

fn table(size: u64, rounds: &[Round]) -> String {
    let median = |value: &dyn Fn(&Round) -> f64| measure::median(rounds.iter().map(value).collect());
    let all = size as f64 * MIB as f64;
    let rows = [
        ("a new disk, ratio of the whole time", median(&|it| it.new.whole / it.never.whole), 1.03),
        ("the same again, ratio after boot", median(&|it| it.again.after_boot / it.never.after_boot), 0.5),
        ("the same again, bytes written", median(&|it| it.again.written as f64), 0.0),
        ("2 % changed, share of the bytes written", median(&|it| it.changed.written as f64 / all), 0.05),
        (
            "2 % changed, ratio after boot",
            median(&|it| it.changed.after_boot / it.never.after_boot),
            f64::NAN,
        ),
    ];
    let head =
        format!("\n{size} MiB, medians of {}:{:19}{:>10}{:>10}\n", rounds.len(), "", "measured", "wanted");
    let rows = rows.iter().map(|(name, value, wanted)| match wanted.is_nan() {
        true => format!("{name:42}{value:10.3}{:>10}\n", ""),
        false => format!("{name:42}{value:10.3}{wanted:10.2}\n"),
    });
    head + &rows.collect::<String>()
}
