//! Broken set-ups: each goes through `check`, `doctor` and `flash`. What the flash fails on, doctor has named before, with the same exit
//! code; and a set-up that works passes all three.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]

mod setup;
mod tables;

use setup::{Case, Setup};

fn play(cases: &[Case]) {
    let wrong: Vec<String> = cases.iter().filter_map(|case| Setup::new(case).play(case)).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn lines_that_cannot_be_had() {
    play(tables::LINES);
}

#[test]
fn power_commands_that_cannot_run() {
    play(tables::COMMANDS);
}

#[test]
fn power_switches_that_cannot_be_reached() {
    play(tables::SWITCHES);
}

#[test]
fn servers_that_cannot_serve() {
    play(tables::SERVERS);
}

#[test]
fn bundles_and_files_that_are_no_good() {
    play(tables::BUNDLES);
}

#[test]
fn what_another_user_may_not_use() {
    play(tables::RIGHTS);
}

#[test]
fn set_ups_that_work() {
    play(tables::GOOD);
}

#[test]
fn the_tables_are_as_long_as_promised() {
    let broken =
        [tables::LINES, tables::COMMANDS, tables::SWITCHES, tables::SERVERS, tables::BUNDLES, tables::RIGHTS];
    assert!(broken.iter().map(|cases| cases.len()).sum::<usize>() >= 60);
}
