//! Trees that load, and mistakes with the sentence each one gets.

mod controller;
mod drivers;
mod lookups;
mod mistakes;
mod python;
mod several;
mod shapes;
mod wiring;

use std::path::Path;

use flasher_core::tree::DriverTree;

use crate::{Document, Findings, build};

/// The tree of an exporter YAML called `lab.yaml`.
fn load(yaml: &str) -> Result<DriverTree, Findings> {
    build(&Document::parse("lab.yaml", Path::new("/lab"), yaml)?)
}

/// The tree of a file that is in order.
fn tree(yaml: &str) -> DriverTree {
    load(yaml).unwrap_or_else(|findings| panic!("{findings}"))
}

/// What the user reads about a file that is not.
fn complaint(yaml: &str) -> String {
    load(yaml).map(|tree| format!("{tree:?}")).expect_err("this file has a mistake").to_string()
}

/// Compares what the user reads with what is expected, line by line, less trailing blanks.
fn check(yaml: &str, expected: &str) {
    let actual = complaint(yaml);
    assert!(actual.trim_end() == expected.trim(), "for\n{yaml}\n<<<\n{actual}\n>>>\nexpected\n{expected}");
}
