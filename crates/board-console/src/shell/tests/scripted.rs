//! Logging in and running commands against scripted boards: what real shells do not do on demand.

use std::time::Duration;

use tokio::time::timeout;

use crate::testing::{Peer, SOON, line};
use crate::{Cause, Error, LoginOptions, Output, Shell, login};

fn options() -> LoginOptions {
    LoginOptions { within: SOON, ..LoginOptions::default() }
}

/// Reads a line without echo.
async fn read_line(peer: &mut Peer) -> Option<String> {
    let mut line = Vec::new();
    loop {
        match peer.byte().await? {
            b'\n' => return Some(String::from_utf8_lossy(&line).into_owned()),
            byte => line.push(byte),
        }
    }
}

/// The marker that `printf '%s%s…' FIRST SECOND` prints, the last one of `line`.
fn marker(line: &str) -> String {
    let (_, rest) = line.rsplit_once("%s%s").expect("a marker");
    let words: Vec<_> = rest.split_once(' ').expect("arguments").1.split([' ', ';']).take(2).collect();
    words.concat()
}

/// A shell that proves itself and becomes quiet, then plays `answer` for each command.
async fn serve(mut peer: Peer, answer: impl Fn(&str, usize) -> String) {
    let mut commands = 0;
    while let Some(line) = read_line(&mut peer).await {
        if line.is_empty() {
            continue;
        }
        if !line.contains("__") {
            peer.print(&format!("{line}\r\n{}\r\n/ # \x1b[6n", marker(&line))).await;
            continue;
        }
        let text = answer(&line, commands);
        peer.print(&text).await;
        commands += 1;
    }
}

async fn fails(script: &'static str, options: LoginOptions) -> Error {
    let (mut console, mut peer) = line();
    console.set_uboot_prompt(Some("=>".into()));
    tokio::spawn(async move {
        peer.print(script).await;
        while peer.byte().await.is_some() {}
    });
    login(console, &options).await.expect_err("no shell").1
}

