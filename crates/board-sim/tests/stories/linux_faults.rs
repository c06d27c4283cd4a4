//! What goes wrong while Linux has the board: each knob does what it says.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::ConsoleUser;
use crate::support::tftp::TestServer;

async fn board_with(faults: Value) -> ConsoleUser {
    let mut person = ConsoleUser::at(json!({"size": "1MiB", "bootdelay": 1, "faults": faults})).await;
    person.reach_shell().await;
    person
}

fn byte(person: &ConsoleUser, at: usize) -> u8 {
    std::fs::read(person.board.medium()).unwrap()[at]
}

const WRITE: &str =
    "printf %1024s | dd of=/dev/mmcblk0 bs=512 count=2 iflag=fullblock conv=notrunc,fsync; echo $?";
const READ: &str = "dd if=/dev/mmcblk0 bs=512 count=1 status=none | od -An -tx1 -j 100 -N 1";

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_reported_and_not_done() {
    let mut person = board_with(json!({"linux": {"lost_writes": true}})).await;
    let said = person.shell(WRITE).await;
    assert!(said.contains("2+0 records out") && said.trim().ends_with('0'), "{said}");
    assert_eq!(byte(&person, 100), 0);
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_of_what_was_there_before() {
    let mut person = board_with(json!({"linux": {"stale_reads": true}})).await;
    person.shell(WRITE).await;
    assert_eq!(byte(&person, 100), b' ');
    assert_eq!(person.shell(READ).await.trim(), "00");
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bit_that_flips_in_a_read() {
    let mut person =
        board_with(json!({"linux": {"flip_read": {"offset": 100, "mask": 4, "times": 1}}})).await;
    person.shell(WRITE).await;
    assert_eq!(person.shell(READ).await.trim(), "24");
    assert_eq!(person.shell(READ).await.trim(), "20");
    assert_eq!(byte(&person, 100), b' ');
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_medium_at_the_end_of_its_life_takes_nothing() {
    let mut person = board_with(json!({"linux": {"read_only": true}})).await;
    assert!(person.shell(WRITE).await.contains("failed to open '/dev/mmcblk0': Permission denied"));
    assert_eq!(person.shell("blockdev --getro /dev/mmcblk0").await.trim(), "1");
    assert_eq!((byte(&person, 100), person.shell(READ).await.trim()), (0, "00"));
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_that_lie_after_a_while() {
    let mut person = board_with(json!({"linux": {"digests_lie_after": 1}})).await;
    let mut digest = async || person.shell("printf x | sha256sum").await;
    let right = digest().await;
    assert!(right.starts_with("2d711642b726b04401627ca9fbac32f5"), "{right}");
    assert!(digest().await.starts_with("3e822753c837c15512738dba0cbd4306"));
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_lines_and_a_line_that_dies() {
    let mut person = board_with(json!({"linux": {"hostile_lines": 20}})).await;
    let said = person.listen(Duration::from_millis(500)).await;
    assert!(said.contains("\x1b[2J") && said.contains("somewhere login: "), "{said:?}");
    person.leave().await;

    let mut person =
        ConsoleUser::at(json!({"size": "1MiB", "bootdelay": 1, "faults": {"console_dies_after": 20}})).await;
    person.power.on().await.unwrap();
    let said = person.listen(Duration::from_millis(500)).await;
    assert_eq!(said.len(), 20, "{said:?}");
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_that_come_twice_or_too_late() {
    let server = TestServer::start([("file", vec![3; 100_000])]).await;
    let faults = json!({"tftp_duplicates": 20, "tftp_reorders": 20, "seed": 3});
    let mut person = ConsoleUser::at(json!({"size": "1MiB", "bootdelay": 1, "faults": faults})).await;
    person.reach_uboot().await;
    person.uboot(&format!("setenv autoload no; dhcp; setenv tftpdstp {}", server.port())).await;
    person.uboot("setenv tftptimeoutcountmax 1000; setenv tftptimeout 1000").await;
    let out = person.uboot("tftpboot 82000000 file").await;
    assert!(out.contains("Bytes transferred = 100000 (186a0 hex)"), "{out}");
    person.leave().await;
}
