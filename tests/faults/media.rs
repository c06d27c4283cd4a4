//! Faults of the medium and of the power while it is written.

use flasher_core::{Class, Step};

use super::case::{Boots, Case, Content, Damage, Image, Medium};

pub(super) fn cases() -> Vec<Case> {
    [passing(), refusing(), forgetting(), power_cuts(), standing_still()].concat()
}

fn faulty(name: &str, board: &'static str) -> Case {
    Case { board, ..Case::new(name) }
}

/// The fault is gone when the power comes back: a retry helps.
fn passing() -> Vec<Case> {
    let stall = "timeouts: { stall: 2 }";
    let cases = [
        ("disk full", "full_at: 2MiB, heals_after: 1"),
        ("disk full just before the end", "full_at: 3500000, heals_after: 1"),
        ("write error", "write_error: 1MiB, heals_after: 1"),
        ("write error in zeros", "write_error: 2MiB, heals_after: 1"),
        ("write error in the first block", "write_error: 0, heals_after: 1"),
        ("read-back error", "read_error_at: 1MiB, heals_after: 1"),
        ("read-back error in the first block", "read_error_at: 100, heals_after: 1"),
        ("bit flip in zeros", "flip_bit: { offset: 2000000, mask: 4 }, heals_after: 1"),
        ("bit flip in the tail", "flip_bit: { offset: 3600100, mask: 1 }, heals_after: 1"),
        ("bit flip in the first block", "flip_bit: { offset: 100, mask: 4 }, heals_after: 1"),
        ("stuck dd", "dd_stuck: true, heals_after: 1"),
    ];
    cases.map(|(name, board)| Case { flasher: stall, ..faulty(name, board) }.helped(2)).to_vec()
}

fn refusing() -> Vec<Case> {
    let writing = "writing `/dev/mmcblk0` failed";
    let full = faulty("disk full", "full_at: 2MiB").breaks(Class::Medium, Step::Write, writing);
    let first = faulty("write error in the first block", "write_error: 0").breaks(
        Class::Medium,
        Step::Write,
        writing,
    );
    vec![
        full.clone(),
        full.in_vain(),
        faulty("disk full just before the end", "full_at: 3500000")
            .breaks(Class::Medium, Step::Write, writing)
            .in_vain(),
        faulty("write error", "write_error: 1MiB").breaks(Class::Medium, Step::Write, writing),
        faulty("write error", "write_error: 1MiB").breaks(Class::Medium, Step::Write, writing).in_vain(),
        faulty("write error in zeros", "write_error: 2MiB")
            .breaks(Class::Medium, Step::Write, writing)
            .in_vain(),
        // What cannot be written stays as it was: so does the old system.
        Case { medium: Medium::Old, boots: Boots::Old, ..first.clone() },
        Case { medium: Medium::Old, boots: Boots::Old, ..first }.in_vain(),
        faulty("read-back error", "read_error_at: 1MiB").breaks(
            Class::Medium,
            Step::Verify,
            "cannot be read back",
        ),
        faulty("read-back error, always", "read_error_at: 1MiB")
            .breaks(Class::Medium, Step::Verify, "cannot be read back")
            .in_vain(),
        faulty("read-back error in the first block", "read_error_at: 100")
            .breaks(Class::Medium, Step::Verify, "cannot be read back")
            .in_vain(),
        Case {
            flasher: "read_back: board",
            ..faulty("read-back error, hashed by the board", "read_error_at: 1MiB").breaks(
                Class::Medium,
                Step::Verify,
                "cannot be read back",
            )
        },
    ]
}

fn forgetting() -> Vec<Case> {
    let differs = |name: &str, board, says| faulty(name, board).breaks(Class::Medium, Step::Verify, says);
    vec![
        differs("bit flip", "flip_bit: { offset: 700000, mask: 4 }", "differ, twice"),
        differs("bit flip, always", "flip_bit: { offset: 700000, mask: 4 }", "differ, twice").in_vain(),
        differs("bit flip in zeros", "flip_bit: { offset: 2000000, mask: 4 }", "differ, twice").in_vain(),
        differs("bit flip in the tail", "flip_bit: { offset: 3600100, mask: 1 }", "differ, twice").in_vain(),
        Case {
            flasher: "read_back: board",
            ..differs(
                "bit flip, hashed by the board",
                "flip_bit: { offset: 700000, mask: 4 }",
                "differ, twice",
            )
        },
        Case {
            medium: Medium::Anything,
            ..faulty("bit flip in the first block", "flip_bit: { offset: 100, mask: 4 }").breaks(
                Class::Medium,
                Step::Verify,
                "bytes 0-65535 differ, twice",
            )
        }
        .in_vain(),
        faulty("bit flip once", "flip_bit: { offset: 700000, mask: 4, times: 1 }"),
        faulty("bit flip once, in the first block", "flip_bit: { offset: 100, mask: 4, times: 2 }"),
        faulty("bit flip twice", "flip_bit: { offset: 700000, mask: 4, times: 2 }").helped(2),
    ]
}

/// The image is 3 MB of data.
fn power_cuts() -> Vec<Case> {
    let cuts = [
        (
            "power cut at 1 %",
            "cut_power_after_bytes: 30000",
            "cut_power_after_bytes: 30000, cut_power_always: true",
        ),
        (
            "power cut at 50 %",
            "cut_power_after_bytes: 1500000",
            "cut_power_after_bytes: 1500000, cut_power_always: true",
        ),
        (
            "power cut at 99 %",
            "cut_power_after_bytes: 2934000",
            "cut_power_after_bytes: 2934000, cut_power_always: true",
        ),
    ];
    let mut cases = Vec::new();
    for (name, board, always) in cuts {
        let image = Image { content: Content::Data, packed: None, damage: Damage::None };
        let cut = Case { image, flasher: "timeouts: { stall: 2, bootloader: 15 }", ..faulty(name, board) };
        let cut = cut.breaks(Class::Infrastructure, Step::Write, "");
        // Else the second attempt goes on from where the first was cut, and is over before the next cut.
        let flasher = "timeouts: { stall: 2, bootloader: 15 }\n      compare: never";
        let always = Case { board: always, flasher, ..cut.clone() }.in_vain();
        cases.extend([cut.clone(), cut.helped(2), always]);
    }
    cases
}

fn standing_still() -> Vec<Case> {
    let stuck = Case { flasher: "timeouts: { stall: 2 }", ..faulty("stuck dd", "dd_stuck: true") }.breaks(
        Class::Infrastructure,
        Step::Write,
        "stands still",
    );
    let stuck = Case { medium: Medium::Old, boots: Boots::Old, ..stuck };
    vec![stuck.clone(), stuck.in_vain(), faulty("slow medium", "slow: 3MiB")]
}
