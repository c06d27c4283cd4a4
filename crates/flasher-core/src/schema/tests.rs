//! The published schemas have the keys that programs look for.

use super::*;

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default()
}

#[test]
fn events_and_receipts_are_described() {
    let events = events();
    let kinds: Vec<&str> = events["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["properties"]["event"]["const"].as_str())
        .collect();
    for kind in ["attempt-begun", "step-begun", "advanced", "console", "transfer", "retrying", "finished"] {
        assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
    }
    let receipt = receipt();
    for key in ["schema", "tool", "verdict", "failure", "image", "board", "medium", "steps", "power"] {
        assert!(keys(&receipt["properties"]).contains(&key), "{key}");
    }
}
