//! What a transcript records, in memory and in its file.

use std::sync::{Arc, Mutex};

use flasher_base::clock;
use flasher_base::digest::Digest;

use super::*;

#[test]
fn the_tail_is_safe_to_show() {
    let transcript = Transcript::in_memory();
    transcript.received(b"one\r\ntwo\x07\r\r\n\r\n10%\r20%\r\n");
    transcript.sent(b"sent\n");
    transcript.received(b"=> ");
    assert_eq!(transcript.tail(10), ["one", "two", "10%", "20%", "=>"]);
    assert_eq!(transcript.tail(2), ["20%", "=>"]);
    transcript.received("a\u{9b}2J\u{202e}b\n".as_bytes());
    assert_eq!(transcript.tail(1), ["=> a2Jb"]);
    transcript.received("x".repeat(5000).as_bytes());
    assert!(transcript.tail(1)[0].chars().count() <= memory::TAIL_WIDTH + 1);
}

#[test]
fn a_secret_is_masked_however_it_arrives() {
    let transcript = Transcript::in_memory();
    let seen = Arc::new(Mutex::new(String::new()));
    let listener = Arc::clone(&seen);
    transcript.on_line(move |entry| listener.lock().expect("lock").push_str(&entry.text));
    transcript.mask("it's secret");
    for byte in b"say it's secret!\r\nsay it'\\''s secret!\r\n" {
        transcript.received(&[*byte]);
        transcript.sent(&[*byte]);
    }
    let endless = format!("{}it's secret{}\n", "x".repeat(4090), "y".repeat(9000));
    transcript.received(endless.as_bytes());
    assert!(!transcript.render().contains("secret"), "{}", transcript.render());
    assert_eq!(transcript.render().matches("say ********!").count(), 4);
    assert!(!seen.lock().expect("lock").contains("secret"));
    assert_eq!(transcript.masked("it's secret"), "********");
}

#[test]
fn a_secret_is_not_cut_between_two_lines() {
    let transcript = Transcript::in_memory();
    transcript.mask("topsecret");
    assert_eq!(transcript.cut("abc topsecret", 8), 4);
    assert_eq!(transcript.cut("abc topsecret", 3), 3);
    let long = "k".repeat(40);
    transcript.mask(&long);
    assert_eq!(transcript.cut(&long, 20), 20);
    assert_eq!(transcript.masked(&long[..20]), "********");
}

#[tokio::test]
async fn the_file_has_everything_with_times_and_signs() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("console.log");
    let transcript = Transcript::to_file(&path).expect("file");
    transcript.note("power on");
    transcript.received(b"U-Boot 2023.01\r\n=> ");
    transcript.sent(b"dhcp\n");
    let digest = transcript.flush().await.expect("written");
    let again = transcript.flush().await.expect("still written");
    let bytes = std::fs::read(&path).expect("bytes");
    let expected = Digest::of(&bytes).to_string();
    assert_eq!((digest.as_ref(), &again), (Some(&expected), &digest));
    let text = std::fs::read_to_string(&path).expect("text");
    let (times, lines): (Vec<_>, Vec<_>) = text.lines().filter_map(|line| line.split_once(' ')).unzip();
    assert_eq!(lines, ["# power on", "< U-Boot 2023.01", "> dhcp", "< => "]);
    assert!(times.iter().all(|time| clock::parse(time).is_some()), "{text}");
    assert_eq!(transcript.render(), text, "memory and file are equal");
    let missing = Transcript::to_file(&folder.path().join("no/such")).expect_err("no folder");
    assert!(matches!(missing, Error::Transcript { .. }));
}

#[test]
fn a_transcript_is_a_regular_file_and_nobody_waits_for_another() {
    let folder = tempfile::tempdir().expect("folder");
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    for path in [fifo.as_path(), Path::new("/dev/full"), Path::new("/dev/null"), folder.path()] {
        let error = Transcript::to_file(path).expect_err("no regular file");
        assert!(matches!(error, Error::Transcript { .. }), "{error:?}");
    }
    // An older transcript is replaced, not written over.
    let path = folder.path().join("console.log");
    std::fs::write(&path, "older").expect("file");
    Transcript::to_file(&path).expect("file");
    assert_eq!(std::fs::read(&path).expect("bytes"), b"");
}

#[test]
fn memory_is_bounded() {
    let transcript = Transcript::in_memory();
    for _ in 0..100_000 {
        transcript.received(b"a line of some length that is repeated\r\n");
    }
    assert!(transcript.shared.memory.bytes() <= memory::KEPT);
}
