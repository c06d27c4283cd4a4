//! Which tests printed `skipped`, and why: a summary that counts only passed and failed tests hides them.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Where nextest writes its report, below the root (`.config/nextest.toml` asks for it).
pub(super) const REPORT: &str = "target/nextest/default/junit.xml";
/// What a test prints in place of its work.
const MARK: &str = "skipped: ";

/// Why a test was skipped, when this line of its output says so.
pub(super) fn reason(line: &str) -> Option<&str> {
    line.trim().strip_prefix(MARK)
}

/// A reason for each test that the report shows as skipped.
pub(super) fn read(report: &Path) -> Result<Vec<String>> {
    let shown = report.display();
    let text = fs::read_to_string(report).with_context(|| format!("cannot read nextest's report {shown}"))?;
    reasons(&text).with_context(|| format!("{shown} is not a JUnit report"))
}

fn reasons(report: &str) -> Result<Vec<String>> {
    let document = roxmltree::Document::parse(report)?;
    let tests = document.descendants().filter(|node| node.has_tag_name("testcase"));
    let first = |test: roxmltree::Node<'_, '_>| {
        let outputs = test
            .children()
            .filter(|node| ["system-out", "system-err"].iter().any(|it| node.has_tag_name(*it)));
        let texts: Vec<&str> = outputs.filter_map(|node| node.text()).collect();
        texts.iter().flat_map(|text| text.lines()).find_map(reason).map(str::to_owned)
    };
    Ok(tests.filter_map(first).collect())
}

/// The lines of the summary: how many tests were skipped, then each reason with how often it was given.
pub(super) fn lines(skipped: &[String]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    skipped.iter().for_each(|why| *counts.entry(why).or_default() += 1);
    let head = format!("{} tests printed `skipped`", skipped.len());
    std::iter::once(head).chain(counts.iter().map(|(why, count)| format!("  {count} x {why}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_tests_are_counted_by_reason() {
        let report = r#"<?xml version="1.0"?><testsuites><testsuite name="a">
            <testcase name="ran"><system-out>all is skipped over</system-out></testcase>
            <testcase name="one"><system-out>running 1 test
skipped: no curl here
test one ... ok</system-out><system-err></system-err></testcase>
            <testcase name="two"><system-out/><system-err>skipped: no curl here
skipped: again</system-err></testcase>
        </testsuite></testsuites>"#;
        let skipped = reasons(report).unwrap();
        assert_eq!(skipped, ["no curl here", "no curl here"]);
        assert_eq!(lines(&skipped), ["2 tests printed `skipped`", "  2 x no curl here"]);
        assert_eq!(lines(&[]), ["0 tests printed `skipped`"]);
        assert!(reasons("no report").is_err());
    }
}
