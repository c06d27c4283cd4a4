//! The shell dialogue against the host's own shells on ptys.

use std::time::Duration;

use crate::testing::{SOON, shell_on_pty};
use crate::{Error, LoginOptions, Shell, login, quote};

/// Shells of this host: what it has of dash, bash and busybox.
fn shells() -> Vec<(&'static str, Vec<&'static str>)> {
    let candidates = [
        ("dash", vec!["-i"]),
        ("bash", vec!["--norc", "--noprofile", "-i"]),
        ("busybox", vec!["ash", "-i"]),
        ("sh", vec!["-i"]),
    ];
    let path = std::env::var("PATH").unwrap_or_default();
    let present = |name: &str| std::env::split_paths(&path).any(|folder| folder.join(name).exists());
    candidates.into_iter().filter(|(name, _)| present(name)).collect()
}

async fn shell_of(name: &str, arguments: &[&str]) -> (Shell, tokio::process::Child) {
    let (console, child) = shell_on_pty(name, arguments);
    let options =
        LoginOptions { username: None, prompt: "#".into(), within: SOON, ..LoginOptions::default() };
    let shell = login(console, &options).await.map_err(|(_, error)| error).expect("a shell");
    (shell, child)
}

/// Runs `command` in every shell of the host and compares what it gives.
async fn check(command: &str, status: i32, text: &str) {
    for (name, arguments) in shells() {
        let (mut shell, _child) = shell_of(name, &arguments).await;
        let output = shell.run(command, SOON).await.expect(name);
        assert_eq!((output.status, output.text.as_str()), (status, text), "{name}: {command}");
        let after = shell.run("echo next", SOON).await.expect(name);
        assert_eq!((after.status, after.text.as_str()), (0, "next"), "{name} after {command}");
    }
}

#[tokio::test]
async fn status_and_output_are_told_apart_from_everything_else() {
    check("echo hello", 0, "hello").await;
    check("false", 1, "").await;
    check("(exit 42)", 42, "").await;
    check("printf 'no line end'", 0, "no line end").await;
    check("printf 'one\\n\\ntwo\\n'", 0, "one\n\ntwo").await;
    check("echo '# '; echo 'root # '; echo '/ # '", 0, "# \nroot # \n/ # ").await;
    check("echo \"it's\" '$HOME' \"a  b\"", 0, "it's $HOME a  b").await;
    check("echo a # a comment", 0, "a").await;
    check("echo err >&2; exit_code=3; (exit $exit_code)", 3, "err").await;
}

#[tokio::test]
async fn commands_of_any_shape_arrive() {
    check("for i in 1 2\ndo\n\techo \"$i\"\ndone\n", 0, "1\n2").await;
    check("cat <<X\nhere\tdoc\nX\n", 0, "here\tdoc").await;
    check("cat", 0, "").await;
    check("(sleep 5 &); echo started", 0, "started").await;
}

#[tokio::test]
async fn long_commands_are_typed_in_pieces() {
    let long = "0123456789 it's \"quoted\" \\ $x `y`\n".repeat(150);
    let command = format!("printf %s {} | wc -c", quote(&long));
    for (name, arguments) in shells() {
        let (mut shell, _child) = shell_of(name, &arguments).await;
        let output = shell.run(&command, SOON).await.expect(name);
        assert_eq!(output.text.trim(), long.len().to_string(), "{name}");
    }
}

#[tokio::test]
async fn a_syntax_error_is_a_status() {
    for (name, arguments) in shells() {
        let (mut shell, _child) = shell_of(name, &arguments).await;
        let output = shell.run("if; then", SOON).await.expect(name);
        assert_ne!(output.status, 0, "{name}: {output:?}");
        assert_eq!(shell.check("echo on", SOON).await.expect(name), "on");
    }
}

#[tokio::test]
async fn variables_and_the_working_directory_stay() {
    for (name, arguments) in shells() {
        let (mut shell, _child) = shell_of(name, &arguments).await;
        shell.check("cd /; x='kept value'", SOON).await.expect(name);
        assert_eq!(shell.check("echo \"$PWD $x\"", SOON).await.expect(name), "/ kept value");
    }
}

#[tokio::test]
async fn late_commands_are_interrupted() {
    for (name, arguments) in shells() {
        let (mut shell, _child) = shell_of(name, &arguments).await;
        let error = shell.run("sleep 100", Duration::from_millis(300)).await.expect_err(name);
        assert!(matches!(error, Error::Timeout { .. }), "{name}: {error}");
        assert_eq!(shell.check("echo next", SOON).await.expect(name), "next");
    }
}

#[tokio::test]
async fn a_dropped_command_does_not_disturb_the_next_one() {
    for (name, arguments) in shells() {
        let (mut shell, _child) = shell_of(name, &arguments).await;
        let dropped = tokio::time::timeout(Duration::from_millis(200), shell.run("sleep 100", SOON)).await;
        assert!(dropped.is_err());
        assert_eq!(shell.check("echo next", SOON).await.expect(name), "next");
    }
}

#[tokio::test]
async fn a_silent_command_is_a_stall_and_a_talking_one_is_not() {
    for (name, arguments) in shells() {
        let (mut shell, _child) = shell_of(name, &arguments).await;
        let stall = Some(Duration::from_secs(3));
        let talking = "for i in 1 2 3 4; do echo $i; sleep 1; done";
        assert_eq!(shell.watch(talking, SOON, stall).await.expect(name).text, "1\n2\n3\n4");
        let error = shell.watch("sleep 100", SOON, stall).await.expect_err(name);
        assert!(matches!(error, Error::Stalled { .. }), "{name}: {error}");
        assert_eq!(shell.check("echo next", SOON).await.expect(name), "next");
    }
}

#[tokio::test]
async fn slow_silent_commands_keep_their_output() {
    check("sleep 3; echo done", 0, "done").await;
}

#[tokio::test]
async fn a_long_output_is_whole() {
    for (name, arguments) in shells() {
        let (mut shell, _child) = shell_of(name, &arguments).await;
        let text = shell.check("seq 1 50000", SOON * 3).await.expect(name);
        assert_eq!(text.lines().count(), 50_000, "{name}");
        assert!(text.ends_with("\n50000"), "{name}");
    }
}

mod scripted;
