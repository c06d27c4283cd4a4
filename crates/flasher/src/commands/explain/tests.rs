//! Everything that a failure can name has a section, and a section is found by what a person has at hand.

use std::collections::BTreeSet;

use flasher_core::{RootCause, schema};
use serde_json::Value;

use super::*;

/// The values that the schema of receipts has for a type: each is a constant, or an object with one.
fn values(name: &str) -> Vec<String> {
    let schema = serde_json::to_value(schema::receipt()).unwrap();
    let kinds = schema["$defs"][name]["oneOf"].as_array().unwrap().clone();
    let value = |of: &Value| {
        let state =
            of["properties"].as_object().and_then(|it| it.values().find(|it| it["const"].is_string()));
        let value = of["const"].as_str().or_else(|| state?["const"].as_str());
        value.unwrap().to_owned()
    };
    kinds.iter().map(value).collect()
}

/// Codes of a page that are not among `of`, and the other way round.
fn difference(page: usize, of: &[String]) -> Vec<String> {
    let codes: BTreeSet<String> = sections(PAGES[page].1).map(|it| it.code.to_owned()).collect();
    let of: BTreeSet<String> = of.iter().cloned().collect();
    codes.symmetric_difference(&of).cloned().collect()
}

#[test]
fn everything_that_a_failure_names_has_a_section() {
    assert_eq!(difference(0, &values("Class")), [""; 0]);
    assert_eq!(difference(1, &values("Step")), [""; 0]);
    assert_eq!(difference(2, &values("MediumState")), [""; 0]);
    let causes: Vec<String> = RootCause::ALL.iter().map(|cause| cause.code().to_owned()).collect();
    assert_eq!(difference(3, &causes), [""; 0]);
    let mut codes: Vec<&str> = all().map(|it| it.code).filter(|code| *code != "unknown").collect();
    codes.sort_unstable();
    assert!(codes.windows(2).all(|pair| pair[0] != pair[1]), "a code stands twice: {codes:?}");
}

#[test]
fn a_section_about_a_root_cause_has_the_words_of_its_messages() {
    let section = |code: &str| sections(PAGES[3].1).find(|it| it.code == code).unwrap();
    for cause in RootCause::ALL {
        let first = messages(section(cause.code())).next();
        assert_eq!(first, Some(cause.sentence()), "docs/errors-causes.md, {cause}");
    }
    for cause in board_console::Cause::ALL {
        let last = messages(section(cause.code())).last();
        assert_eq!(last, Some(cause.to_string().as_str()), "docs/errors-causes.md, {}", cause.code());
    }
}

#[test]
fn a_section_says_what_to_do() {
    for section in all() {
        assert!(section.text.contains("* **Do:** "), "{} does not say what to do", section.code);
    }
}

#[test]
fn a_section_is_found_by_its_code_an_exit_code_or_words() {
    let found = |words: &str| find(words).iter().map(|it| it.code).collect::<Vec<_>>();
    assert_eq!(found("Board"), ["board"]);
    assert_eq!(found("130"), ["interrupted"]);
    assert_eq!(found("no DHCP server answers"), ["dhcp-silent"]);
    let message = "the board got no address by DHCP within 60 s: `dhcp` failed: no DHCP server answers; check the network or \
                   give the board a static address";
    assert_eq!(found(message), ["dhcp-silent"]);
    assert_eq!(
        found("the TFTP server"),
        ["other-port", "file-not-found", "tftp-refused", "http-unreachable"]
    );
    assert_eq!(found("x"), [""; 0]);
    assert_eq!(found("a sentence of another program"), [""; 0]);
}

#[test]
fn a_section_is_shown_without_the_signs_of_the_manual() {
    let text = "Meaning, with [a link](page.md#x)\nthat goes on.\n\n> words of it\n\n* **See:** `flasher plan`.\n* **Do:** this\n  and that.";
    let expected = "code\n\n  Meaning, with a link that goes on.\n\n  words of it\n\n  see `flasher plan`.\n  do  this and that.\n";
    assert_eq!(shown(Section { code: "code", text }, Paint::plain()), expected);
}
