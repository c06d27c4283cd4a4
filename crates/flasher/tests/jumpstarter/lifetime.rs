//! How exporters and clients end, and what is left then.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::lab::{BENCH, Exporter, Lab, said, scripts, test_board};

/// Waits until `is_so`, which must come true long before this gives up.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(300), "{what} did not come true");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn killed_clients_leave_nothing() {
    let Some(lab) = test_board() else { return };
    let exporter = lab.listen(&["--listen", "127.0.0.1:0"]);
    let script = scripts().join("victim.py");
    let mut victim = lab.client(&exporter, &[], &["python", script.to_str().unwrap()]);
    let mut victim = victim.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(victim.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port: u16 = line.trim().parse().unwrap();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok(), "the victim's HTTP server runs");
    assert_eq!(fs::read_dir(lab.path("http")).unwrap().count(), 1, "half an upload");
    kill_with_children(victim.id());
    victim.wait().unwrap();
    eventually("nothing of the upload is left", || fs::read_dir(lab.path("http")).unwrap().count() == 0);
    eventually("the port is free", || std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    // And the serial line is there for the next one.
    let next = scripts().join("echo.py");
    let next = lab.client(&exporter, &[], &["python", next.to_str().unwrap()]).output().unwrap();
    said(&["echo.py"], &next);
}

/// Kills a process and those it started.
fn kill_with_children(id: u32) {
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    for id in children.split_whitespace().map(str::to_owned).chain([id.to_string()]) {
        std::process::Command::new("sh").args(["-c", "kill -s KILL $0", &id]).status().unwrap();
    }
}

#[test]
fn told_to_stop_it_lets_clients_end_what_they_do() {
    let Some(lab) = test_board() else { return };
    let exporter = lab.listen(&["--listen", "127.0.0.1:0", "--unix", "socket"]);
    let script = scripts().join("slow.py");
    let mut slow = lab.client(&exporter, &[], &["python", script.to_str().unwrap()]);
    let mut slow = slow.stdout(Stdio::piped()).stdin(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(slow.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "uploading\n");
    exporter.signal("TERM");
    eventually("nobody is let in any more", || {
        let status =
            lab.client(&exporter, &[], &["timeout", "5", "j", "storage", "--help"]).output().unwrap().status;
        !status.success()
    });
    drop(slow.stdin.take()); // the upload may end now
    assert!(slow.wait().unwrap().success(), "what was under way got to its end");
    assert_eq!(exporter.wait(), 0);
    assert!(!lab.path("socket").exists());
}

#[test]
fn a_reload_waits_for_the_last_client() {
    let Some(lab) = Lab::with_clients(BENCH) else { return };
    let exporter = lab.listen(&["--listen", "127.0.0.1:0"]);
    let nodes = |exporter: &Exporter| {
        let output = lab.client(exporter, &[], &["j", "--help"]).output().unwrap();
        said(&["j"], &output)
    };
    assert!(nodes(&exporter).contains("power"));
    let yaml = fs::read_to_string(lab.path("lab.yaml")).unwrap();
    fs::write(lab.path("lab.yaml"), "export: nonsense").unwrap();
    exporter.signal("HUP");
    assert!(nodes(&exporter).contains("power"), "a mistake changes nothing");
    let script = scripts().join("guest.py");
    let mut guest = lab.client(&exporter, &[], &["python", script.to_str().unwrap()]);
    let mut guest = guest.stdout(Stdio::piped()).stdin(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(guest.stdout.take().unwrap()).read_line(&mut line).unwrap();
    fs::write(lab.path("lab.yaml"), yaml.replace("power:", "relay:")).unwrap();
    exporter.signal("HUP");
    assert!(nodes(&exporter).contains("power"), "as long as a client is there");
    drop(guest.stdin.take());
    assert!(guest.wait().unwrap().success());
    eventually("the new tree is there", || nodes(&exporter).contains("relay"));
}

#[test]
fn any_path_does_for_a_socket_and_its_file_goes_with_it() {
    let Some(lab) = Lab::with_clients(BENCH) else { return };
    for name in ["socket", "100% ü"] {
        let exporter = lab.listen(&["--unix", name]);
        let path = lab.path(name).display().to_string();
        let on = ["j", "power", "on"];
        let output = lab.flasher(&["shell-env", &path, "--", "j", "power", "on"]).output().unwrap();
        said(&on, &output);
        let second = lab.flasher(&["serve", "--unix", name]).output().unwrap();
        let complaint = String::from_utf8_lossy(&second.stderr).into_owned();
        assert_eq!(second.status.code(), Some(2));
        assert!(complaint.contains("is in use by another exporter"), "{complaint}");
        exporter.signal("TERM");
        assert_eq!(exporter.wait(), 0);
        assert!(!lab.path(name).exists());
    }
}

#[test]
fn the_exit_code_of_a_command_is_passed_on() {
    let lab = Lab::new(BENCH);
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -s KILL $$", 137)] {
        let output = lab.flasher(&["serve", "--", "sh", "-c", script]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{script}");
    }
    let output = lab.flasher(&["serve"]).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint.contains("nowhere to listen"), "{complaint}");
}
