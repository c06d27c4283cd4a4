//! Files with more than one mistake: each is reported once, in the order of lines, and none follows from another.

use super::{load, tree};

fn places(yaml: &str) -> Vec<(usize, usize, String)> {
    let findings = load(yaml).map(|_| ()).expect_err("this file has mistakes");
    findings.0.into_iter().map(|finding| (finding.line, finding.column, finding.message)).collect()
}

fn check(yaml: &str, expected: &[(usize, usize, &str)]) {
    let actual = places(yaml);
    let actual: Vec<_> = actual.iter().map(|(line, column, text)| (*line, *column, text.as_str())).collect();
    assert_eq!(actual, expected, "{yaml}");
}

#[test]
fn nine_mistakes_make_nine_findings() {
    check(
        "\
apiVersion: v1
exprot: {}
export:
  storage:
    type: test-flasher
    children:
      power: { ref: pwoer }
  line:
    type: test-serial
    config:
      url: /dev/ttyUSB0
      baudrate: fast
      speed: 1
  switch:
    typ: test-power
  power: { type: test-power }
  serial: { type: toaster }
",
        &[
            (1, 13, "expected `jumpstarter.dev/v1alpha1`, found the text `v1`"),
            (2, 1, "unknown key `exprot`"),
            (4, 3, "the child `serial` of kind serial is missing (the board's console)"),
            (4, 3, "the key `board` is missing"),
            (7, 21, "`ref: pwoer` names nothing in `export`"),
            (12, 17, "expected a whole number from 0 to 4294967295, found the text `fast`"),
            (13, 7, "unknown key `speed`"),
            (15, 5, "unknown key `typ`"),
            (17, 19, "unknown driver `toaster`"),
        ],
    );
}

#[test]
fn a_broken_child_is_not_missing_as_well() {
    check(
        "export:\n  s:\n    type: test-flasher\n    config: { board: x }\n    children:\n      power: { type: test-pwoer }\n      serial: { type: test-serial }\n",
        &[(6, 22, "unknown driver `test-pwoer`"), (7, 7, "the key `url` is missing")],
    );
}

#[test]
fn a_reference_to_a_broken_node_is_silent() {
    check(
        "export:\n  a: { ref: b }\n  c: { ref: b.below }\n  b: { type: toaster }\n  d: { ref: a }\n",
        &[(4, 14, "unknown driver `toaster`")],
    );
}

#[test]
fn a_misspelt_child_or_key_is_not_missing_as_well() {
    check(
        "export:\n  s:\n    type: test-flasher\n    config: { bord: x }\n    children:\n      pwoer: { type: test-power }\n      serial: { type: test-serial, config: { ulr: x } }\n",
        &[
            (4, 15, "unknown key `bord`"),
            (6, 7, "`test-flasher` takes no child `pwoer`"),
            (7, 46, "unknown key `ulr`"),
        ],
    );
}

#[test]
fn every_wrong_item_of_a_list_is_found_where_it_stands() {
    check(
        "export:\n  l:\n    type: test-serial\n    config:\n      url: x\n      pauses: [1, a, 2, b, c, 3]\n      framing: { parity: yes, stop: 1000, bits: 8 }\n",
        &[
            (6, 19, "expected a whole number from 0 to 65535, found the text `a`"),
            (6, 25, "expected a whole number from 0 to 65535, found the text `b`"),
            (6, 28, "expected a whole number from 0 to 65535, found the text `c`"),
            (7, 26, "expected `true` or `false`, found the text `yes`"),
            (7, 37, "expected a whole number from 0 to 255, found the number `1000`"),
            (7, 43, "unknown key `bits`"),
        ],
    );
}

#[test]
fn two_keys_given_twice_are_both_found() {
    check(
        "export:\n  a: { type: test-power }\n  a: { type: test-power, type: test-serial }\n",
        &[
            (3, 3, "the key `a` is given twice in the same mapping"),
            (3, 26, "the key `type` is given twice in the same mapping"),
        ],
    );
}

#[test]
fn a_circle_is_told_once_and_spoils_nothing_else() {
    check(
        "export:\n  a: { ref: b }\n  b: { ref: c }\n  c: { ref: a }\n  d: { ref: c }\n  p: { type: test-power }\n",
        &[(4, 13, "`ref` goes in a circle: a -> b -> c -> a")],
    );
    assert_eq!(tree("export:\n  p: { type: test-power }\n  q: { ref: p }\n").drivers().len(), 1);
}