#[tokio::test(start_paused = true)]
async fn a_boot_that_fails_is_noticed_when_it_does() {
    for (script, cause) in [
        ("Wrong Ramdisk Image Format\r\nRamdisk image is corrupt or invalid\r\n=> ", Cause::BadRamdisk),
        ("ERROR: RD image overlaps OS image (OS=0x1..0x2)\r\n=> ", Cause::RamdiskOverlap),
        ("## nothing\r\n=> ", Cause::BootReturned),
        (
            "Starting kernel ...\r\n\r\nKernel panic - not syncing: VFS: Unable to mount root fs\r\n",
            Cause::KernelPanic,
        ),
        ("Starting kernel ...\r\n\r\nU-Boot 2023.01 (x)\r\nHit any key", Cause::BootLoaderAgain),
        ("FDT and ATAGS support not compiled in\r\nresetting ...\r\n", Cause::NoDeviceTree),
    ] {
        let error = fails(script, LoginOptions { within: SOON * 100, ..options() }).await;
        assert_eq!(error.cause(), Some(cause), "{script}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_kernel_may_say_what_would_be_an_error_of_u_boot() {
    let error = fails("Starting kernel ...\r\n[1.0] x: Failed to allocate irq\r\n", options()).await;
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_kernel_that_stays_silent_is_told_as_such() {
    insta::assert_snapshot!(fails("\r\nStarting kernel ...\r\n\r\n", options()).await, @r"
    no output of the kernel after `Starting kernel` (check the device tree, `console=` in bootargs and the load addresses) within 20 s; last console lines:
      | Starting kernel ...
    ");
}

#[tokio::test(start_paused = true)]
async fn the_number_sign_of_the_kernel_banner_is_no_prompt() {
    let (console, mut peer) = line();
    tokio::spawn(async move {
        peer.print("Linux version 6.1 (gcc) #1 SMP Debian\r\nCPU#0\r\n[ 1.0] ### \r\n").await;
        peer.print("board login: [    2.5] random: crng init done\r\n").await;
        assert_eq!(read_line(&mut peer).await.as_deref(), Some("root"));
        peer.print("root\r\nLast login: Mon Nov 23 on ttyS0\r\n/root # \x1b[").await;
        peer.print("6n").await;
        serve(peer, |_, _| String::new()).await;
    });
    login(console, &options()).await.map_err(|(_, error)| error).expect("a shell");
}

#[tokio::test(start_paused = true)]
async fn a_kernel_message_in_every_answer_does_not_hide_the_shell() {
    for torn in [0, 1] {
        let (console, mut peer) = line();
        tokio::spawn(async move {
            peer.print("/ # ").await;
            while let Some(line) = read_line(&mut peer).await {
                let words: Vec<_> =
                    line.rsplit_once("%s%s").expect("a marker").1.split(' ').skip(1).collect();
                let mut answers: Vec<_> = words.chunks(2).map(<[_]>::concat).collect();
                let place = torn.min(answers.len() - 1);
                answers[place].insert_str(7, "[   42.000001] mmc0: tuning execution\r\n");
                peer.print(&format!("{line}\r\n{}\r\n/ # ", answers.join("\r\n"))).await;
            }
        });
        login(console, &options()).await.map_err(|(_, error)| error).expect("a shell");
    }
}

#[tokio::test(start_paused = true)]
async fn the_password_is_sent_and_masked() {
    let (console, mut peer) = line();
    let transcript = console.transcript().clone();
    tokio::spawn(async move {
        peer.print("board login: ").await;
        assert_eq!(read_line(&mut peer).await.as_deref(), Some("admin"));
        peer.print("admin\r\nPassword: ").await;
        assert_eq!(read_line(&mut peer).await.as_deref(), Some("s3cret"));
        peer.print("\r\nhello s3cret\r\n# ").await;
        serve(peer, |_, _| String::new()).await;
    });
    let options =
        LoginOptions { username: Some("admin".into()), password: Some("s3cret".into()), ..options() };
    login(console, &options).await.map_err(|(_, error)| error).expect("a shell");
    transcript.flush().await.expect("flushed");
    assert!(!transcript.render().contains("s3cret") && transcript.render().contains("> ********"));
    assert!(!format!("{options:?}").contains("s3cret"));
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_refused_or_lacks_something_is_told() {
    let refused = |script: &'static str, options: LoginOptions| async move {
        let (console, mut peer) = line();
        tokio::spawn(async move {
            peer.print("login: ").await;
            read_line(&mut peer).await;
            peer.print(script).await;
            while peer.byte().await.is_some() {}
        });
        let text = login(console, &options).await.expect_err("refused").1.to_string();
        text.split(';').next().expect("text").to_owned()
    };
    assert_eq!(
        refused("\r\nLogin incorrect\r\nlogin: ", options()).await,
        "cannot log in as `root`: the board says that the login is incorrect"
    );
    assert_eq!(
        refused("\r\nPassword: ", options()).await,
        "cannot log in as `root`: the board asks for a password and none is configured"
    );
    assert_eq!(
        refused("", LoginOptions { username: None, ..options() }).await,
        "cannot log in as ``: the board asks for a user name and none is configured"
    );
}

async fn shell(answer: impl Fn(&str, usize) -> String + Send + 'static) -> Shell {
    let (console, mut peer) = line();
    tokio::spawn(async move {
        peer.print("/ # ").await;
        serve(peer, answer).await;
    });
    let options = LoginOptions { username: None, ..options() };
    login(console, &options).await.map_err(|(_, error)| error).expect("a shell")
}

/// The begin marker of a command line: the first one.
fn begin(line: &str) -> String {
    marker(line.split("command eval").next().expect("a part"))
}

/// The end of a command that has run with `status`, as the shell prints it.
fn end(line: &str, status: u32) -> String {
    format!("{}:{}{status}:0:", marker(line), ran(line))
}

/// The word that stands before the status of a command that has run.
fn ran(line: &str) -> &str {
    let rest = line.split_once("__s=").expect("a line").1;
    rest.split_once(';').expect("a word").0
}

#[tokio::test(start_paused = true)]
async fn kernel_lines_between_and_before_the_markers_do_no_harm() {
    let mut shell = shell(|line, _| {
        format!(
            "[1.0] usb: new\r\n{}\r\none\r\n[2.0] mmc0: x\r\n[3.0] glued {}\r\n",
            begin(line),
            end(line, 3)
        )
    })
    .await;
    let output = shell.run("work", SOON).await.expect("output");
    assert_eq!((output.status, output.text.as_str()), (3, "one\n[2.0] mmc0: x\n[3.0] glued "));
}

#[tokio::test(start_paused = true)]
async fn a_lost_prompt_is_asked_for_beside_messages() {
    let (console, mut peer) = line();
    tokio::spawn(async move {
        loop {
            match timeout(Duration::from_secs(3), read_line(&mut peer)).await {
                Err(_) => peer.print("[    9.900001] mmc0: noise\r\n").await,
                Ok(Some(typed)) if typed.is_empty() => peer.print("\r\n/ # ").await,
                Ok(Some(typed)) => peer.print(&format!("{}\r\n/ # ", marker(&typed))).await,
                Ok(None) => return,
            }
        }
    });
    login(console, &options()).await.map_err(|(_, error)| error).expect("a shell");
}

/// A shell whose first `torn` answers have a kernel message in their end marker, with another message every `pause`.
async fn torn(torn: usize, pause: Duration) -> Output {
    let (console, mut peer) = line();
    tokio::spawn(async move {
        peer.print("/ # ").await;
        let (mut marked, mut count) = (String::new(), 0);
        loop {
            // The messages begin with the command, as those do that a driver prints while the medium is written.
            let pause = if marked.is_empty() { Duration::MAX } else { pause };
            let Ok(typed) = timeout(pause, read_line(&mut peer)).await else {
                peer.print("[    9.900001] mmc0: noise\r\n").await;
                continue;
            };
            match typed {
                None => return,
                Some(typed) if typed.is_empty() => {}
                Some(typed) if !typed.contains("__") => {
                    peer.print(&format!("{}\r\n/ # ", marker(&typed))).await;
                }
                Some(typed) => {
                    if count == 0 {
                        marked = end(&typed, 0);
                        peer.print(&format!("{}\r\ndone\r\n", begin(&typed))).await;
                    }
                    let (first, rest) = marked.split_at(if count < torn { 5 } else { 0 });
                    peer.print(&format!("{first}[    9.900000] torn\r\n{rest}\r\n")).await;
                    count += 1;
                }
            }
        }
    });
    let options = LoginOptions { username: None, ..options() };
    let mut shell = login(console, &options).await.map_err(|(_, error)| error).expect("a shell");
    shell.run("work", SOON * 3).await.expect("output")
}

#[tokio::test(start_paused = true)]
async fn a_torn_end_marker_is_asked_for_again() {
    // From silence to a message every 40 ms, which is never long enough for a silence.
    for pause in [Duration::from_secs(3600), Duration::from_secs(1), Duration::from_millis(40)] {
        for count in 0..4 {
            let output = torn(count, pause).await;
            assert_eq!(output.status, 0, "{count} torn, {pause:?}");
            assert!(output.text.starts_with("done\n"), "{output:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn lost_characters_are_sent_again() {
    let mut shell = shell(|line, count| {
        // Once the check of the length says no, once what runs the command was itself damaged.
        match count {
            0 => format!("{}:garbled:0:\r\n", marker(line)),
            1 => format!("sh: commandeval: not found\r\n{}:garbled:127:\r\n", marker(line)),
            _ => format!("{}\r\nran\r\n{}\r\n", begin(line), end(line, 0)),
        }
    })
    .await;
    assert_eq!(shell.check("work", SOON).await.expect("ran"), "ran");
    assert!(shell.console.pacing() > Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn panics_and_resets_end_a_command() {
    let mut logs = shell(|line, _| {
        format!("{}\r\nU-Boot 2023.01\r\nKernel panic - not syncing\r\n{}\r\n", begin(line), end(line, 0))
    })
    .await;
    assert_eq!(logs.check("cat log", SOON).await.expect("log"), "U-Boot 2023.01\nKernel panic - not syncing");
    for (text, cause) in [
        ("[9.0] Kernel panic - not syncing: x\r\n", Cause::KernelPanic),
        ("\r\nU-Boot 2023.01 (x)\r\n", Cause::BootLoaderAgain),
    ] {
        let mut shell = shell(move |line, _| format!("{}\r\n{text}", begin(line))).await;
        let error = shell.run("work", SOON * 100).await.expect_err("lost");
        assert_eq!(error.cause(), Some(cause), "{error}");
    }
}
