//! The manual in `docs/`: what of it the build makes is what the program says today, and its links lead to pages.
//!
//! `cargo xtask book` writes the files that these tests compare.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod lab;
mod links;
mod reference;
mod samples;
mod schema;
mod shape;

use std::path::{Path, PathBuf};

// Registers every driver and board.
use flasher_bundles as _;

/// In the environment of `cargo xtask book`: files are written where they differ.
const WRITES: &str = "FLASHER_WRITE_BOOK";

/// The folder of the manual.
fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// A file of the manual that the build makes, its path relative to `docs`.
struct Made {
    path: String,
    text: String,
}

/// Each file is there and has the same text, as far as `same` sees; or is written.
fn check(made: &[Made], same: impl Fn(&str, &str) -> bool) {
    let writes = std::env::var_os(WRITES).is_some();
    let mut wrong = Vec::new();
    for Made { path, text } in made {
        let file = docs().join(path);
        let there = std::fs::read_to_string(&file).unwrap_or_default();
        if same(&there, text) {
            continue;
        }
        if writes {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, text).unwrap();
        } else {
            wrong.push(format!("docs/{path}: {}", first_difference(&there, text)));
        }
    }
    assert!(wrong.is_empty(), "run `cargo xtask book` and look at what changed:\n{}", wrong.join("\n"));
}

/// The first lines that differ, numbers and all: where to look.
fn first_difference(there: &str, text: &str) -> String {
    let of = |text: &str| shape::of(text).lines().map(str::to_owned).collect::<Vec<_>>();
    let (there, text) = (of(there), of(text));
    let at = there.iter().zip(&text).take_while(|(there, text)| there == text).count();
    let line = |of: &[String]| of.get(at).cloned().unwrap_or_else(|| "its end".to_owned());
    format!("has\n  {}\nwhere the program now says\n  {}", line(&there), line(&text))
}

/// The files of a folder that the build makes, and of no former one.
fn assert_none_left(folder: &str, made: &[Made]) {
    let mut left = Vec::new();
    for entry in std::fs::read_dir(docs().join(folder)).unwrap() {
        let path = format!("{folder}/{}", entry.unwrap().file_name().into_string().unwrap());
        if !made.iter().any(|it| it.path == path) {
            left.push(path);
        }
    }
    assert!(left.is_empty(), "nothing makes these files any more, remove them: {left:?}");
}

#[test]
fn the_samples_are_what_the_program_prints() {
    let made = samples::all();
    check(&made, |there, text| shape::of(there) == shape::of(text));
    assert_none_left("samples", &made);
}

#[test]
fn the_reference_is_that_of_the_program() {
    let made = reference::all();
    check(&made, |there, text| there == text);
    assert_none_left("reference", &made);
}

#[test]
fn every_link_of_the_book_leads_to_a_page() {
    // A page that is being written may not be there yet; the next run looks.
    if std::env::var_os(WRITES).is_some() {
        return;
    }
    let found = links::dangling(&docs());
    assert!(found.is_empty(), "{}", found.join("\n"));
}
