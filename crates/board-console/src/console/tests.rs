//! The expect engine over an in-memory stream.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::*;
use crate::testing::{SOON, line};

#[tokio::test]
async fn the_earliest_match_wins() {
    let (mut console, mut peer) = line();
    peer.print("one two three").await;
    let patterns = [Pattern::text("three"), Pattern::regex("t[a-z]o").expect("regex"), Pattern::text("two")];
    let found = console.expect(&patterns, SOON).await.expect("found");
    assert_eq!(found, Found { index: 1, before: b"one ".to_vec(), matched: b"two".to_vec() });
    let found = console.expect(&patterns, SOON).await.expect("found");
    assert_eq!((found.index, found.before), (0, b" ".to_vec()));
}

#[tokio::test]
async fn a_match_and_an_escape_sequence_may_be_cut_anywhere() {
    let (mut console, mut peer) = line();
    let script = tokio::spawn(async move {
        for byte in "\x1b[1m/root # \x1b[6nlogin\0: ".bytes() {
            peer.stream.write_all(&[byte]).await.expect("written");
            tokio::task::yield_now().await;
        }
        peer
    });
    let found = console.expect(&[Pattern::text("# login: ")], SOON).await.expect("found");
    assert_eq!(found.before, b"/root ");
    script.await.expect("script");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_tells_what_was_waited_for_and_the_last_lines() {
    let (mut console, mut peer) = line();
    peer.print("first\r\nsecond\r\n\x07third").await;
    let patterns = [Pattern::text("=> "), Pattern::regex(r"\d+ ok").expect("regex")];
    let error = console.expect(&patterns, Duration::from_millis(1500)).await.expect_err("nothing");
    insta::assert_snapshot!(error, @r"
    no `=> ` or /\d+ ok/ within 1.5 s; last console lines:
      | first
      | second
      | third
    ");
}

#[tokio::test]
async fn a_closed_stream_is_told() {
    let (mut console, mut peer) = line();
    peer.print("bye\r\n").await;
    drop(peer);
    let error = console.expect(&[Pattern::text("=>")], SOON).await.expect_err("closed");
    insta::assert_snapshot!(error, @r"
    console closed while waiting for `=>`; last console lines:
      | bye
    ");
    assert!(matches!(console.send(b"x").await, Err(Error::Closed { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_board_that_takes_nothing_does_not_hold_us_up() {
    let (mut console, _peer) = line();
    let error = console.send(&vec![b'x'; 100_000]).await.expect_err("full");
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn sending_reads_meanwhile() {
    let (mut console, mut peer) = line();
    let echo = tokio::spawn(async move {
        for _ in 0..200_000 {
            let byte = peer.byte().await.expect("byte");
            peer.stream.write_all(&[byte]).await.expect("echo");
        }
        peer.print("end").await;
    });
    console.send(&vec![b'x'; 200_000]).await.expect("sent");
    let found = console.expect(&[Pattern::text("end")], SOON).await.expect("the echo");
    assert_eq!(found.before.len(), 200_000);
    echo.await.expect("echoed");
}

#[tokio::test]
async fn discard_forgets() {
    let (mut console, mut peer) = line();
    peer.print("old mark").await;
    console.expect(&[Pattern::text("old")], SOON).await.expect("old");
    console.discard();
    peer.print("new mark").await;
    let found = console.expect(&[Pattern::text("mark")], SOON).await.expect("mark");
    assert_eq!(found.before, b"new ");
}

#[tokio::test]
async fn a_flood_of_fifty_megabytes_passes_and_memory_stays_bounded() {
    let (mut console, mut peer) = line();
    let flood = tokio::spawn(async move {
        let chunk = "kernel: something happened again and again, and again\r\n".repeat(1000);
        for _ in 0..50_000_000 / chunk.len() + 1 {
            peer.print(&chunk).await;
        }
        peer.print("the end\r\n").await;
    });
    let patterns = [Pattern::regex(r"the e[n]d").expect("regex"), Pattern::text("never seen")];
    let found = console.expect(&patterns, SOON * 20).await.expect("the end");
    flood.await.expect("flood");
    assert!(console.received() > 50_000_000);
    assert!(found.before.len() <= BUFFER);
    assert!(console.transcript().render().len() < 4 * BUFFER);
}
