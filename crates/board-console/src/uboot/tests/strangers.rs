//! Boards whose countdown, prompt or line is not as expected: the error says which it is.

use std::time::Duration;

use super::{BANNER, Board, caught};
use crate::testing::{Peer, SOON, Typed, line, split_marker};
use crate::{Autoboot, CatchOptions, Error, Missed, catch};

/// How long the console keeps quiet after the countdown's text, as a board does that waits for its keys.
const COUNTED: Duration = Duration::from_secs(2);

/// A countdown that only `stop` ends, compared as U-Boot does: the last characters typed, or whole lines.
async fn keyed(mut peer: Peer, stop: &'static [u8]) -> bool {
    peer.print(BANNER).await;
    peer.print("Autoboot in 2 seconds, stop it if you can\r\n").await;
    let mut typed = Vec::new();
    let stopped = tokio::time::timeout(COUNTED, async {
        loop {
            typed.push(peer.byte().await.unwrap_or_default());
            if stop.ends_with(b"\r") && typed.ends_with(b"\r") {
                if typed == stop {
                    return;
                }
                typed.clear();
            } else if typed.ends_with(stop) {
                return;
            }
        }
    });
    if stopped.await.is_err() {
        peer.print("Starting kernel ...\r\n").await;
        return false;
    }
    Board::answering(&[]).serve(peer).await;
    true
}

#[tokio::test(start_paused = true)]
async fn keyed_countdowns_need_their_keys() {
    for (stop, interrupt, stops) in [
        (&b" "[..], &b" "[..], true),
        (b"\x1b\x1b", b"\x1b\x1b", true),
        (b"stop", b"stop", true),
        (b"hunter2\r", b"hunter2\r", true),
        (b"hunter2\r", b"hunter3\r", false),
        (b"stop", b"\x03", false),
    ] {
        let (console, peer) = line();
        tokio::spawn(keyed(peer, stop));
        let options = CatchOptions { within: SOON, interrupt: interrupt.to_vec(), ..CatchOptions::default() };
        match catch(console, &options).await {
            Ok(uboot) => assert_eq!((stops, uboot.autoboot()), (true, Autoboot::Stopped), "{stop:?}"),
            Err((_, Error::Missed { missed: Missed::Countdown { line }, .. })) => {
                assert_eq!((stops, line.as_str()), (false, "Autoboot in 2 seconds, stop it if you can"));
            }
            Err((_, error)) => panic!("{stop:?}: {error}"),
        }
    }
}

/// A board at a prompt of its own, which interrupts as U-Boot or as a Linux shell does.
async fn strange(mut peer: Peer, prompt: &'static str, interrupted: &'static str) {
    peer.print(prompt).await;
    while let Some(typed) = peer.edit_line(String::from).await {
        match typed {
            Typed::Interrupt => peer.print(interrupted).await,
            Typed::Line(line) => peer.print(&split_marker(&line).1.unwrap_or_default()).await,
        }
        peer.print(&format!("\r\n{prompt}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn another_prompt_is_named_before_time_is_up() {
    for (prompt, interrupted, told) in [
        ("MX8> ", "<INTERRUPT>", "the boot loader's prompt is `MX8>`, expected `=>`; "),
        ("U-Boot> ", "<INTERRUPT>", "the boot loader's prompt is `U-Boot>`, expected `=>`; "),
        ("STM32MP1 # ", "<INTERRUPT>", "the boot loader's prompt is `STM32MP1 #`, expected `=>`; "),
        (
            "root@board:~# ",
            "^C",
            "U-Boot was missed, `root@board:~#` was seen: the board was already past its boot loader; ",
        ),
    ] {
        let (console, peer) = line();
        tokio::spawn(strange(peer, prompt, interrupted));
        let error = catch(console, &CatchOptions::default()).await.expect_err(prompt).1.to_string();
        assert!(error.starts_with(told), "{error}");
        assert_eq!(error.lines().nth(1).map(str::trim), Some(&*format!("| {}", prompt.trim())), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_at_the_wrong_speed_is_told_from_a_silent_one() {
    let (console, mut peer) = line();
    tokio::spawn(async move {
        let noise: Vec<u8> = (0..400u32).map(|number| (number * 37 % 256) as u8).collect();
        tokio::io::AsyncWriteExt::write_all(&mut peer.stream, &noise).await.expect("noise");
        while peer.byte().await.is_some() {}
    });
    let options = CatchOptions { within: Duration::from_secs(3), ..CatchOptions::default() };
    let error = catch(console, &options).await.expect_err("no prompt").1;
    assert!(matches!(error, Error::Unreadable { received: 400, .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_with_changed_characters_is_the_lines_fault() {
    let (console, mut peer) = line();
    tokio::spawn(async move {
        peer.print("=> ").await;
        while let Some(typed) = peer.edit_line(String::from).await {
            if let Typed::Line(line) = typed {
                let (command, marker) = split_marker(&line);
                let marker = marker.unwrap_or_default().replace("$?", "0");
                let marker = if command == "dhcp" { marker.replacen(|_: char| true, "~", 2) } else { marker };
                peer.print(&format!("{marker}\r\n")).await;
            }
            peer.print("=> ").await;
        }
    });
    let mut uboot = caught(console).await;
    let error = uboot.run("dhcp", Duration::from_secs(1)).await.expect_err("garbled");
    assert!(matches!(error, Error::Altered { changed: 2, .. }), "{error}");
}
