//! The TFTP rows.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::bench::{Bench, open_to_all};
use super::peers::{self, Peer};
use super::table;
use super::tftp_client::{Fetch, Got};
use crate::measure;

const MIB: usize = 1024 * 1024;
/// What one client fetches.
const LENGTH: usize = 64 * MIB;
/// What each of several clients fetches at once.
const SHARE: usize = 16 * MIB;
/// Bound on a run in which packets are lost; the rate is that of what came until then.
const LOSSY: Duration = Duration::from_secs(5);
/// Clients of the row that looks at memory.
const CROWD: usize = 200;

/// A row: its name, and how a client fetches.
struct Row {
    name: &'static str,
    blksize: usize,
    window: u64,
    loss: u64,
    delay: Duration,
    clients: usize,
}

const fn row(name: &'static str, blksize: usize, window: u64) -> Row {
    Row { name, blksize, window, loss: 0, delay: Duration::ZERO, clients: 1 }
}

const ROWS: &[Row] = &[
    row("512/1", 512, 1),
    row("1468/1", 1468, 1),
    row("1468/16", 1468, 16),
    row("1468/64", 1468, 64),
    row("8192/8", 8192, 8),
    row("65464/1", 65_464, 1),
    Row { clients: 16, ..row("1468/16, 16 clients", 1468, 16) },
    Row { loss: 10, ..row("1468/16, 1 % loss", 1468, 16) },
    Row { loss: 50, ..row("1468/16, 5 % loss", 1468, 16) },
    Row { delay: Duration::from_micros(400), ..row("1468/16, 400 us per ACK", 1468, 16) },
];

/// Measures every row whose name contains `only`.
pub(super) fn run(bench: &Bench, only: &str) -> Result<()> {
    let wanted: Vec<_> = ROWS.iter().filter(|row| format!("tftp {}", row.name).contains(only)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let content = content(bench)?;
    let peers = peers::tftp(bench);
    let mut table = table::Table::new("TFTP, MB/s", &peers);
    for row in wanted {
        let mut rates = vec![Vec::new(); peers.len()];
        for _ in 0..bench.runs {
            for (peer, rates) in peers.iter().zip(&mut rates) {
                rates.push(rate(peer, row, &content).with_context(|| format!("{} {}", peer.name, row.name))?);
            }
        }
        table.row(row.name, rates.into_iter().map(measure::median).collect());
    }
    print!("{}", table.text());
    if "tftp memory".contains(only) {
        println!(
            "peak memory of ours with {CROWD} transfers at once: {:.1} MiB (goal: at most 40)",
            crowd(&peers[0], &content)?
        );
    }
    Ok(())
}

fn content(bench: &Bench) -> Result<Vec<u8>> {
    let root = bench.root();
    measure::image(&root.join("large"), LENGTH as u64, 100)?;
    let content = fs::read(root.join("large"))?;
    fs::write(root.join("share"), &content[..SHARE])?;
    fs::write(root.join("small"), &content[..10])?;
    for name in ["large", "share", "small"] {
        open_to_all(&root.join(name))?;
    }
    Ok(content)
}

/// MB/s of one run.
fn rate(peer: &Peer, row: &Row, content: &[u8]) -> Result<f64> {
    let running = peer.start(peers::gives_a_file)?;
    let length = if row.clients > 1 { SHARE } else { LENGTH };
    let fetch = Fetch {
        blksize: row.blksize,
        window: row.window,
        loss: row.loss,
        delay: row.delay,
        bound: if row.loss > 0 { LOSSY } else { Duration::from_secs(60) },
        ..Fetch::new(peer.address, if row.clients > 1 { "share" } else { "large" })
    };
    let begun = Instant::now();
    let all = at_once(row.clients, |_| fetch.run(Some(&content[..length])))?;
    let seconds = begun.elapsed().as_secs_f64();
    drop(running);
    Ok(all.iter().map(|got| got.bytes as f64).sum::<f64>() / seconds / 1e6)
}

fn at_once(clients: usize, fetch: impl Fn(usize) -> Result<Got> + Sync) -> Result<Vec<Got>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|client| {
                scope.spawn({
                    let fetch = &fetch;
                    move || fetch(client)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| anyhow::bail!("a client panicked")))
            .collect()
    })
}

/// Peak memory, MiB.
fn crowd(peer: &Peer, content: &[u8]) -> Result<f64> {
    let running = peer.start(peers::gives_a_file)?;
    let server: SocketAddr = peer.address;
    at_once(CROWD, |client| {
        let from = Ipv4Addr::new(127, 0, 1, 1 + (client % 8) as u8);
        let patient = Duration::from_secs(5);
        let fetch = Fetch {
            blksize: 1468,
            window: 16,
            from,
            patience: patient,
            bound: Duration::from_secs(120),
            ..Fetch::new(server, "share")
        };
        let got = fetch.run(Some(&content[..SHARE]))?;
        anyhow::ensure!(got.whole, "client {client} got {} bytes only", got.bytes);
        Ok(got)
    })?;
    Ok(running.peak())
}
