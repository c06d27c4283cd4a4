//! Nodes whose drivers only Python has, run by Jumpstarter's Python beside ours.

use std::time::{Duration, Instant};

use crate::lab::{Lab, said, scripts};

const BENCH: &str = "  bay: { children: { relay: { type: in_house.Relay, config: { label: contact 1 } } } }
  lent: { ref: bay.relay }
  switch: { type: in_house.Switch }
  files: { type: jumpstarter_driver_opendal.driver.Opendal, config: { scheme: fs, kwargs: { root: files } } }
  power: { type: power-mock }
";

/// The process that a script printed.
fn pid(output: &str) -> u32 {
    let pid = output.lines().find_map(|line| line.strip_prefix("pid "));
    pid.unwrap_or_else(|| panic!("no process in {output}")).parse().unwrap()
}

/// Whether a process runs; a zombie does not.
pub(crate) fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

#[test]
fn python_runs_what_only_it_has() {
    let Some(lab) = Lab::with_clients(BENCH) else { return };
    // Calls, results, streams, data of calls, failures; and Python's end, after which it is started again.
    let output = lab.script("beside.py");
    assert!(!runs(pid(&output)), "it outlives the exporter");
    lab.serve(&["j", "switch", "on"]);
    let help = lab.serve(&["j", "--help"]);
    assert!(help.contains("switch") && help.contains("power"), "{help}");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "no runtime here")]
fn python_ends_with_a_killed_exporter() {
    let Some(lab) = Lab::with_clients(BENCH) else { return };
    let mut exporter = lab.listen(&["--listen", "127.0.0.1:0"]);
    let script = scripts().join("beside.py");
    let command = ["python", script.to_str().unwrap(), "pid"];
    let output = said(&command, &lab.client(&exporter, &[], &command).output().unwrap());
    let pid = pid(&output);
    assert!(runs(pid));
    exporter.child.kill().unwrap();
    exporter.child.wait().unwrap();
    let begun = Instant::now();
    while runs(pid) {
        assert!(begun.elapsed() < Duration::from_secs(60), "it outlives the exporter");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn without_python_they_are_not_available() {
    let Some(lab) = Lab::with_clients(BENCH) else { return };
    let off = lab.flasher(&["serve", "--python", "off", "--", "j", "power", "on"]).output().unwrap();
    let complaint = String::from_utf8_lossy(&off.stderr).into_owned();
    said(&["--python off"], &off);
    for node in ["bay.relay", "switch", "files"] {
        assert!(complaint.contains(&format!("warning: `{node}` is not available")), "{complaint}");
    }
    let nowhere = lab.flasher(&["serve", "--python", "nowhere", "--", "true"]).output().unwrap();
    let complaint = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert_eq!(nowhere.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains("is no virtual environment of Python"), "{complaint}");
}

/// Python imports the classes, and opens nothing.
#[test]
fn the_check_asks_python_for_its_classes() {
    let nodes = "  relay: { type: in_house.Relay }
  contact: { type: in_house.Contact, config: { address: 'nowhere:1' } }
  gone: { type: in_house.Missing }
  hub: { type: in_house.Relay, children: { power: { ref: power } } }
  power: { type: power-mock }
";
    let Some(lab) = Lab::with_clients(nodes) else { return };
    let output = lab.flasher(&["check"]).output().unwrap();
    let out = said(&["check"], &output);
    let warned = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        out.contains("\u{2713} relay") && out.contains("\u{2713} contact") && out.contains("! gone"),
        "{out}"
    );
    assert!(
        warned.contains("warning: `gone` is not available") && warned.contains("; Python says: "),
        "{warned}"
    );
    assert!(warned.contains("`hub.power` refers to `power`, which Python cannot reach"), "{warned}");
    assert_eq!(warned.matches("warning: ").count(), 2, "{warned}");
    assert!(!lab.path("pids").exists(), "a driver was made");
}
