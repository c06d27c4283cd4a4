//! The fault table: what goes wrong with sources, servers, media and boards, with and without a retry that helps. Each
//! case asserts how the flash ends, what is on the medium afterwards and what the board boots from it.

mod board;
mod boot;
mod case;
mod media;
mod play;
mod roots;
mod server;
mod sources;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use case::Case;

/// Cases played at a time: they mostly wait.
const AT_ONCE: usize = 6;
/// A case that takes longer hangs.
const HANGS: Duration = Duration::from_secs(300);

/// How one case went.
struct Outcome {
    name: String,
    seconds: f64,
    /// How the flash ended, in a few words.
    ended: String,
    problems: Vec<String>,
    false_success: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_ends_as_expected() {
    let cases: Vec<Case> = [sources::cases(), media::cases(), board::cases()].concat();
    let wanted = std::env::var("FLASHER_FAULT").unwrap_or_default();
    let cases: Vec<Case> = cases.into_iter().filter(|case| case.name.contains(&wanted)).collect();
    let count = cases.len();
    let outcomes = play_all(cases).await;
    print(&outcomes);
    let problems: Vec<&String> = outcomes.iter().flat_map(|outcome| &outcome.problems).collect();
    let false_successes = outcomes.iter().filter(|outcome| outcome.false_success).count();
    assert_eq!(false_successes, 0, "{problems:#?}");
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(!wanted.is_empty() || count >= 60, "only {count} cases");
}

async fn play_all(cases: Vec<Case>) -> Vec<Outcome> {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut playing = JoinSet::new();
    for case in cases {
        let slots = Arc::clone(&slots);
        playing.spawn(async move {
            let _slot = slots.acquire_owned().await;
            outcome(case).await
        });
    }
    let mut outcomes = playing.join_all().await;
    outcomes.sort_by(|a, b| a.name.cmp(&b.name));
    outcomes
}

async fn outcome(case: Case) -> Outcome {
    let begun = Instant::now();
    let name = case.name.clone();
    match tokio::time::timeout(HANGS, play::play(&case)).await {
        Ok(played) => Outcome {
            seconds: begun.elapsed().as_secs_f64(),
            ended: played.ended,
            problems: played.problems.into_iter().map(|problem| format!("{name}: {problem}")).collect(),
            false_success: played.false_success,
            name,
        },
        Err(_) => Outcome {
            seconds: HANGS.as_secs_f64(),
            ended: "hangs".to_owned(),
            problems: vec![format!("{name}: hangs")],
            false_success: false,
            name,
        },
    }
}

fn print(outcomes: &[Outcome]) {
    for outcome in outcomes {
        let word = if outcome.problems.is_empty() { "ok" } else { "FAILED" };
        println!("{word:<6} {:5.1} s  {:<58} {}", outcome.seconds, outcome.name, outcome.ended);
    }
    let of = |what: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| what(outcome)).count();
    println!(
        "{} faults: {} as expected, {} not, {} false successes, {} hang; slowest {:.1} s",
        outcomes.len(),
        of(|outcome| outcome.problems.is_empty()),
        of(|outcome| !outcome.problems.is_empty()),
        of(|outcome| outcome.false_success),
        of(|outcome| outcome.ended == "hangs"),
        outcomes.iter().map(|outcome| outcome.seconds).fold(0.0, f64::max),
    );
}
