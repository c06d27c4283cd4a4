//! Several processes at once, and processes that are killed while they write.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, thread};

use super::{fresh, receipt};
use crate::{Filter, Ledger};

/// Names the ledger to the process that keeps receipts, and the first of its seconds.
const CHILD: &str = "FLASHER_TEST_LEDGER";

/// The process that is killed, when it is called as such: says which receipts it has kept.
#[test]
fn keeps_receipts_until_it_is_killed() {
    let Ok(said) = env::var(CHILD) else { return };
    let (first, file) = said.split_once(' ').unwrap();
    let first: u64 = first.parse().unwrap();
    for second in first..first + 1000 {
        let receipt = receipt(second, |_| {});
        Ledger::at(file).keep(&receipt).unwrap();
        println!("kept {}", receipt.begun);
    }
}

fn child(ledger: &Ledger, first: u64) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "tests::killed::keeps_receipts_until_it_is_killed"]);
    command.env(CHILD, format!("{first} {}", ledger.file().display())).stdout(Stdio::piped());
    command
}

#[allow(clippy::disallowed_methods, reason = "no runtime here")]
#[test]
fn processes_that_are_killed_lose_nothing_they_have_kept() {
    let (_folder, ledger) = fresh();
    let mut kept: Vec<String> = Vec::new();
    for round in 0..6_u64 {
        // Two at a time, each killed after another number of receipts.
        let mut children: Vec<_> =
            (0..2).map(|it| child(&ledger, 10_000 * (2 * round + it)).spawn().unwrap()).collect();
        for (index, child) in children.iter_mut().enumerate() {
            let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
            let begun = lines.filter_map(|line| Some(line.split_once("kept ")?.1.to_owned()));
            kept.extend(begun.take(3 + round as usize + index));
            // Somewhere in the middle of the next one.
            thread::sleep(Duration::from_millis(round * 3));
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
    let listed: Vec<String> =
        ledger.history(&Filter::default()).unwrap().rows.into_iter().map(|entry| entry.begun).collect();
    let lost: Vec<_> = kept.iter().filter(|begun| !listed.contains(begun)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let jobs = ledger.media().unwrap().rows[0].jobs;
    assert_eq!(jobs, listed.len() as u64, "what was added up fits the list");
}
