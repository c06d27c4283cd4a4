//! Both ends of `cargo xtask bench serial`: a board on a pseudo-terminal, and a reader through this driver, recorded and watched.
//!
//! `serial_bench board flood MIB`, `… steady SECONDS` and `… ping COUNT` print the path of the line, wait for a byte, do their work and
//! print what it took. `serial_bench read PATH RECORDING` answers them: it counts what comes, sends back each byte that is asked
//! for, and prints the most memory it had.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program of its own, for measuring"
)]

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

use exporter_yaml::Document;
use flasher_core::{Device, SerialDriver};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use driver_pyserial as _;

/// Ends a flood: no byte of it is this one.
const END: u8 = b'\n';

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["board", "flood", mib] => board(|line| flood(line, mib.parse().unwrap())),
        ["board", "steady", seconds] => board(|line| steady(line, seconds.parse().unwrap())),
        ["board", "ping", count] => board(|line| ping(line, count.parse().unwrap())),
        ["read", path, recording] => {
            tokio::runtime::Runtime::new().unwrap().block_on(read(path, recording));
            println!("{}", peak());
        }
        _ => println!("serial_bench board flood MIB | board ping COUNT | read PATH RECORDING"),
    }
}

fn board(work: impl FnOnce(&mut File)) {
    let line = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&line).unwrap();
    unlockpt(&line).unwrap();
    println!("{}", ptsname(&line, Vec::new()).unwrap().into_string().unwrap());
    let mut line = File::from(line);
    // Reading fails as long as the other end is not open.
    while line.read(&mut [0]).is_err() {
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    work(&mut line);
}

/// Prints the seconds until the reader has all.
fn flood(line: &mut File, mib: usize) {
    let piece: Vec<u8> = (0..1 << 16).map(|at: usize| b'a' + (at % 26) as u8).collect();
    let begun = Instant::now();
    for _ in 0..mib * 16 {
        line.write_all(&piece).unwrap();
    }
    line.write_all(&[END]).unwrap();
    line.read_exact(&mut [0]).unwrap();
    println!("{}", begun.elapsed().as_secs_f64());
}

/// 3 Mbaud, 10 bits a byte: 3000 bytes every 10 ms.
fn steady(line: &mut File, seconds: usize) {
    let piece = [b'x'; 3000];
    let begun = Instant::now();
    for tick in 1..=seconds * 100 {
        line.write_all(&piece).unwrap();
        let due = std::time::Duration::from_millis(tick as u64 * 10);
        std::thread::park_timeout(due.saturating_sub(begun.elapsed()));
    }
    line.write_all(&[END]).unwrap();
    line.read_exact(&mut [0]).unwrap();
    println!("{}", begun.elapsed().as_secs_f64());
}

/// Prints the microseconds of each way there and back, in order of size.
fn ping(line: &mut File, count: usize) {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        std::thread::park_timeout(std::time::Duration::from_millis(1));
        let begun = Instant::now();
        line.write_all(b"?").unwrap();
        line.read_exact(&mut [0]).unwrap();
        times.push(begun.elapsed().as_micros());
    }
    line.write_all(&[END]).unwrap();
    line.read_exact(&mut [0]).unwrap();
    times.sort_unstable();
    println!("{}", times.iter().map(u128::to_string).collect::<Vec<_>>().join(" "));
}

/// Reads to the end, and answers each `?` and the end.
async fn read(path: &str, recording: &str) {
    let yaml = format!(
        "export:\n  serial: {{ type: serial, config: {{ url: {path}, record: {{ file: {recording}, part_mib: 4096 }} }} }}\n"
    );
    let tree = exporter_yaml::build(&Document::parse("bench.yaml", Path::new("."), &yaml).unwrap()).unwrap();
    let Device::Serial(driver) = tree.find("serial").unwrap() else { return };
    let mut line = driver.open().await.unwrap();
    let watcher = tokio::spawn(watch(driver));
    line.write_all(b"!").await.unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let mut count = 0;
    loop {
        let got = line.read(&mut buffer).await.unwrap();
        count += got;
        if buffer[..got] == *b"?" {
            line.write_all(b"!").await.unwrap();
        }
        if buffer[..got].ends_with(&[END]) {
            break;
        }
    }
    line.write_all(b"!").await.unwrap();
    println!("{count}");
    watcher.abort();
}

async fn watch(driver: std::sync::Arc<dyn SerialDriver>) {
    let mut watcher = driver.watch().await.unwrap().expect("the line is open");
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(1..) = watcher.read(&mut buffer).await {}
}

/// The kernel's high-water mark of this process, KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}
