//! Whole files over a good network, with the clients of the field and an own one.

use std::io;
use std::path::Path;
use std::process::{Output, Stdio};

use tokio::process::Command;
use tokio::time::timeout;

use crate::PATIENT;
use crate::peer::{LONG, TestServer, fetch, pattern};

async fn run(tool: &str, arguments: &[&str], folder: &Path) -> Option<Output> {
    let mut command = Command::new(tool);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    match timeout(LONG, command.output()).await.expect("the tool ends") {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("skipped: {tool} is not installed");
            None
        }
        Err(error) => panic!("{tool}: {error}"),
    }
}

/// Fetches `file` to `got` with a tool of the host; gives what arrived.
async fn fetch_with(stage: &TestServer, line: &str) -> Option<Vec<u8>> {
    let port = stage.server.address().port().to_string();
    let line = line.replace("PORT", &port);
    let words: Vec<&str> = line.split(' ').collect();
    let got = stage.folder.path().join("got");
    let _ = std::fs::remove_file(&got);
    let output = run(words[0], &words[1..], stage.folder.path()).await?;
    assert!(output.status.success(), "{line}: {output:?}");
    Some(std::fs::read(&got).unwrap_or_else(|error| panic!("{line}: {error}: {output:?}")))
}

#[tokio::test]
async fn clients_of_the_field_fetch_files() {
    let stage = TestServer::new().await;
    let sizes = [("empty", 0), ("one", 1), ("full", 512), ("more", 512 * 3 + 1), ("sub/kernel", 3_000_000)];
    let lines = [
        "curl -sS --noproxy * -o got tftp://127.0.0.1:PORT/FILE",
        "curl -sS --noproxy * --tftp-blksize 1468 -o got tftp://127.0.0.1:PORT/FILE",
        "curl -sS --noproxy * --tftp-no-options -o got tftp://127.0.0.1:PORT/FILE",
        "tftp -4 -m binary 127.0.0.1 PORT -c get FILE got",
        "atftp --get -r FILE -l got 127.0.0.1 PORT",
        "atftp --option=blksize=1428 --get -r FILE -l got 127.0.0.1 PORT",
        "atftp --option=windowsize=16 --get -r FILE -l got 127.0.0.1 PORT",
    ];
    for (name, length) in sizes {
        stage.write(name, pattern(length));
        for line in lines {
            let line = line.replace("FILE", name);
            // curl makes no file of an empty body.
            if length == 0 && line.starts_with("curl") {
                continue;
            }
            let Some(got) = fetch_with(&stage, &line).await else { continue };
            assert!(got == pattern(length), "{line}: {} B", got.len());
        }
    }
    let outcomes = stage.outcomes(0).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

#[tokio::test]
async fn a_text_in_netascii_arrives_as_a_text() {
    let stage = TestServer::new().await;
    let text = "line\nother\r\nlast\r".repeat(200);
    stage.write("script", &text);
    if let Some(got) = fetch_with(&stage, "tftp -4 -m ascii 127.0.0.1 PORT -c get script got").await {
        assert_eq!(String::from_utf8(got).unwrap(), text);
    }
    let address = stage.server.address();
    let fetched = fetch(address, "script", "netascii", &[("tsize", "0")], PATIENT).await.unwrap();
    assert!(fetched.options.is_empty());
    assert_eq!(String::from_utf8(fetched.bytes).unwrap(), text.replace('\r', "\r\0").replace('\n', "\r\n"));
}

#[tokio::test]
async fn files_of_every_awkward_size_arrive() {
    let stage = TestServer::new().await;
    for (blksize, windowsize) in [("512", "1"), ("512", "4"), ("1468", "16"), ("1468", "64"), ("65464", "16")]
    {
        let block: usize = blksize.parse().unwrap();
        for length in [0, 1, block - 1, block, block + 1, block * 4, block * 16 - 1, block * 16, block * 65] {
            stage.write("file", pattern(length));
            let options = [("blksize", blksize), ("windowsize", windowsize), ("tsize", "0")];
            let fetched = fetch(stage.server.address(), "file", "octet", &options, PATIENT).await.unwrap();
            assert!(fetched.bytes == pattern(length), "{options:?} {length}");
            assert_eq!(fetched.options["tsize"], length.to_string());
            assert_eq!(fetched.options["blksize"], blksize);
        }
    }
    let outcomes = stage.outcomes(45).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

#[tokio::test]
async fn block_numbers_roll_over() {
    let stage = TestServer::new().await;
    let bytes = pattern(8 * 66_000 + 3);
    stage.write("file", &bytes);
    for windowsize in ["1", "64"] {
        let options = [("blksize", "8"), ("windowsize", windowsize)];
        let fetched = fetch(stage.server.address(), "file", "octet", &options, PATIENT).await.unwrap();
        assert!(fetched.bytes == bytes, "{windowsize}");
    }
}
