//! `flasher files` as its users meet it: the real binary, and curl as the board.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may")]

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;

/// A server that runs, and what it prints.
struct Serving {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Serving {
    fn begin(arguments: &[&str]) -> Self {
        let mut child = Command::new(cargo_bin("flasher"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    fn event(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Ends it as ^C does; gives its exit code.
    fn interrupt(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

/// What curl got, or none without curl.
fn fetch(url: &str) -> Option<Vec<u8>> {
    let output = Command::new("curl").args(["-sS", "--noproxy", "*", "--max-time", "20", url]).output();
    let Ok(output) = output else {
        println!("skipped: curl is not installed");
        return None;
    };
    Some(output.stdout)
}

#[test]
fn a_folder_is_served_both_ways_and_every_transfer_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kernel"), vec![7; 100_000]).unwrap();
    let root = folder.path().to_str().unwrap();
    let places = ["--tftp", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    let mut serving = Serving::begin(&[&["--json", "files", root], &places[..]].concat());
    let first = serving.event();
    assert_eq!((&first["event"], &first["root"]), (&"serving".into(), &root.into()));
    for protocol in ["tftp", "http"] {
        let url = format!("{protocol}://{}/kernel", first[protocol].as_str().unwrap());
        let Some(bytes) = fetch(&url) else { return };
        assert!(bytes == vec![7; 100_000], "{url}");
        let states = [serving.event(), serving.event()].map(|event| {
            assert_eq!((&event["event"], &event["protocol"]), (&"transfer".into(), &protocol.into()));
            assert!(event["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
            event["state"]["state"].as_str().unwrap().to_owned()
        });
        assert_eq!(states, ["begun", "done"]);
    }
    fetch(&format!("http://{}/missing", first["http"].as_str().unwrap()));
    assert_eq!(serving.event()["state"]["reason"], "404 Not Found");
    assert_eq!(serving.interrupt(), Some(0));
}

#[test]
fn people_get_lines_and_either_server_can_be_off() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kernel"), "x").unwrap();
    let root = folder.path().to_str().unwrap();
    let mut serving = Serving::begin(&["files", root, "--tftp", "127.0.0.1:0", "--http", "off"]);
    let first = serving.line();
    let start = format!("serving `{root}`: tftp on ");
    let address = first.strip_prefix(&start).unwrap_or_else(|| panic!("{first}")).to_owned();
    if fetch(&format!("tftp://{address}/kernel")).is_some() {
        assert!(serving.line().contains(": begins, 1 byte, blksize 512"));
        assert!(serving.line().contains("tftp kernel to 127.0.0.1:"));
    }
    assert_eq!(serving.interrupt(), Some(0));
}

fn check(arguments: &[&str], code: i32, says: &str) {
    let output = Command::new(cargo_bin("flasher")).args(arguments).stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.contains(says), "{told}");
}

#[test]
fn what_cannot_be_served_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    check(&["files", "/no/such/folder"], 2, "cannot serve `/no/such/folder`: it cannot be found");
    check(&["files", "/etc/passwd"], 2, "it is no folder");
    check(&["files", root, "--tftp", "off", "--http", "off"], 2, "both servers are off");
    check(&["files", root, "--tftp", "nonsense"], 2, "expected `HOST:PORT`");
    check(&["files", root, "--tftp", "192.0.2.1:0"], 4, "this machine has no such address");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = taken.local_addr().unwrap().to_string();
    check(&["files", root, "--tftp", "off", "--http", &place], 4, "the port is in use");
}
