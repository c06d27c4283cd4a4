//! The serial line of an exporter by hand, in a real terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::lab::{BENCH, Exporter, Lab};
use crate::lifetime::eventually;

/// A terminal: what a person has, and what a program has of it.
pub(crate) struct Terminal {
    pub(crate) person: File,
    program: File,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let program = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        Self { person: File::from(person), program }
    }

    pub(crate) fn start(&self, command: &mut Command) -> Child {
        let end = || Stdio::from(self.program.try_clone().unwrap());
        command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap()
    }

    /// Whether every key goes through as it is.
    pub(crate) fn is_raw(&self) -> bool {
        let modes = tcgetattr(&self.program).unwrap().local_modes;
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    /// Reads until `text` comes; gives everything up to it.
    pub(crate) fn expect(&mut self, text: &[u8]) -> Vec<u8> {
        let mut seen = Vec::new();
        while !seen.ends_with(text) {
            let mut byte = [0];
            self.person.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        seen
    }
}

fn console(lab: &Lab, exporter: &Exporter) -> Command {
    let mut command = lab.flasher(&["--remote", &exporter.address, "console"]);
    command.env_remove("FLASHER_EXPORTER");
    command
}

#[test]
fn every_key_goes_to_the_board_of_an_exporter_and_back() {
    let lab = Lab::new(BENCH);
    let exporter = lab.listen(&["--listen", "127.0.0.1:0"]);
    let mut terminal = Terminal::new();
    assert!(!terminal.is_raw());
    let mut child = terminal.start(console(&lab, &exporter).args(["--power-cycle", "--log", "log"]));
    terminal.expect(b"Ctrl-] leaves");
    eventually("the terminal is raw", || terminal.is_raw());
    // The line echoes. ^C, ^D, ^Z, a byte that is no text and a bare return are nothing special.
    let keys = b"printenv \x03\x04\x1a\xff\x00\r";
    terminal.person.write_all(keys).unwrap();
    assert!(terminal.expect(b"\x00\r").ends_with(keys));
    // Only one types.
    let second = console(&lab, &exporter).stdin(Stdio::null()).output().unwrap();
    let complaint = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(4), "{complaint}");
    assert!(complaint.contains("in use by a serial stream"), "{complaint}");
    terminal.person.write_all(b"\x1d").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!terminal.is_raw(), "the terminal is as it was");
    // The log has the same as lines that are safe to show.
    let log = std::fs::read_to_string(lab.path("log")).unwrap();
    assert!(log.ends_with("Z < printenv \u{fffd}\n"), "{log}");
    // And the line is free again.
    let mut piped = console(&lab, &exporter);
    let mut piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    piped.stdin.take().unwrap().write_all(b"version\n").unwrap();
    let output = piped.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"version\n"[..]));
}

#[test]
fn a_console_ends_with_its_exporter() {
    let lab = Lab::new(BENCH);
    let exporter = lab.listen(&["--listen", "127.0.0.1:0"]);
    let mut terminal = Terminal::new();
    let mut child = terminal.start(&mut console(&lab, &exporter));
    terminal.expect(b"Ctrl-] leaves");
    eventually("the terminal is raw", || terminal.is_raw());
    terminal.person.write_all(b"x").unwrap();
    terminal.expect(b"x");
    drop(exporter);
    terminal.expect(b"the serial line was closed");
    assert_eq!(child.wait().unwrap().code(), Some(4));
    assert!(!terminal.is_raw());
}

#[test]
fn what_a_remote_console_cannot_do_is_said() {
    let lab = Lab::new("  power: { type: power-mock }\n");
    let exporter = lab.listen(&["--listen", "127.0.0.1:0"]);
    let cases: [(&[&str], &str); 2] =
        [(&["--watch"], "has no node of kind serial"), (&[], "has no node of kind serial")];
    for (args, text) in cases {
        let output = console(&lab, &exporter).args(args).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{complaint}");
        assert!(complaint.contains(text), "{complaint}");
    }
}
