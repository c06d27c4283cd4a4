//! What is read out of the two ways' output, and the table of it.

use super::*;

const EVENTS: &str = r#"{"event":"step-done","step":"write","seconds":1.5}
{"event":"note","message":"x"}
{"event":"step-done","step":"verify","seconds":0.25}
"#;

#[test]
fn seconds_are_taken_of_a_proven_flash_only() {
    let proven = format!("{EVENTS}{}", r#"{"event":"finished","receipt":{"verdict":"proven"}}"#);
    let read = steps(&proven).unwrap();
    assert_eq!(read, BTreeMap::from([("verify".to_owned(), 0.25), ("write".to_owned(), 1.5)]));
    for bad in [EVENTS, &proven.replace("\"proven\"", "\"failed\""), "no event"] {
        assert!(steps(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_table_has_totals_parts_and_their_ratio() {
    let run = |wall, part: &str| Run { wall, parts: BTreeMap::from([(part.to_owned(), wall / 2.0)]) };
    let rounds = Rounds {
        ours: vec![run(6.0, "verify"), run(90.0, "verify"), run(8.0, "verify")],
        plain: vec![run(4.0, "tftp"), run(4.0, "tftp"), run(1.0, "tftp")],
    };
    let text = table::text(&[("32 MiB raw".to_owned(), rounds)], 3);
    let row = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    assert_eq!(row("ours, proven"), Some("8.00"));
    assert_eq!(row("  verify"), Some("4.00"));
    assert_eq!(row("  tftp"), Some("2.00"));
    assert_eq!(row("plain, unverified"), Some("4.00"));
    assert_eq!(row("ratio ours / plain"), Some("2.00"));
}
