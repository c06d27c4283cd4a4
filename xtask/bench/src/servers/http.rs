//! The HTTP rows: curl as the client.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};

use super::bench::{Bench, open_to_all};
use super::peers::{self, Peer};
use super::table;
use crate::measure;

/// What one client fetches, bytes.
const LENGTH: u64 = 512 * 1024 * 1024;
/// Files fetched in a run, by one client after the other or at once: enough for a processor clock of 10 ms.
const FETCHES: usize = 8;
const ROWS: &[(&str, usize)] = &[("1 client", 1), ("8 clients", 8)];

/// Measures every row whose name contains `only`.
pub(super) fn run(bench: &Bench, only: &str) -> Result<()> {
    let wanted: Vec<_> = ROWS.iter().filter(|(name, _)| format!("http {name}").contains(only)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let file = bench.root().join("image");
    measure::image(&file, LENGTH, 100)?;
    open_to_all(&file)?;
    let peers = peers::http(bench)?;
    let mut rates = table::Table::new("HTTP 512 MiB, MB/s", &peers);
    let mut costs =
        table::Table::new("HTTP 512 MiB, processor seconds of the server for 1 GB", &peers).lower_is_better();
    for (name, clients) in wanted {
        let mut runs = vec![(Vec::new(), Vec::new()); peers.len()];
        for _ in 0..bench.runs {
            for (peer, (rates, costs)) in peers.iter().zip(&mut runs) {
                let (rate, cost) = measured(peer, *clients)?;
                rates.push(rate);
                costs.push(cost);
            }
        }
        let (these, those): (Vec<_>, Vec<_>) =
            runs.into_iter().map(|(rates, costs)| (measure::median(rates), measure::median(costs))).unzip();
        rates.row(name, these);
        costs.row(name, those);
    }
    print!("{}{}", rates.text(), costs.text());
    fs::remove_file(file)?;
    Ok(())
}

/// MB/s, and processor seconds for 1 GB.
fn measured(peer: &Peer, clients: usize) -> Result<(f64, f64)> {
    let running = peer.start(peers::listens)?;
    let url = format!("http://{}/image", peer.address);
    fetch_all(&url, 1)?;
    let (begun, before) = (Instant::now(), running.processor());
    for _ in 0..FETCHES / clients {
        fetch_all(&url, clients)?;
    }
    let gigabytes = LENGTH as f64 * FETCHES as f64 / 1e9;
    Ok((gigabytes * 1e3 / begun.elapsed().as_secs_f64(), (running.processor() - before) / gigabytes))
}

fn fetch_all(url: &str, clients: usize) -> Result<()> {
    let children: Vec<Child> =
        (0..clients).map(|_| curl(url, Path::new("/dev/null"))).collect::<Result<_>>()?;
    for child in children {
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success() && said == LENGTH.to_string(),
            "curl {url}: {} {said}",
            output.status
        );
    }
    Ok(())
}

fn curl(url: &str, into: &Path) -> Result<Child> {
    let mut command = Command::new("curl");
    command.args(["-sS", "--noproxy", "*", "-w", "%{size_download}", url, "-o"]).arg(into);
    Ok(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?)
}
