//! `console --watch` in a real terminal: it waits until a user opens the line, hears what the board says, and ends by its key.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::console::Terminal;
use crate::lab::Lab;
use crate::lifetime::eventually;

const SIMULATED: &str =
    "  board: { type: sim-board, config: { medium: medium.img, size: 1MiB, bootdelay: 5 } }\n";
const WAITS: &str = "waiting for a flash or a `console` without `--watch` that opens ";

/// A watcher in a terminal, once it has said what it does.
fn watch(lab: &Lab, place: &[&str], escape: &str, begins: &str) -> (Terminal, Child) {
    let mut terminal = Terminal::new();
    let args = [place, &["console", "--watch", "--escape", escape]].concat();
    let child = terminal.start(&mut flasher(lab, place, &args));
    terminal.expect(begins.as_bytes());
    eventually("the terminal is raw", || terminal.is_raw());
    (terminal, child)
}

/// A remote command needs no exporter YAML.
fn flasher(lab: &Lab, place: &[&str], args: &[&str]) -> Command {
    let mut command = lab.flasher(args);
    if !place.is_empty() {
        command.env_remove("FLASHER_EXPORTER");
    }
    command
}

/// The owner of the line, without a terminal.
fn owner(lab: &Lab, place: &[&str], more: &[&str]) -> Child {
    let args = [place, &["console"], more].concat();
    flasher(lab, place, &args).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

/// Types what leaves, and looks how it ended.
fn leave(mut terminal: Terminal, mut child: Child, keys: &[u8], code: i32) {
    terminal.person.write_all(keys).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(code), "{keys:?}");
    assert!(!terminal.is_raw(), "the terminal is as it was");
}

fn end(mut owner: Child) {
    drop(owner.stdin.take());
    assert!(owner.wait().unwrap().success());
}

#[test]
fn a_port_that_is_not_there_yet_is_waited_for() {
    let lab = Lab::new("  serial: { type: serial, config: { url: port, reopen_seconds: 0 } }\n");
    let name = format!("`{}`", lab.path("port").display());
    let begins = format!("watching {name}; power: unknown; Ctrl-A or ^C leaves");
    let (mut watcher, child) = watch(&lab, &[], "ctrl-a", &begins);
    watcher.expect(format!("waiting for {name}, which is not there\r\n").as_bytes());
    // The adapter is plugged in twice.
    for _ in 0..2 {
        let (board, path) = pty();
        symlink(path, lab.path("port")).unwrap();
        watcher.expect(format!("{WAITS}{name}\r\n").as_bytes());
        let mut owner = owner(&lab, &[], &[]);
        watcher.expect(format!("{name} is open\r\n").as_bytes());
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let talking = std::thread::spawn(move || {
            let mut board = board;
            while stopped.recv_timeout(Duration::from_millis(20)).is_err() {
                board.write_all(b"U-Boot 2023.01\r\n").unwrap();
            }
        });
        watcher.expect(b"U-Boot 2023.01\r\n");
        std::fs::remove_file(lab.path("port")).unwrap();
        stop.send(()).unwrap();
        talking.join().unwrap(); // the board's end is closed
        assert_eq!(owner.wait().unwrap().code(), Some(4), "its port is gone");
        watcher.expect(format!("waiting for {name}, which is not there\r\n").as_bytes());
    }
    leave(watcher, child, b"reset\r\x01", 0);
}

/// The board's end of a serial line, and the path of the other one.
fn pty() -> (File, String) {
    let board = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&board).unwrap();
    unlockpt(&board).unwrap();
    let path = ptsname(&board, Vec::new()).unwrap().into_string().unwrap();
    (File::from(board), path)
}

#[test]
fn a_virtual_board_is_watched_while_another_process_has_it() {
    let lab = Lab::new(SIMULATED);
    let name = "the simulated board's serial line";
    let begins = format!("watching {name}; power: unknown; `~.` at the beginning of a line or ^C leaves");
    let (mut watcher, child) = watch(&lab, &[], "~.", &begins);
    watcher.expect(format!("{WAITS}{name}\r\n").as_bytes());
    let owner = owner(&lab, &[], &["--power-cycle"]);
    watcher.expect(b"is open\r\n");
    watcher.expect(b"U-Boot 2023.01-sim");
    end(owner);
    watcher.expect(format!("{WAITS}{name}\r\n").as_bytes());
    leave(watcher, child, b"x~.\r~~\r~.", 0);
}

#[test]
fn a_remote_board_is_watched_while_another_client_has_it() {
    let lab = Lab::new(SIMULATED);
    let exporter = lab.listen(&["--listen", "127.0.0.1:0"]);
    let place = ["--remote", exporter.address.as_str()];
    let name = format!("the simulated board's serial line of {}", exporter.address);
    let (mut watcher, child) =
        watch(&lab, &place, "ctrl-]", &format!("watching {name}; power: off; Ctrl-] or ^C leaves"));
    watcher.expect(format!("{WAITS}{name}\r\n").as_bytes());
    let owner = owner(&lab, &place, &["--power-cycle"]);
    watcher.expect(format!("{name} is open\r\n").as_bytes());
    watcher.expect(b"U-Boot 2023.01-sim");
    // The board is on now, and says so to who comes late.
    let begins = format!("watching {name}; power: on; ^C leaves");
    let (late, second) = watch(&lab, &place, "none", &begins);
    leave(late, second, b"~.\x1d\x03", 130);
    end(owner);
    leave(watcher, child, b"\x03", 130);
}
