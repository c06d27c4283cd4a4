//! Whether a failure has a class that the faults of its case allow, and names one of them.

use serde_json::Value;

use crate::case::Case;
use crate::observation::Observation;

/// Classes and their exit codes.
const CODES: [(i32, &str); 7] = [
    (2, "config"),
    (3, "source"),
    (4, "infrastructure"),
    (5, "board"),
    (6, "medium"),
    (70, "internal"),
    (130, "interrupted"),
];

/// The class of an exit code.
pub(crate) fn class_of(code: i32) -> Option<&'static str> {
    CODES.iter().find(|(it, _)| *it == code).map(|(_, class)| *class)
}

/// Whether a fault of the case may end in this class.
pub(crate) fn allows(case: &Case, seen: &Observation, class: &str) -> bool {
    let by_fault = case.faults.iter().flat_map(|fault| fault.ends).any(|(it, _)| *it == class);
    let is_late = class == "infrastructure" && text(seen).contains("the deadline of");
    (by_fault || is_late) && (class != "interrupted" || seen.ran.signalled)
}

/// Whether the message names one of the faults that may end in this class.
pub(crate) fn names(case: &Case, seen: &Observation, class: &str) -> bool {
    let text = text(seen);
    let ends = case.faults.iter().flat_map(|fault| fault.ends).filter(|(it, _)| *it == class);
    let mut words = ends.flat_map(|(_, words)| *words);
    words.any(|word| text.contains(&word.to_lowercase()))
}

/// What the failure says, in lower case: cause, context, help and evidence of the receipt, or standard error without one.
pub(crate) fn text(seen: &Observation) -> String {
    let failure =
        seen.receipt.as_ref().map(|receipt| &receipt["failure"]).filter(|failure| !failure.is_null());
    let Some(failure) = failure else { return seen.ran.errors.to_lowercase() };
    let context = failure["context"].as_object().into_iter().flatten().map(|(_, value)| value);
    let seen = failure["diagnosis"]["evidence"].as_array().into_iter().flatten().map(|it| &it["seen"]);
    let all = [&failure["cause"], &failure["help"]].into_iter().chain(context).chain(seen);
    all.filter_map(Value::as_str).collect::<Vec<_>>().join(" ").to_lowercase()
}

/// How it ended, in one line.
pub(crate) fn ended(seen: &Observation) -> String {
    let ran = &seen.ran;
    let code = match (ran.code, ran.signal) {
        (Some(code), _) => format!("{code}"),
        (None, signal) => format!("signal {}", signal.unwrap_or_default()),
    };
    let Some(receipt) = &seen.receipt else {
        let line = ran.errors.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        return format!("{code}, no receipt: {line}");
    };
    let failure = &receipt["failure"];
    if failure.is_null() {
        return format!("{code} {} in {}", receipt["verdict"].as_str().unwrap_or("?"), receipt["attempts"]);
    }
    let word = |key: &str| failure[key].as_str().unwrap_or("?").to_owned();
    let medium = failure["medium"]["state"].as_str().unwrap_or("no state");
    let attempts = &receipt["attempts"];
    let root = failure["diagnosis"]["root_cause"].as_str().unwrap_or("-");
    format!("{code} {} in {attempts}, {}, {root}: {} [{medium}]", word("class"), word("step"), word("cause"))
}
