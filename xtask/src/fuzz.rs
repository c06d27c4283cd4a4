//! `cargo xtask fuzz`: builds the fuzz targets with a stable compiler and runs each for a while.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use xtask_support::workspace::{Workspace, cargo};

/// What cargo-fuzz sets, without what only a nightly compiler knows.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing";
const TARGETS: [&str; 5] = ["tftp-packet", "tftp-options", "router-frames", "driver-call", "http2-authority"];

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this target
    #[arg(value_parser = TARGETS)]
    target: Option<String>,
    /// For how long each
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    seconds: u32,
}

/// Runs; an error when an input was found that breaks a target. It is kept in `target/fuzz`.
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = Workspace::load()?.root;
    let built = root.join("target/fuzz");
    let mut build = cargo();
    build.args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target-dir"]).arg(&built);
    // A target given by name keeps the flags away from build scripts and macros.
    build.args(["--target", &host()?]).env("RUSTFLAGS", FLAGS).current_dir(&root);
    succeed(&mut build)?;
    for target in TARGETS {
        if args.target.as_deref().is_none_or(|wanted| wanted == target) {
            fuzz(&built, target, args.seconds)?;
        }
    }
    Ok(())
}

fn fuzz(built: &Path, target: &str, seconds: u32) -> Result<()> {
    let corpus = built.join("corpus").join(target);
    std::fs::create_dir_all(&corpus)?;
    let program = built.join(host()?).join("release").join(target);
    let mut run = Command::new(program);
    run.arg(corpus).arg(format!("-max_total_time={seconds}")).args(["-max_len=2048", "-print_final_stats=1"]);
    succeed(run.arg(format!("-artifact_prefix={}/{target}-", built.display())))
}

/// The triple of this machine, as the compiler says it.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("`rustc` did not start")?;
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("`rustc -vV` names no host")?.to_owned())
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?} did not start"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}
