//! A job that runs on without a terminal: followed, stopped, and looked at when it is over.

use flasher_core::flash::PowerState;
use flasher_core::{Class, Verdict};
use serde_json::Value;

use crate::lab::{Lab, assert_in_order, events, text, time};

/// A lab with an image, and its state in a folder of its own.
fn lab() -> (Lab, String) {
    let lab = Lab::new();
    let mut image = lab.medium();
    image[..512].fill(0);
    image[446..462].copy_from_slice(&[0, 0, 0, 0, 0x83, 0, 0, 0, 64, 0, 0, 0, 128, 0, 0, 0]);
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(lab.path("image"), image).unwrap();
    let state = format!("export XDG_STATE_HOME={:?}", lab.path("state"));
    (lab, state)
}

/// Starts a job; gives its ID and where its receipt will be.
fn start(lab: &Lab, state: &str, more: &[&str]) -> (String, std::path::PathBuf) {
    let args = [&["--json", "flash", "image", "--detach"], more].concat();
    let ran = lab.run(state, &args);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(told["event"], "detached");
    let word = |key: &str| told[key].as_str().unwrap().to_owned();
    (word("job"), lab.path("").join(word("receipt")))
}

fn receipt(path: &std::path::Path) -> flasher_core::Receipt {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A job on a board that is slow to boot takes a while, and so do its steps in what is reported afterwards.
fn assert_steps_have_their_times(told: &str) {
    let times: Vec<&str> =
        told.lines().filter_map(|line| line.strip_prefix('[')?.split(']').next()).collect();
    assert!(times.len() > 12, "{told}");
    assert!(times.iter().any(|time| time.trim() != "0.0 s"), "{told}");
}

#[test]
fn detached_jobs_can_be_followed() {
    let (lab, state) = lab();
    let (id, path) = start(&lab, &state, &[]);
    for first in ["attach", "attach again"] {
        let ran = lab.run(&state, &["attach", &id]);
        assert_eq!(ran.status.code(), Some(0), "{first}: {}", text(&ran.stderr));
        assert!(text(&ran.stdout).starts_with("proven"), "{first}: {}", text(&ran.stdout));
        assert!(text(&ran.stderr).contains("bootloader"), "{first}: {}", text(&ran.stderr));
        let is_over = text(&ran.stderr).starts_with(&format!("the job {id} is over"));
        assert_eq!(is_over, first == "attach again", "{}", text(&ran.stderr));
    }
    assert_eq!(receipt(&path).verdict, Verdict::Proven);
    let again = text(&lab.run(&state, &["attach", &id]).stderr);
    assert!(again.contains("(proven); this is how it went"), "it says how the job ended: {again}");
    assert_steps_have_their_times(&again);
    let events = events(&lab.run(&state, &["--json", "attach", &id]));
    assert_in_order(&events);
    let [first, .., last] = events.as_slice() else { panic!("{again}") };
    let took = receipt(&path).seconds;
    let told = time(last) - time(first);
    assert!(told > 0.0 && (told - took).abs() < 2.0, "{told} s between the events of a job of {took} s");
    let ran = lab.run(&state, &["cancel"]);
    assert_eq!(ran.status.code(), Some(2), "{}", text(&ran.stderr));
    assert!(text(&ran.stderr).contains(&format!("the job `{id}` is over")), "{}", text(&ran.stderr));
}

#[test]
fn a_job_without_a_terminal_can_be_stopped_in_good_order() {
    let (lab, state) = lab();
    let (_, path) = start(&lab, &state, &["--receipt", "receipt.json"]);
    let ran = lab.run(&state, &["cancel"]);
    assert_eq!(ran.status.code(), Some(130), "{}", text(&ran.stderr));
    let receipt = receipt(&path);
    assert_eq!(receipt.class(), Some(Class::Interrupted));
    assert!(matches!(receipt.power, PowerState::Off | PowerState::Untouched), "{:?}", receipt.power);
    lab.assert_nothing_unfinished();
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let (lab, state) = lab();
    for (args, expected) in [
        (vec!["flash", "-", "--detach"], "an image on standard input"),
        (vec!["plan", "image", "--detach"], "`--detach` has no effect on a plan"),
        (vec!["attach"], "no job was started with `--detach` on this machine"),
        (vec!["cancel", "abcdef"], "there is no job `abcdef` on this machine"),
        (vec!["--remote", "127.0.0.1:1", "attach", "abcdef"], "an ID names a job of this machine"),
    ] {
        let ran = lab.run(&state, &args);
        assert_eq!(ran.status.code(), Some(2), "{args:?}: {}", text(&ran.stderr));
        assert!(text(&ran.stderr).contains(expected), "{args:?}: {}", text(&ran.stderr));
    }
}
