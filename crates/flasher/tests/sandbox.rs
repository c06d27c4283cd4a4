//! The sandbox as its users meet it: real namespaces of the kernel, made by the real binary.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may")]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use assert_cmd::cargo::cargo_bin;

/// In a process group of its own: from the group on the terminal, ^C reaches the command without the sandbox.
fn sandbox(command: &[&str]) -> Command {
    let mut all = Command::new(cargo_bin("flasher"));
    all.args(["sandbox", "--"]).args(command).env_remove("FLASHER_SANDBOX");
    all.stdin(Stdio::null()).process_group(0);
    all
}

/// Exit code, standard output and standard error.
fn run(command: &[&str]) -> (Option<i32>, String, String) {
    let output = sandbox(command).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Whether this machine lets us; says why when it does not. Any other failure is one of the sandbox, and of the test.
fn is_allowed() -> bool {
    let (code, _, said) = run(&["true"]);
    let refused = code == Some(4) && ["refuses", "needs"].iter().any(|word| said.contains(word));
    if refused {
        eprintln!("skipped: {said}");
    } else {
        assert_eq!((code, said.as_str()), (Some(0), ""));
    }
    !refused
}

/// Starts a shell inside that runs `script`, says `ready` and would then stay for ten minutes.
fn start(script: &str) -> (Child, BufReader<ChildStdout>) {
    let script = format!("{script}\necho ready\nsleep 600 & wait");
    let mut child = sandbox(&["sh", "-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    assert_eq!(first, "ready\n");
    (child, out)
}

/// `whom` is `""` for the sandbox's own process, `"-"` for its whole process group.
fn kill(signal: &str, whom: &str, child: &Child) {
    let whom = format!("{whom}{}", child.id());
    assert!(Command::new("kill").args(["-s", signal, "--", &whom]).status().unwrap().success());
}

#[test]
fn the_exit_code_is_the_commands_own() {
    if !is_allowed() {
        return;
    }
    for (script, expected) in [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -KILL $$", 137)] {
        assert_eq!(run(&["sh", "-c", script]).0, Some(expected), "{script}");
    }
    let (code, _, said) = run(&["no-such-program"]);
    assert_eq!(code, Some(127));
    assert!(said.contains("no-such-program"), "{said}");
}

#[test]
fn inside_there_is_only_lo_and_it_is_up() {
    if !is_allowed() {
        return;
    }
    // The kernel's own view of the namespace: a line for each interface, below two of headings.
    let (code, interfaces, _) = run(&["cat", "/proc/net/dev"]);
    let names = interfaces.lines().skip(2).filter_map(|line| line.trim().split(':').next());
    let harmless = |name: &&str| !name.ends_with('0'); // `tunl0`, `sit0`: tunnels the kernel puts into every namespace
    assert_eq!((code, names.filter(harmless).collect::<Vec<_>>()), (Some(0), vec!["lo"]), "{interfaces}");
    let (code, address, _) = run(&["ip", "-brief", "-4", "address", "show", "up", "dev", "lo"]);
    assert_eq!(code, Some(0));
    assert!(address.contains("127.0.0.1/8"), "{address}");
}

#[test]
fn a_command_that_catches_a_signal_decides_how_it_ends() {
    if !is_allowed() {
        return;
    }
    for signal in ["TERM", "INT", "HUP", "QUIT", "USR1"] {
        let (mut child, mut out) = start(&format!("trap 'echo caught {signal}; exit 9' {signal}"));
        kill(signal, "", &child);
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        assert_eq!((text, child.wait().unwrap().code()), (format!("caught {signal}\n"), Some(9)));
    }
}

#[test]
fn a_signal_for_the_whole_process_group_comes_once() {
    if !is_allowed() {
        return;
    }
    let count =
        "n=0; trap 'n=$((n+1))' TERM; echo ready; while [ $n = 0 ]; do sleep 0.1; done; sleep 1; echo $n";
    let (mut child, mut out) = start(&format!("{count}; exit"));
    kill("TERM", "-", &child);
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), child.wait().unwrap().code()), ("1\n", Some(0)));
}

#[test]
fn a_command_that_does_not_care_for_sigterm_is_ended_by_it() {
    if !is_allowed() {
        return;
    }
    let (mut child, _out) = start(":");
    kill("TERM", "", &child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn what_was_started_inside_ends_with_the_command_or_with_us() {
    if !is_allowed() {
        return;
    }
    // Standard output ends once every process that has it is gone; a daemon of its own session holds it.
    let daemon = sandbox(&["sh", "-c", "setsid sleep 600 & exit 3"]).output().unwrap();
    assert_eq!(daemon.status.code(), Some(3));
    let (mut child, mut out) = start("setsid sleep 600 &");
    kill("KILL", "", &child);
    out.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(child.wait().unwrap().code(), None);
}

#[test]
fn without_its_tools_it_names_the_packages() {
    // A folder without `unshare`; the administrator's folders still have what they have.
    let ran = sandbox(&["true"]).env("PATH", "/no/such/folder").output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    if ["/usr/sbin/unshare", "/sbin/unshare"].iter().any(|path| Path::new(path).exists()) {
        eprintln!("skipped: this machine has unshare in a folder of the administrator");
        return;
    }
    assert_eq!(ran.status.code(), Some(4), "{said}");
    assert!(said.contains("the sandbox needs `unshare`, `setpriv`"), "{said}");
    assert!(said.contains("util-linux"), "{said}");
}
