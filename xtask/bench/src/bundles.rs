//! Pulling a bundle against curl of the same blobs from the same registry, and how soon a cached bundle is ready.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use super::measure::{self, median};
use xtask_support::packages;
use xtask_support::workspace::Workspace;

/// Sizes of the bundle's files, bytes: a kernel, a RAM disk, a FIT image.
const FILES: [(&str, u64); 3] = [("kernel", 48 << 20), ("initramfs", 64 << 20), ("flasher.itb", 144 << 20)];
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
    let registry = Registry::start(lab)?;
    let name = format!("{}/bench/bundle:v1", registry.address);
    let (_, pinned) = measure::output(
        Command::new(flasher).args(["bundle", "push", "--unchecked"]).arg(lab.join("bundle")).arg(&name),
    )?;
    let (mut pulls, mut curls, mut ready, mut bare) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for run in 0..=RUNS {
        fs::remove_dir_all(lab.join("cache")).ok(); // not there in the first run
        let pull = measure::run(&mut pull(flasher, lab, &name))?.wall;
        let curl = measure::run(&mut curl(lab, &registry.address)?)?.wall;
        let cached = measure::run(&mut self::pull(flasher, lab, pinned.trim()))?.wall;
        let start = measure::run(Command::new(flasher).arg("--version"))?.wall;
        if run > 0 {
            println!("run {run}: pull {pull:.3} s, curl {curl:.3} s, cached {:.1} ms", cached * 1e3);
            pulls.push(pull);
            curls.push(curl);
            ready.push(cached);
            bare.push(start);
        }
    }
    report(median(pulls), median(curls), median(ready), median(bare));
    Ok(())
}

fn report(pull: f64, curl: f64, ready: f64, bare: f64) {
    let mib = FILES.iter().map(|(_, size)| *size as f64).sum::<f64>() / f64::from(1 << 20);
    println!("\n{mib:.0} MiB in {} files from a registry on loopback, medians of {RUNS}:", FILES.len());
    println!("  flasher bundle pull, hashed, in the cache  {pull:7.3} s  {:7.0} MiB/s", mib / pull);
    println!("  curl of the same blobs, not hashed         {curl:7.3} s  {:7.0} MiB/s", mib / curl);
    println!("  speed beside curl                          {:7.2}    (goal: at least 0.8)", curl / pull);
    println!("  the same bundle again, by digest           {:7.1} ms (goal: below 20)", ready * 1e3);
    println!("  of which the process itself (--version)    {:7.1} ms", bare * 1e3);
}

fn prepare(root: &Path, lab: &Path) -> Result<()> {
    fs::create_dir_all(lab.join("bundle/data"))?;
    fs::copy(root.join("crates/flasher-bundles/boards/sim.yaml"), lab.join("bundle/manifest.yaml"))?;
    for (index, (name, size)) in FILES.into_iter().enumerate() {
        let path = lab.join("bundle/data").join(name);
        measure::image(&path, size, 100)?;
        // Equal beginnings would make equal blobs of equal sizes.
        let mut bytes = fs::read(&path)?;
        bytes[0] = index as u8;
        fs::write(&path, bytes)?;
    }
    Ok(())
}

fn pull(flasher: &Path, lab: &Path, name: &str) -> Command {
    let mut command = Command::new(flasher);
    command.args(["bundle", "pull", "--cache-dir"]).arg(lab.join("cache")).arg(name);
    command
}

/// All blobs in one run of curl, as many at a time as a pull has.
fn curl(lab: &Path, registry: &str) -> Result<Command> {
    let mut command = Command::new("curl");
    command.args(["-sf", "--parallel", "--parallel-max", "3"]);
    for (name, _) in FILES {
        let (_, sum) = measure::output(Command::new("sha256sum").arg(lab.join("bundle/data").join(name)))?;
        let hex = sum.split_whitespace().next().context("no digest from sha256sum")?;
        command.arg("-o").arg(lab.join("curled").with_extension(name));
        command.arg(format!("http://{registry}/v2/bench/bundle/blobs/sha256:{hex}"));
    }
    Ok(command)
}

/// Debian's docker-registry on a free loopback port; ended by its id when dropped.
struct Registry {
    child: Child,
    address: String,
}

impl Registry {
    fn start(lab: &Path) -> Result<Self> {
        packages::require(&["docker-registry", "curl"])?;
        let config = lab.join("registry.yml");
        let store = lab.join("registry");
        let text = format!(
            "version: 0.1\nlog: {{ level: info }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: \"127.0.0.1:0\" }}\n",
            store.display()
        );
        fs::write(&config, text)?;
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start docker-registry")?;
        let mut log = BufReader::new(child.stderr.take().context("no log")?);
        let address = address(&mut log);
        // A program that writes to a full pipe waits for ever.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        match address {
            Ok(address) => Ok(Self { child, address }),
            Err(error) => {
                child.kill().ok();
                Err(error)
            }
        }
    }
}

fn address(log: &mut impl BufRead) -> Result<String> {
    loop {
        let mut line = String::new();
        if log.read_line(&mut line)? == 0 {
            bail!("docker-registry ended before it listened");
        }
        if let Some((_, rest)) = line.split_once("listening on ") {
            return Ok(rest.chars().take_while(|it| it.is_ascii_digit() || ".:".contains(*it)).collect());
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.child.kill().ok(); // one that has ended already is as good
        self.child.wait().ok();
    }
}
