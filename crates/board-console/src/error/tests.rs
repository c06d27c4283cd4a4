//! Pins the texts of the errors.

use std::io;

use super::*;

/// The text, and the summary: what stands before the console lines.
fn check(error: &Error, text: &str) {
    assert_eq!(error.to_string(), text);
    let lines = ["; last console lines:\n", "; it printed:\n", "; the console was silent"];
    let end = lines.iter().filter_map(|begin| text.find(begin)).min().unwrap_or(text.len());
    assert_eq!(error.summary(), text[..end]);
}

#[test]
fn texts() {
    let tail = || Tail(vec!["line one".into(), "line two".into()]);
    let lines = "; last console lines:\n  | line one\n  | line two";
    let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
    check(
        &Error::Io { source: denied(), tail: tail() },
        &format!("console stream failed: permission denied{lines}"),
    );
    check(
        &Error::Transcript { path: "/a/b".into(), source: denied() },
        "cannot write the console transcript `/a/b`: permission denied",
    );
    let pattern = crate::Pattern::regex("(").expect_err("not valid").to_string();
    assert!(pattern.starts_with("`(` is not a regular expression: regex parse error"), "{pattern}");
    check(
        &Error::Invalid { what: "U-Boot prompt", value: String::new(), problem: "must not be empty" },
        "U-Boot prompt `` must not be empty",
    );
    let within = Duration::from_millis(2500);
    check(
        &Error::Timeout { waited_for: "`=>`".into(), within, tail: tail() },
        &format!("no `=>` within 2.5 s{lines}"),
    );
    check(
        &Error::Closed { waited_for: "`=>`".into(), tail: Tail::default() },
        "console closed while waiting for `=>`; the console was silent",
    );
    check(
        &Error::AutobootNotInterruptible { tail: tail() },
        &format!(
            "autoboot cannot be interrupted: U-Boot started and booted without a countdown (bootdelay 0 or -2, or its \
             countdown is silent); set bootdelay to 1 or more, or hold the board in its boot menu{lines}"
        ),
    );
    check(
        &Error::Missed { evidence: "login:".into(), missed: Missed::AlreadyRunning, tail: tail() },
        &format!("U-Boot was missed, `login:` was seen: the board was already past its boot loader{lines}"),
    );
    check(
        &Error::Missed {
            evidence: "Starting kernel".into(),
            missed: Missed::Countdown { line: "Autoboot in 2 s".into() },
            tail: tail(),
        },
        &format!(
            "U-Boot was missed, `Starting kernel` was seen: its countdown `Autoboot in 2 s` went on although \
             `interrupt` was typed{lines}"
        ),
    );
    check(
        &Error::OtherPrompt { found: "MX8>".into(), expected: "=>".into(), tail: tail() },
        &format!("the boot loader's prompt is `MX8>`, expected `=>`{lines}"),
    );
    check(
        &Error::Unreadable { unreadable: 40, received: 50, tail: tail() },
        &format!("what the board sends is no text: 40 of 50 bytes are no characters{lines}"),
    );
    check(
        &Error::Altered { command: "dhcp".into(), changed: 2, length: 16, tail: tail() },
        &format!("the serial line changes characters: 2 of 16 in the answer to `dhcp` came wrong{lines}"),
    );
    check(
        &Error::Command {
            command: "tftpboot".into(),
            status: Some(1),
            output: "a\n\nb".into(),
            cause: Some(Cause::FileNotFound),
        },
        "`tftpboot` failed with status 1: the TFTP server has no such file; it printed:\n  | a\n  | b",
    );
    check(
        &Error::Command { command: "x".into(), status: None, output: String::new(), cause: None },
        "`x` failed",
    );
    check(
        &Error::Garbled { sent: "root".into(), received: "orot".into(), tries: 3, tail: tail() },
        &format!(
            "the board received `root` as `orot` in 3 tries, even sent slowly; check the serial line (baud rate, \
             ground, flow control){lines}"
        ),
    );
    check(
        &Error::LineTooLong { length: 600, limit: 480, command: "abc…".into() },
        "command of 600 characters is longer than the 480 a U-Boot line takes; put parts of it into variables: `abc…`",
    );
    check(
        &Error::Reset { during: "dhcp".into(), tail: tail() },
        &format!("the board reset during `dhcp`: its boot loader started again{lines}"),
    );
    check(
        &Error::Boot { cause: Cause::KernelPanic, evidence: "Kernel panic".into(), tail: tail() },
        &format!("boot failed: the kernel panicked (`Kernel panic`){lines}"),
    );
    for (problem, text) in [
        (LoginProblem::Incorrect, "the board says that the login is incorrect; check user name and password"),
        (LoginProblem::UsernameWanted, "the board asks for a user name and none is configured"),
        (LoginProblem::PasswordWanted, "the board asks for a password and none is configured"),
        (LoginProblem::Repeated, "the login prompt keeps coming back"),
    ] {
        check(
            &Error::Login { username: "root".into(), problem, tail: tail() },
            &format!("cannot log in as `root`: {text}{lines}"),
        );
    }
    check(
        &Error::Stalled { command: "dd".into(), silent: Duration::from_secs(30), tail: tail() },
        &format!("`dd` stalled: the console was silent for 30 s{lines}"),
    );
    check(
        &Error::Unexpected {
            command: "printenv ipaddr".into(),
            expected: "an IPv4 address",
            got: "x".into(),
        },
        "`printenv ipaddr` printed `x`, expected an IPv4 address",
    );
}
