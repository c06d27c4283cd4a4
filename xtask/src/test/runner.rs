//! The step that runs the tests: cargo-nextest when there is one, else `cargo test`.

use super::skips;
use super::step::{Outcome, has_subcommand};
use anyhow::{Context, Result, anyhow, bail};
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use xtask_support::programs::shown;
use xtask_support::workspace::cargo;

/// How many tests nextest runs at once, when a person says it.
const THREADS: &str = "NEXTEST_TEST_THREADS";

/// Runs every test of the workspace, shows all output as it comes, and keeps the runner's summary lines.
/// The tests that printed `skipped` are counted and named after them.
pub(super) fn run(root: &Path) -> Result<Outcome> {
    let nextest = has_subcommand("nextest");
    let threads = threads(std::env::var(THREADS).ok());
    let args: &[&str] = if nextest {
        &["nextest", "run", "--workspace", "--no-tests=pass", "--test-threads", &threads]
    } else {
        // Libraries, programs and test binaries; doc tests are a step of their own.
        &["test", "--workspace", "--all-targets", "--no-fail-fast", "--", "--show-output"]
    };
    let mut command = cargo();
    command.args(args).current_dir(root);
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    println!("$ {}", shown(&command));
    let mut run = watched(&mut command)?;
    let skipped = if nextest { skips::read(&root.join(skips::REPORT))? } else { run.skipped };
    run.summary.extend(skips::lines(&skipped));
    Ok(Outcome::Tests(run.summary))
}

/// How many tests run at once: what was asked for, else two for each processor, because most tests mostly wait.
/// What keeps processors busy counts for two in `.config/nextest.toml`.
fn threads(asked: Option<String>) -> String {
    asked.unwrap_or_else(|| (2 * thread::available_parallelism().map_or(1, usize::from)).to_string())
}

/// What a run printed, as far as it is kept.
#[derive(Debug, Default)]
struct Kept {
    /// The runner's own summary lines.
    summary: Vec<String>,
    /// Why tests were skipped, a reason each.
    skipped: Vec<String>,
}

/// Runs a program, passes its streams on line by line and keeps the lines that sum up.
fn watched(command: &mut Command) -> Result<Kept> {
    let shown = shown(command);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{shown}` did not start"))?;
    let errors = child.stderr.take().context("standard error is piped")?;
    let errors = thread::spawn(move || pass_on(errors, &mut std::io::stderr()));
    let output = child.stdout.take().context("standard output is piped")?;
    let mut kept = pass_on(output, &mut std::io::stdout())?;
    let more = errors.join().map_err(|_| anyhow!("reading the output of `{shown}` panicked"))??;
    kept.summary.extend(more.summary);
    kept.skipped.extend(more.skipped);
    let status = child.wait().with_context(|| format!("`{shown}` was lost"))?;
    if !status.success() {
        bail!("`{shown}`: {status}");
    }
    if kept.summary.is_empty() {
        bail!("`{shown}` ended without a summary: no test ran");
    }
    Ok(kept)
}

/// Copies a stream line by line; returns the lines that sum up or tell of a skipped test.
fn pass_on(from: impl Read, to: &mut impl Write) -> Result<Kept> {
    let mut from = BufReader::new(from);
    let (mut kept, mut line) = (Kept::default(), Vec::new());
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        to.flush()?;
        let text = String::from_utf8_lossy(&line);
        if sums_up(&text) {
            kept.summary.push(text.trim().to_owned());
        }
        kept.skipped.extend(skips::reason(&text).map(str::to_owned));
        line.clear();
    }
    Ok(kept)
}

/// Whether a line is the summary of nextest, or of one binary under `cargo test` that had tests.
fn sums_up(line: &str) -> bool {
    let nextest = line.contains("Summary") && line.contains("tests run:");
    let libtest = line.starts_with("test result:") && !line.contains(" 0 passed; 0 failed; 0 ignored;");
    nextest || libtest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_told_from_other_lines() {
        let yes = [
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s",
            "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
            "     Summary [   0.4s] 7 tests run: 7 passed, 0 skipped",
        ];
        let no = [
            "test summary::works ... ok",
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.0s",
            "running 3 tests",
        ];
        assert!(yes.iter().all(|it| sums_up(it)));
        assert!(!no.iter().any(|it| sums_up(it)));
    }

    #[test]
    fn a_run_passes_output_on_and_keeps_the_summary() {
        let mut seen = Vec::new();
        let output = b"a \xff\ntest result: ok. 1 passed; 0 failed; 0 ignored;\nno end".as_slice();
        let kept = pass_on(output, &mut seen).unwrap();
        assert_eq!(seen, output);
        assert_eq!(kept.summary, ["test result: ok. 1 passed; 0 failed; 0 ignored;"]);
        let kept = pass_on(b"running 1 test\nskipped: no curl here\n".as_slice(), &mut seen).unwrap();
        assert_eq!(kept.skipped, ["no curl here"]);
    }

    #[test]
    fn tests_are_two_to_a_processor_unless_asked_otherwise() {
        assert_eq!(threads(Some("1".to_owned())), "1");
        let counted: usize = threads(None).parse().unwrap();
        assert_eq!(counted, 2 * thread::available_parallelism().unwrap().get());
    }

    #[test]
    fn a_run_in_which_no_test_ran_fails() {
        let error = watched(Command::new("/bin/sh").args(["-c", "echo hello"])).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c echo hello` ended without a summary: no test ran");
        let error = watched(Command::new("/bin/sh").args(["-c", "exit 101"])).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c exit 101`: exit status: 101");
    }
}
