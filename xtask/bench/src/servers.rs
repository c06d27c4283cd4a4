//! Our TFTP and HTTP servers against those of others that are installed, in turns, over loopback in a network namespace of
//! its own: medians and ratios, nothing asserted.

mod bench;
mod http;
mod peers;
mod table;
mod tftp;
mod tftp_client;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::measure;
use bench::{Bench, open_to_all};
use xtask_support::programs::succeed;
use xtask_support::workspace::Workspace;

/// Set inside the namespace, to the number of the process outside, for those inside are the same in every namespace.
const INSIDE: &str = "FLASHER_BENCH_SERVERS_INSIDE";

/// What to measure.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Runs of each kind; the table shows medians
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Only rows whose name contains this, for example `tftp` or `1468/16`
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Measure ours only
    #[arg(long)]
    alone: bool,
    /// Where the Debian packages `tftpd-hpa` and `atftpd` (they exclude each other) were unpacked with `dpkg-deb -x`, and
    /// `cargo install tftpd --root`; `target/tftp-peers` when not given
    #[arg(long, value_name = "DIR")]
    peers: Option<PathBuf>,
}

/// Builds what is to be measured, then goes into a namespace and measures.
pub(super) fn run(args: &Args) -> Result<()> {
    let root = Workspace::load()?.root;
    let folder = args.peers.clone().unwrap_or_else(|| root.join("target/tftp-peers"));
    let Some(number) = std::env::var_os(INSIDE) else {
        measure::flasher(&root)?;
        if !args.alone && "http".contains(&args.only) {
            peers::build_axum(&folder)?;
        }
        return again_inside();
    };
    succeed(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    // tftpd-hpa resolves its own address only on a machine that has another one than loopback's.
    succeed(Command::new("ip").args(["address", "replace", "10.99.9.1/32", "dev", "lo"]))?;
    let lab = std::env::temp_dir().join(format!("flasher-bench-{}", number.display()));
    let bench =
        Bench { flasher: measure::release(&root), peers: folder, lab, runs: args.runs, alone: args.alone };
    let outcome = measured(&bench, &args.only);
    fs::remove_dir_all(&bench.lab)?;
    outcome
}

/// No packet leaves the namespace, and port 69 is free there. Needs root.
fn again_inside() -> Result<()> {
    let mut again = Command::new("unshare");
    again.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    succeed(
        again
            .arg(std::env::current_exe()?)
            .args(std::env::args_os().skip(1))
            .env(INSIDE, std::process::id().to_string()),
    )
}

/// Measures what `only` leaves of both protocols.
fn measured(bench: &Bench, only: &str) -> Result<()> {
    fs::create_dir_all(bench.root())?;
    // tftpd-hpa and atftpd want files that every user may read.
    for folder in [&bench.lab, &bench.root()] {
        open_to_all(folder)?;
    }
    tftp::run(bench, only)?;
    http::run(bench, only)
}
