//! Receipts and consoles that were made up to do harm: nothing of them is obeyed, and none makes a large report.

use report::{ReportedJob, junit, kcidb, page, text};
use serde_json::{Value, json};

use crate::sample::{failed, job, proven};

const MARKUP: &str =
    "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\u{202e}\u{1b}[2J\u{0}";

/// `value` with every text that a receipt leaves free replaced.
fn poisoned(value: &mut Value, key: &str) {
    // What has words of its own, or a form, is refused by the reader or shows as no time.
    let fixed = [
        "verdict",
        "job",
        "class",
        "step",
        "kind",
        "power",
        "power_evidence",
        "state",
        "end",
        "of",
        "via",
        "read_back",
        "digests_by",
        "zeros_by",
        "wire",
        "verify",
        "ended",
        "by",
        "sha256",
    ];
    match value {
        Value::String(text) if !fixed.contains(&key) => MARKUP.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| poisoned(item, key)),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, field)| poisoned(field, key)),
        _ => {}
    }
}

fn poisoned_job() -> ReportedJob {
    let mut receipt = failed("medium", "verify");
    poisoned(&mut receipt, "");
    receipt["medium"]["identity"] = json!({ MARKUP: MARKUP });
    receipt["failure"]["context"] = json!({ MARKUP: MARKUP });
    job(receipt, &format!("2026-09-21T14:13:22.001Z < {MARKUP}\n{MARKUP}\n"))
}

#[test]
fn markup_of_a_receipt_is_text() {
    let page = page(&[poisoned_job(), poisoned_job()]);
    assert_eq!(page.matches("<script").count(), 1, "only the page's own");
    assert_eq!(page.matches("<style").count(), 1);
    assert!(
        !page.contains("<img")
            && !page.contains('\u{202e}')
            && !page.contains('\u{1b}')
            && !page.contains('\0')
    );
    assert!(page.contains("&lt;script&gt;alert(1)"), "it is shown");
    for place in page.match_indices("http") {
        let before = &page[place.0.saturating_sub(20)..place.0];
        assert!(!before.contains("src=") && !before.contains("href="), "{before}");
    }
}

#[test]
fn nothing_of_a_receipt_steers_a_terminal_or_breaks_a_result() {
    let text = text(&[poisoned_job()]);
    assert!(text.chars().all(|it| it == '\n' || !flasher_core::safe::is_unsafe(it)), "{text:?}");
    let xml = junit(&[poisoned_job()]).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    assert!(document.descendants().all(|node| !node.has_tag_name("script")));
    let result: Value = serde_json::from_str(&kcidb(&[poisoned_job()], "lab").unwrap()).unwrap();
    assert!(!result.to_string().contains("\\u0000"));
}

#[test]
fn a_large_receipt_makes_a_small_report() {
    let mut receipt = failed("medium", "verify");
    let range = receipt["medium"]["ranges"][1].clone();
    let many = |value: Value| Value::Array(vec![value; 100_000]);
    receipt["medium"]["ranges"] = many(range);
    receipt["warnings"] = many(json!("w".repeat(200)));
    receipt["failure"]["console"] = many(json!("c".repeat(200)));
    receipt["failure"]["cause"] = json!("long ".repeat(1_000_000));
    receipt["history"] = Value::Array(vec![receipt["history"][0].clone(); 10_000]);
    let transfer = receipt["traffic"]["transfers"][0].clone();
    receipt["traffic"]["transfers"] = many(transfer);
    let points = (0..100_000).map(|at| json!({ "at": at, "bytes": u64::MAX })).collect();
    receipt["traffic"]["rates"] = json!([{ "of": "write", "points": Value::Array(points) }]);
    let identity = (0..10_000).map(|number| (format!("key {number}"), json!("v".repeat(500))));
    receipt["medium"]["identity"] = Value::Object(identity.collect());
    let jobs = [job(receipt, &"x\n".repeat(1 << 20))];
    for report in [page(&jobs), text(&jobs), junit(&jobs).unwrap(), kcidb(&jobs, "lab").unwrap()] {
        assert!(report.len() <= 1 << 20, "{}: {}", report.len(), &report[..2000]);
    }
}

#[test]
fn numbers_beyond_all_bounds_are_shown_or_left_out() {
    let mut receipt = proven(12);
    receipt["seconds"] = json!(1e300);
    receipt["steps"]["write"] = json!(-5.0);
    receipt["steps"]["verify"] = json!(1e308);
    receipt["medium"]["size"] = json!(u64::MAX);
    receipt["medium"]["ranges"][3]["offset"] = json!(u64::MAX);
    receipt["traffic"]["rates"][0]["points"] =
        json!([{ "at": -1e300, "bytes": 0 }, { "at": 1e300, "bytes": u64::MAX }]);
    receipt["traffic"]["transfers_left_out"] = json!(u64::MAX);
    receipt["traffic"]["transfers"][0]["seconds"] = json!(1e-300);
    let jobs = [job(receipt, "")];
    assert!(page(&jobs).contains("proves nothing"));
    text(&jobs);
    junit(&jobs).unwrap();
    kcidb(&jobs, "lab").unwrap();
}

#[test]
fn a_report_of_no_receipt_is_a_report() {
    assert!(page(&[]).contains("0 of 0 proven"));
    assert_eq!(text(&[]), "");
    roxmltree::Document::parse(&junit(&[]).unwrap()).unwrap();
}
