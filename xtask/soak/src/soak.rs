//! Plays many cases, a few at a time, and makes those smaller that fail.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use regex::Regex;

use crate::case::Case;
use crate::draw::draw;
use crate::faults;
use crate::needs::lacking;
use crate::play::{Played, play};
use crate::shrink::{parts, shrink, without};
use crate::tally::Tally;

/// So many seeds are looked at for each case that a pattern lets through.
const SEEDS_PER_CASE: u64 = 2000;

/// What to play.
#[derive(Debug)]
pub struct SoakSettings {
    /// Seed of the first case.
    pub seed: u64,
    /// How many cases.
    pub cases: u64,
    /// Only those whose description matches.
    pub only: Option<Regex>,
    /// Parts that are left out of each.
    pub without: Vec<String>,
    /// How many at a time.
    pub jobs: usize,
    /// Print them and play none.
    pub list: bool,
    /// Keep the folders of those that break a rule.
    pub keep: bool,
    /// Make smaller what breaks a rule.
    pub shrink: bool,
    /// The program to play with.
    pub program: PathBuf,
}

impl SoakSettings {
    /// A seed that is another one each day: days since 1970 with three zeros behind.
    pub fn seed_of_today() -> u64 {
        let days = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
        days * 1000
    }

    /// Two for each processor: most of a flash is waiting.
    pub fn usual_jobs() -> usize {
        std::thread::available_parallelism().map_or(2, usize::from) * 2
    }

    fn chosen(&self) -> Vec<Case> {
        let all = (self.seed..self.seed.saturating_add(self.cases.saturating_mul(SEEDS_PER_CASE))).map(draw);
        let fitting =
            all.filter(|case| self.only.as_ref().is_none_or(|only| only.is_match(&case.describe())));
        let smaller = |case: Case| self.without.iter().fold(case, |case, part| without(case, part));
        fitting.take(usize::try_from(self.cases).unwrap_or(usize::MAX)).map(smaller).collect()
    }
}

/// Plays the cases and prints how each went, what broke a rule with the command for it, and a table.
///
/// # Errors
///
/// When the program is not there, or no case fits. What is found is in the tally.
pub fn soak(settings: &SoakSettings) -> Result<Tally> {
    let cases = settings.chosen();
    if cases.is_empty() {
        bail!("no case fits; faults are: {}", faults::names().join(", "));
    }
    if settings.list {
        cases.iter().for_each(|case| println!("{} {}", case.seed, case.describe()));
        return Ok(Tally::default());
    }
    if !settings.program.is_file() {
        bail!("`{}` is not there; `cargo build --workspace` makes it", settings.program.display());
    }
    println!("{} cases from seed {}", cases.len(), settings.seed);
    let begun = Instant::now();
    let (next, tally, failing) =
        (Mutex::new(cases.iter()), Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| -> Result<()> {
        let lanes: Vec<_> = (0..settings.jobs.max(1))
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    loop {
                        let case = locked(&next).next();
                        let Some(case) = case else { return Ok(()) };
                        if let Some(lacking) = lacking(case) {
                            println!("skipped: {} {} needs {lacking}", case.seed, case.describe());
                            continue;
                        }
                        let played = play(case, &settings.program, settings.keep)?;
                        report(case, &played);
                        locked(&tally).count(&played.judgement, played.seconds);
                        if !played.judgement.problems.is_empty() {
                            locked(&failing).push(case);
                        }
                    }
                })
            })
            .collect();
        lanes.into_iter().try_for_each(|lane| lane.join().unwrap_or_else(|_| bail!("a lane broke down")))
    })?;
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failing = failing.into_inner().unwrap_or_else(PoisonError::into_inner);
    tally.commands = failing.into_iter().map(|case| command(settings, case)).collect();
    for command in &tally.commands {
        println!("again: {command}");
    }
    println!("\n{tally}{:<24} {:.0}", "seconds by the clock", begun.elapsed().as_secs_f64());
    Ok(tally)
}

fn locked<T>(it: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

fn report(case: &Case, played: &Played) {
    let judgement = &played.judgement;
    let word = match (judgement.problems.is_empty(), judgement.names_cause) {
        (false, _) => "BROKEN",
        (true, Some(false)) => "unnamed",
        _ => "ok",
    };
    let mut text = format!(
        "{word:<7} {:5.1} s  {} {}\n    {}\n",
        played.seconds,
        case.seed,
        case.describe(),
        judgement.ended
    );
    for (kind, problem) in &judgement.problems {
        text += &format!("    {kind:?}: {problem}\n");
    }
    if let Some(kept) = &played.kept {
        text += &format!("    kept in {}\n", kept.display());
    }
    print!("{text}");
}

/// The command for the smallest case that breaks the same rule.
fn command(settings: &SoakSettings, case: &Case) -> String {
    let given = settings.without.clone();
    let left_out = if settings.shrink { smaller(settings, case) } else { Vec::new() };
    let without = [given, left_out].concat().join(",");
    let option = if without.is_empty() { String::new() } else { format!(" --without {without}") };
    format!("cargo xtask soak faults --seed {} --cases 1{option}", case.seed)
}

/// What can be left out of it.
fn smaller(settings: &SoakSettings, case: &Case) -> Vec<String> {
    let breaks = |case: &Case| {
        play(case, &settings.program, false).is_ok_and(|played| !played.judgement.problems.is_empty())
    };
    // What does not fail again cannot be made smaller by playing it.
    if parts(case).is_empty() || !breaks(case) {
        return Vec::new();
    }
    shrink(case, breaks).0
}
