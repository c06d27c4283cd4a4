//! `cargo xtask test`: every check and every test, in order; the first failure ends the run.

mod deny;
mod runner;
mod skips;
mod space;
mod step;

use crate::package::{QEMU_BUNDLE, TEST_GUEST};
use anyhow::Result;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};
use step::Outcome;
use xtask_support::programs::succeed;
use xtask_support::tools::{CYCLONEDX, DEB, MACHETE, MDBOOK};
use xtask_support::workspace::{Workspace, cargo};
use xtask_support::{boot_loaders, debian_root, jumpstarter, packages, validators, words};

/// Options of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave out building the documentation
    #[arg(long)]
    quick: bool,
}

/// A step: its name and what it does in the root of the workspace.
type Step = (&'static str, fn(&Path, &Args) -> Result<Outcome>);

const STEPS: &[Step] = &[
    ("disk space", |root, _| space::check(root)),
    ("packages", |root, _| packages::ensure(root).map(Outcome::Note)),
    ("fmt", |root, _| run_cargo(root, &["fmt", "--all", "--check"])),
    ("clippy", |root, _| {
        run_cargo(root, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
    }),
    ("tidy", |_, _| xtask_tidy::run().map(|()| Outcome::Passed)),
    ("words", |root, _| words(root)),
    ("unused crates", |root, _| unused_crates(root)),
    ("manual", |root, _| manual(root)),
    ("qemu bundles", |_, _| prepared(QEMU_BUNDLE.run(&[]), "the bundles")),
    ("allwinner boot loader", boot_loader),
    ("test guest", |_, _| prepared(TEST_GUEST.run(&[]), "a Linux with other drivers")),
    ("jumpstarter", |root, _| prepared(jumpstarter::ensure(root), "Jumpstarter's clients")),
    ("validators", |root, _| prepared(validators::ensure(root), "the validators of reports")),
    ("package tools", |root, _| prepared(DEB.ensure(root).and_then(|()| CYCLONEDX.ensure(root)), "packages")),
    ("debian root", |root, _| prepared(debian_root::ensure(root), "a minimal Debian")),
    ("tests", |root, _| runner::run(root)),
    ("doc tests", |root, _| run_cargo(root, &["test", "--workspace", "--doc"])),
    ("doc", doc),
    ("deny", |root, _| deny::run(root)),
];

/// What guests boot. Without it their tests print `skipped`; in CI nothing is skipped.
fn prepared(made: Result<()>, what: &str) -> Result<Outcome> {
    match made {
        Ok(()) => Ok(Outcome::Passed),
        Err(error) if std::env::var_os("CI").is_some() => Err(error),
        Err(error) => Ok(Outcome::Skipped(format!("{error:#}; tests that need {what} print `skipped`"))),
    }
}

/// Misspelt words.
fn words(root: &Path) -> Result<Outcome> {
    match prepared(words::ensure(root), "`typos`")? {
        Outcome::Passed => words::check(root).map(|()| Outcome::Passed),
        skipped => Ok(skipped),
    }
}

/// Dependencies that no code names.
fn unused_crates(root: &Path) -> Result<Outcome> {
    if let Some(skipped) = step::absent(MACHETE, root)? {
        return Ok(skipped);
    }
    succeed(&mut MACHETE.command(root)?).map(|()| Outcome::Passed)
}

/// The manual as a book, in `target/book`.
fn manual(root: &Path) -> Result<Outcome> {
    if let Some(skipped) = step::absent(MDBOOK, root)? {
        return Ok(skipped);
    }
    succeed(MDBOOK.command(root)?.args(["build", "docs"])).map(|()| Outcome::Passed)
}

/// The boot loader of the emulated Orange Pi.
fn boot_loader(root: &Path, _: &Args) -> Result<Outcome> {
    prepared(boot_loaders::ensure(root).map(|how| println!("{how}")), "the emulated Orange Pi")
}

/// One row of the summary.
#[derive(Debug)]
struct Row {
    name: &'static str,
    result: Result<Outcome>,
    took: Duration,
}

/// Runs all steps; an error that names the step when one fails.
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = Workspace::load()?.root;
    let mut rows: Vec<Row> = Vec::new();
    for (name, step) in STEPS {
        println!("\n== {name}");
        io::stdout().flush()?;
        let start = Instant::now();
        let result = step(&root, args);
        let row = Row { name, result, took: start.elapsed() };
        println!("== {}", row_text(&row));
        let failed = row.result.is_err();
        rows.push(row);
        if failed {
            break;
        }
    }
    print!("{}", summary(&rows));
    io::stdout().flush()?;
    match rows.pop() {
        Some(Row { name, result: Err(error), .. }) => Err(error.context(format!("step `{name}` failed"))),
        _ => Ok(()),
    }
}

/// The table, then what the test runner itself had to say.
fn summary(rows: &[Row]) -> String {
    let mut text = String::from("\n");
    for row in rows {
        text += &row_text(row);
        text.push('\n');
    }
    for row in rows {
        if let Ok(Outcome::Tests(lines)) = &row.result {
            text += &format!("\n{}\n", lines.join("\n"));
        }
    }
    text
}

fn row_text(row: &Row) -> String {
    let (word, more) = match &row.result {
        Ok(Outcome::Passed | Outcome::Tests(_)) => ("ok", ""),
        Ok(Outcome::Note(text)) => ("ok", text.as_str()),
        Ok(Outcome::Skipped(why)) => ("skipped", why.as_str()),
        Err(_) => ("FAILED", ""),
    };
    format!("{:<10} {word:<8} {:>7.1} s  {more}", row.name, row.took.as_secs_f64()).trim_end().to_owned()
}

fn doc(root: &Path, args: &Args) -> Result<Outcome> {
    if args.quick {
        return Ok(Outcome::Skipped("--quick".to_owned()));
    }
    let mut command = cargo();
    command.args(["doc", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "-Dwarnings").current_dir(root);
    succeed(&mut command).map(|()| Outcome::Passed)
}

fn run_cargo(root: &Path, args: &[&str]) -> Result<Outcome> {
    succeed(cargo().args(args).current_dir(root)).map(|()| Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_a_row_per_step() {
        let row = |name, result, seconds| Row { name, result, took: Duration::from_secs(seconds) };
        let runner = vec!["test result: ok. 7 passed".to_owned()];
        let rows = [
            row("fmt", Ok(Outcome::Passed), 1),
            row("tests", Ok(Outcome::Tests(runner)), 20),
            row("doc", Ok(Outcome::Skipped("--quick".to_owned())), 0),
            row("deny", Err(anyhow::anyhow!("no")), 3),
        ];
        let expected = "\n\
            fmt        ok           1.0 s\n\
            tests      ok          20.0 s\n\
            doc        skipped      0.0 s  --quick\n\
            deny       FAILED       3.0 s\n\
            \n\
            test result: ok. 7 passed\n";
        assert_eq!(summary(&rows), expected);
    }
}
