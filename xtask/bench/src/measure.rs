//! Running a command with its wall time, its peak memory and its first line of output.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often memory is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// What one run cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Wall time of the whole process, seconds.
    pub(crate) wall: f64,
    /// From start to the first line on standard output, seconds.
    pub(crate) first_line: f64,
    /// Peak resident memory of the process itself, MiB.
    pub(crate) peak: f64,
}

/// Runs to the end; an exit status that is not 0 is an error with what was printed.
pub(crate) fn run(command: &mut Command) -> Result<Cost> {
    run_into(command, &mut std::io::sink())
}

/// Does the same and gives what was printed on standard output; an error has its last line.
pub(crate) fn output(command: &mut Command) -> Result<(Cost, String)> {
    let mut said = Vec::new();
    let cost = run_into(command, &mut said);
    let said = String::from_utf8(said)?;
    Ok((cost.with_context(|| said.lines().last().unwrap_or_default().to_owned())?, said))
}

fn run_into(command: &mut Command, said: &mut impl Write) -> Result<Cost> {
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let memory = watch(child.id());
    let mut stdout = BufReader::new(child.stdout.take().context("no standard output")?);
    let mut stderr = child.stderr.take().context("no standard error")?;
    let complaint = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).map(|_| text)
    });
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    let first_line = begun.elapsed().as_secs_f64();
    said.write_all(line.as_bytes())?;
    std::io::copy(&mut stdout, said)?;
    let status = child.wait()?;
    let wall = begun.elapsed().as_secs_f64();
    let complaint = complaint.join().ok().and_then(Result::ok).unwrap_or_default();
    if !status.success() {
        bail!("{command:?} ended with {status}:\n{complaint}");
    }
    Ok(Cost { wall, first_line, peak: memory.join().unwrap_or(0.0) })
}

/// The kernel's own high-water mark, as long as the process is there to be asked.
fn watch(id: u32) -> std::thread::JoinHandle<f64> {
    let path = PathBuf::from(format!("/proc/{id}/status"));
    std::thread::spawn(move || {
        let mut peak = 0.0;
        while let Some(now) = high_water(&path) {
            peak = f64::max(peak, now);
            std::thread::park_timeout(GLANCE);
        }
        peak
    })
}

fn high_water(path: &Path) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// Whose processor time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose {
    /// The process's own.
    Own,
    /// That of its children that have ended.
    Children,
}

/// Seconds of all processors, as this `/proc/PID/stat` says.
pub(crate) fn cpu(stat: &Path, whose: Whose) -> Result<f64> {
    let stat = fs::read_to_string(stat)?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    // proc(5): utime to cstime are the fields 14 to 17, counted from 1; two stand before the end of the name.
    let first = match whose {
        Whose::Own => 11,
        Whose::Children => 13,
    };
    let (user, system) = (ticks(first).context("user time")?, ticks(first + 1).context("system time")?);
    Ok((user + system) / 100.0)
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Builds the release binary and gives its path.
pub(crate) fn flasher(root: &Path) -> Result<PathBuf> {
    let status = xtask_support::workspace::cargo()
        .args(["build", "--quiet", "--release", "-p", "flasher"])
        .current_dir(root)
        .status()?;
    if !status.success() {
        bail!("the release build failed");
    }
    Ok(release(root))
}

/// Where the release binary is.
pub(crate) fn release(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("release/flasher")
}

/// Fills a file with `length` bytes: 64 KiB blocks, of which `data` percent look random and the rest are zeros.
pub(crate) fn image(path: &Path, length: u64, data: u64) -> Result<()> {
    let mut file = std::io::BufWriter::with_capacity(1 << 20, fs::File::create(path)?);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for block in 0..length / 65_536 {
        let mut bytes = vec![0; 65_536];
        // Whole mebibytes of zeros and data in turn, as file systems have them.
        if (block / 16 * 37) % 100 < data {
            for word in bytes.chunks_exact_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                word.copy_from_slice(&state.to_le_bytes());
            }
        }
        if block == 0 {
            make_disk(&mut bytes);
        }
        file.write_all(&bytes)?;
    }
    file.flush()?;
    Ok(())
}

/// Gives an image the partition table, with no partition in it, without which it is refused for a whole device.
pub(crate) fn make_disk(image: &mut [u8]) {
    image[446..510].fill(0);
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
}
