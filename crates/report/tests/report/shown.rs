//! What people read in a report.

use report::{ConsoleOfJob, ReportedJob, Standing, page, text};
use serde_json::json;

use crate::sample::{CONSOLE, failed, job, proven, sealed};

/// Each of `words` is on the page, in this order.
fn in_order(page: &str, words: &[&str]) {
    let mut rest = page;
    for word in words {
        let Some(at) = rest.find(word) else { panic!("`{word}` is not there, or not in its place: {page}") };
        rest = &rest[at + word.len()..];
    }
}

#[test]
fn a_proven_flash_as_text() {
    insta::assert_snapshot!(text(&[job(proven(12), "")]), @r"
    proven: https://images.example.org/os.img.xz on rack-3/board.storage
      image      https://images.example.org/os.img.xz, 12 MiB, sha256 6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d
      on         /dev/mmcblk0 (emmc), 29.8 GiB
      took       53.0 s, from 2026-09-21T14:13:20.250Z
      power      off, as the switch reports
      warning    the switch took 4 s to confirm `off`
    ");
}

#[test]
fn a_failed_flash_as_text() {
    insta::assert_snapshot!(text(&[job(failed("medium", "verify"), "")]), @r"
    failed: https://images.example.org/os.img.xz on rack-3/board.storage
      to blame   the medium (class medium)
      cause      the medium does not hold what was written
      step       verify (reads everything back and compares it)
      medium     the image with wrong or unreadable bytes; its first block is erased, so nothing boots from it
      to do      use another card; this one is worn out
      image      https://images.example.org/os.img.xz, 12 MiB, sha256 6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d
      on         /dev/mmcblk0 (emmc), 29.8 GiB
      took       53.0 s, 2 attempts, from 2026-09-21T14:13:20.250Z
      power      off, as the switch reports
      warning    the switch took 4 s to confirm `off`
    ");
}

#[test]
fn several_receipts_as_text_begin_with_a_count() {
    let text = text(&[job(proven(12), ""), job(failed("board", "shell"), "")]);
    assert!(text.starts_with("1 of 2 proven\n\nproven: "), "{text}");
}

#[test]
fn a_page_begins_with_the_verdict() {
    let page = page(&[job(proven(12), CONSOLE)]);
    in_order(
        &page,
        &[
            "<h1>proven</h1>",
            "os.img.xz",
            "rack-3/board.storage",
            "Every byte that counts was read back",
            "Image",
            "https://images.example.org/os.img.xz",
            "Medium",
            "/dev/mmcblk0",
            "Board",
            "ti-j784s4",
            "Steps",
            "verify",
            "Map of /dev/mmcblk0",
            "unmapped 2 MiB",
            "Rates",
            "read back 1.8 GiB",
            "Transfers",
            "3 packets sent again",
            "kernel",
            "ended early",
            "2 more transfers not shown",
            "Console",
            "14:13:22.001",
            "<span class=\"cg\">ok</span> &lt;b&gt;not bold&lt;/b&gt;",
            "Evidence",
            "flasher verify-receipt",
        ],
    );
}

#[test]
fn a_page_of_a_failure_says_who_is_to_blame() {
    let page = page(&[job(failed("medium", "verify"), "")]);
    in_order(
        &page,
        &[
            "<h1>failed</h1>",
            "the medium does not hold what was written",
            "To blame",
            "the medium",
            "On the medium",
            "What to do",
            "use another card",
            "Attempts",
            "Steps of the last attempt",
            "written again 1 MiB",
            "differs 1 MiB",
        ],
    );
}

#[test]
fn a_page_of_several_receipts_compares_them() {
    let mut other = proven(12);
    other["site"]["exporter"] = json!("rack-4");
    other["steps"]["write"] = json!(10.5);
    other["history"][0]["steps"]["write"] = json!(10.5);
    let jobs = [job(proven(12), ""), job(other, ""), job(failed("board", "shell"), "")];
    let page = page(&jobs);
    let words = [
        "<h1>2 of 3 proven</h1>",
        "all of the same image",
        "rack-4",
        "board, in shell",
        "Steps, in seconds",
        "slow",
        "20.5",
    ];
    in_order(&page, &words);
    assert_eq!(page.matches("<article").count(), 3);
}

#[test]
fn a_receipt_that_does_not_bear_out_its_verdict_proves_nothing() {
    let mut unread = proven(12);
    unread["medium"]["ranges"][2]["read_back"] = json!(null);
    let mut old = proven(12);
    old["schema"] = json!(1);
    let cases = [
        (proven(12), "proven"),
        (failed("board", "shell"), "failed"),
        (unread, "proves nothing"),
        (old, "proves nothing"),
    ];
    for (receipt, words) in cases {
        let job = job(receipt, "");
        assert_eq!(job.standing.words(), words, "{:?}", job.standing);
        assert_eq!(
            page(std::slice::from_ref(&job)).contains("<h1>proven</h1>"),
            job.standing == Standing::Proven
        );
    }
}

#[test]
fn receipts_of_former_versions_are_shown() {
    let mut old = proven(12);
    for key in ["site", "history", "traffic", "begun", "ended", "warnings"] {
        old[key] = match key {
            "warnings" => json!([]),
            "traffic" | "site" => json!({}),
            "history" => json!([]),
            _ => json!(""),
        };
    }
    let old = ReportedJob::new(
        "old",
        sealed(old),
        ConsoleOfJob::Lost("the transcript `x` is not here any more".into()),
    );
    let page = page(&[old]);
    assert!(
        !page.contains("<h2>Rates")
            && !page.contains("<h2>Transfers")
            && page.contains("is not here any more")
    );
}

#[test]
fn a_long_flash_makes_a_page_of_at_most_a_mebibyte() {
    let console: String = (0..200_000)
        .map(|line| {
            format!("2026-09-21T14:13:22.001Z < [{line:>9}] <6>usb 1-1: new high-speed device & more\n")
        })
        .collect();
    let page = page(&[job(proven(7 * 1024), &console)]);
    assert!(page.len() <= 1 << 20, "{}", page.len());
    assert!(page.contains("200000 lines") && page.contains("lines are not shown"));
}
