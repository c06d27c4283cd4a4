//! Real children.

use std::time::Duration;

use tokio::time::timeout;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

async fn shell(script: &str) -> (Process, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let arguments = vec!["-c".into(), script.into()];
    let started = Process::start(Path::new("/bin/sh"), arguments, &folder.path().join("messages")).await;
    (started.unwrap(), folder)
}

#[tokio::test]
async fn it_says_how_it_ended_and_what_it_said() {
    let (process, _folder) = shell("echo one >&2; echo two >&2; exit 3").await;
    assert_eq!(timeout(PATIENCE, process.ended()).await.unwrap(), "exit status: 3");
    assert!(process.has_ended());
    assert_eq!(process.messages(), "one; two");
    process.kill();
}

#[tokio::test]
async fn a_killed_one_is_gone() {
    let (process, _folder) = shell("while :; do sleep 60; done").await;
    assert!(!process.has_ended());
    process.kill();
    assert_eq!(timeout(PATIENCE, process.ended()).await.unwrap(), "signal: 9 (SIGKILL)");
    assert!(!Path::new("/proc").join(process.id().to_string()).exists());
    assert_eq!(process.messages(), "no message");
}

#[tokio::test]
async fn a_dropped_one_is_gone() {
    let (process, _folder) = shell("while :; do sleep 60; done").await;
    let folder = Path::new("/proc").join(process.id().to_string());
    assert!(folder.exists());
    drop(process);
    let gone = async {
        while folder.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn only_the_end_of_many_messages_is_kept() {
    let (process, _folder) = shell("yes message | head -c 100000 >&2; echo the end >&2").await;
    timeout(PATIENCE, process.ended()).await.unwrap();
    let messages = process.messages();
    assert!(messages.ends_with("; the end") && messages.len() < 3 * 4096, "{}", messages.len());
}
