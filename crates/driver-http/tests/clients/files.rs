//! Large files: sent by the kernel where it can, exactly, and never two versions of one file as if they were one.

use std::fs::File;
use std::io;
use std::time::{Duration, SystemTime};

use rustix::fs::Advice;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::{LONG, ServerStage, pattern};

const MIB: usize = 1024 * 1024;
const BIG: usize = 16 * MIB;

/// A client that has sent these requests for the file `big`: each a method, a version, and fields.
async fn client(stage: &ServerStage, requests: &[(&str, &str, &str)]) -> TcpStream {
    let mut client = TcpStream::connect(stage.server.address()).await.unwrap();
    let one = |(method, version, fields): &(&str, &str, &str)| {
        format!("{method} /big HTTP/{version}\r\nhost: x\r\n{fields}\r\n")
    };
    client.write_all(requests.iter().map(one).collect::<String>().as_bytes()).await.unwrap();
    client
}

async fn rest(client: &mut TcpStream, mut got: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
    let ended = timeout(LONG, client.read_to_end(&mut got)).await.expect("the connection ends");
    (ended, got)
}

fn without_header(answer: &[u8]) -> &[u8] {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a header");
    &answer[end + 4..]
}

/// Changes the file while a client that does not read has got the beginning of it only, then has the client read on.
async fn changed_under_way(change: impl FnOnce(&ServerStage)) -> (bool, Vec<u8>, Result<u64, String>) {
    let stage = ServerStage::new().await;
    stage.write("big", pattern(BIG));
    let file = File::options().write(true).open(stage.site.root().join("big")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
    let mut client = client(&stage, &[("GET", "1.1", "connection: close\r\n")]).await;
    let mut got = vec![0; MIB];
    timeout(LONG, client.read_exact(&mut got)).await.unwrap().unwrap();
    change(&stage);
    let (ended, got) = rest(&mut client, got).await;
    let outcome = stage.outcomes(1).await.remove(0);
    (ended.is_ok(), without_header(&got).to_vec(), outcome)
}

#[tokio::test]
async fn a_file_that_is_cut_short_or_overwritten_ends_with_an_error() {
    let overwrite = |length: usize| {
        move |stage: &ServerStage| {
            stage.write("big", pattern(length).iter().map(|byte| !byte).collect::<Vec<_>>())
        }
    };
    type Change = Box<dyn FnOnce(&ServerStage)>;
    let cases: [(&str, Change, &str); 4] = [
        ("cut to nothing", Box::new(|stage| stage.write("big", "")), "became shorter"),
        (
            "cut by one",
            Box::new(|stage| {
                let file = File::options().write(true).open(stage.site.root().join("big")).unwrap();
                file.set_len(BIG as u64 - 1).unwrap();
            }),
            "became shorter",
        ),
        ("overwritten", Box::new(overwrite(BIG)), "the file changed"),
        ("overwritten by more", Box::new(overwrite(BIG + MIB)), "the file changed"),
    ];
    for (name, change, says) in cases {
        let (is_ended_well, got, outcome) = changed_under_way(change).await;
        assert!(!is_ended_well && got.len() < BIG, "{name}: {} bytes as if nothing were wrong", got.len());
        assert!(outcome.as_ref().is_err_and(|reason| reason.contains(says)), "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_file_whose_name_is_taken_by_another_arrives_as_it_was() {
    let (is_ended_well, got, outcome) = changed_under_way(|stage| {
        stage.write("next", vec![0; BIG]);
        let root = stage.site.root();
        std::fs::rename(root.join("next"), root.join("big")).unwrap();
    })
    .await;
    assert!(is_ended_well && got == pattern(BIG), "{} bytes", got.len());
    assert_eq!(outcome, Ok(BIG as u64));
}

#[tokio::test]
async fn every_length_and_every_range_arrives_exactly() {
    let stage = ServerStage::new().await;
    for length in [128 * 1024, 128 * 1024 + 1, MIB, MIB + 128 * 1024, MIB + 128 * 1024 + 1, 5 * MIB + 77] {
        let bytes = pattern(length);
        stage.write("big", &bytes);
        for (start, end) in [(0, length), (1, length), (length / 3, length - 1), (length - 1, length)] {
            let range = format!("range: bytes={start}-{}\r\n", end - 1);
            let (header, body) = stage.ask("GET", "/big", &range).await;
            assert!(body == bytes[start..end], "{start}..{end} of {length}: {} bytes, {header}", body.len());
        }
    }
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_a_row_on_one_connection() {
    let stage = ServerStage::new().await;
    let bytes = pattern(3 * MIB);
    stage.write("big", &bytes);
    let requests = [
        ("GET", "1.1", ""),
        ("HEAD", "1.1", ""),
        ("GET", "1.1", "range: bytes=7-2000000\r\n"),
        ("GET", "1.1", "if-none-match: *\r\n"),
        ("GET", "1.1", "connection: close\r\n"),
    ];
    let bodies: [&[u8]; 5] = [&bytes, &[], &bytes[7..=2_000_000], &[], &bytes];
    let (ended, answer) = rest(&mut client(&stage, &requests).await, Vec::new()).await;
    let mut left = &answer[..];
    for body in bodies {
        left = without_header(left);
        assert!(left.starts_with(body), "{ended:?}, {} of {} left", left.len(), answer.len());
        left = &left[body.len()..];
    }
    assert!(left.is_empty() && ended.is_ok(), "{ended:?}, {} left", left.len());
    let sent = [3 * MIB as u64, 1_999_994, 3 * MIB as u64];
    assert_eq!(stage.outcomes(3).await, sent.map(Ok));
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_it_too() {
    let stage = ServerStage::new().await;
    stage.write("big", pattern(3 * MIB));
    let (ended, answer) = rest(&mut client(&stage, &[("GET", "1.0", "")]).await, Vec::new()).await;
    assert!(ended.is_ok() && without_header(&answer) == pattern(3 * MIB));
}

#[tokio::test]
async fn what_is_not_in_memory_comes_from_the_disk_in_its_place() {
    let stage = ServerStage::new().await;
    let bytes = pattern(8 * MIB);
    stage.write("big", &bytes);
    let file = File::open(stage.site.root().join("big")).unwrap();
    file.sync_all().unwrap();
    for (offset, length) in [(0, MIB), (3 * MIB, 2 * MIB), (8 * MIB - 4096, 4096)] {
        let length = std::num::NonZeroU64::new(length as u64);
        rustix::fs::fadvise(&file, offset as u64, length, Advice::DontNeed).unwrap();
    }
    assert!(stage.ask("GET", "/big", "").await.1 == bytes);
}

#[tokio::test]
async fn a_transfer_under_way_ends_whole_when_the_server_stops() {
    let stage = ServerStage::new().await;
    stage.write("big", pattern(BIG));
    let mut client = client(&stage, &[("GET", "1.1", "")]).await;
    let mut got = vec![0; MIB];
    timeout(LONG, client.read_exact(&mut got)).await.unwrap().unwrap();
    let (stopped, (ended, got)) = tokio::join!(timeout(LONG, stage.server.stop()), rest(&mut client, got));
    stopped.expect("stop ends");
    assert!(ended.is_ok() && without_header(&got) == pattern(BIG), "{ended:?}");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_when_the_server_stops() {
    let stage = ServerStage::new().await;
    stage.write("big", pattern(BIG));
    let mut client = client(&stage, &[("GET", "1.1", "connection: close\r\n")]).await;
    client.readable().await.unwrap();
    let seen = std::sync::Arc::clone(&stage.seen);
    timeout(LONG, stage.server.stop()).await.expect("stop ends");
    let outcomes: Vec<_> = seen.lock().unwrap().iter().filter_map(crate::stage::outcome).collect();
    assert_eq!(outcomes, [Err("the server stopped".to_owned())]);
    let (ended, got) = rest(&mut client, Vec::new()).await;
    assert!(ended.is_err() || got.len() < BIG, "as if it were whole");
}
