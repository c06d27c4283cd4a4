//! The fault knobs: each does what it says, and the counters show it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::tftp::TestServer;
use crate::support::{ConsoleUser, PATIENCE};

async fn board_with(faults: Value) -> ConsoleUser {
    ConsoleUser::at(json!({"size": "1MiB", "bootdelay": 1, "faults": faults})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn knobs_of_the_console_and_the_boot_loader() {
    let mut person = board_with(json!({"no_autoboot_stop": true})).await;
    person.power.on().await.unwrap();
    person.expect("stop autoboot").await;
    person.send("xxxx").await;
    person.expect("** No bootable medium **").await;
    person.leave().await;

    let mut person = board_with(json!({"no_network": true})).await;
    person.reach_uboot().await;
    assert_eq!(person.uboot("dhcp; tftpboot 1000 x").await, "No ethernet found.\nNo ethernet found.\n");
    person.send("booti ${fdtcontroladdr}\n").await;
    person.log_in().await;
    let said = person.shell("udhcpc; echo $?; wget http://127.0.0.1/").await;
    assert!(said.contains("no lease, failing\n1\n") && said.contains("Network is unreachable"), "{said}");
    person.leave().await;

    let mut person = board_with(json!({"dhcp_fail": 1, "reset_on_boot": 1})).await;
    person.reach_uboot().await;
    assert!(person.uboot("setenv autoload no; dhcp").await.contains("Retry time exceeded; starting again"));
    assert!(person.uboot("dhcp").await.contains("DHCP client bound"));
    person.send("booti ${fdtcontroladdr}\n").await;
    person.expect("Starting kernel").await;
    person.expect("stop autoboot").await;
    person.send("x").await;
    person.expect("=> ").await;
    person.send("booti ${fdtcontroladdr}\n").await;
    person.log_in().await;
    person.leave().await;

    let mut person = board_with(json!({"no_login": true, "boot_delay_ms": 300})).await;
    person.power.on().await.unwrap();
    assert_eq!(person.listen(Duration::from_millis(50)).await, "");
    person.expect("autoboot").await;
    person.send("x").await;
    person.expect("=> ").await;
    person.send("booti ${fdtcontroladdr}\n").await;
    person.expect("Starting kernel ...").await;
    assert_eq!(person.listen(Duration::from_millis(300)).await.trim(), "");
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_line_loses_and_changes_characters() {
    let mut person = board_with(json!({"drop_console": 10, "seed": 1})).await;
    person.reach_uboot().await;
    person.send(&"echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".repeat(3)).await;
    person.expect("aaaa").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(person.board.counters().dropped_characters > 0);
    person.leave().await;

    let mut person = board_with(json!({"garble_console": 20})).await;
    person.power.on().await.unwrap();
    person.listen(Duration::from_millis(300)).await;
    assert!(person.board.counters().garbled_characters > 0);
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tftp_survives_loss_and_reports_a_missing_file() {
    let server = TestServer::start([("file", vec![3; 100_000])]).await;
    let mut person = board_with(json!({"tftp_loss": 5, "seed": 3})).await;
    person.reach_uboot().await;
    person.uboot(&format!("setenv autoload no; dhcp; setenv tftpdstp {}", server.port())).await;
    person.uboot("setenv tftptimeoutcountmax 1000; setenv tftptimeout 2000; setenv tftpwindowsize 4").await;
    let out = person.uboot("tftpboot 82000000 file").await;
    assert!(out.contains("Bytes transferred = 100000 (186a0 hex)"), "{out}");
    assert!(person.board.counters().tftp_lost > 0);
    person.leave().await;

    let mut person = board_with(json!({"tftp_missing": true})).await;
    person.reach_uboot().await;
    let out = person.uboot("setenv autoload no; dhcp; tftpboot 82000000 file").await;
    assert!(out.ends_with("TFTP error: 'File not found' (1)\nNot retrying...\n"), "{out}");
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_bit_flips_as_often_as_told() {
    let mut person = board_with(json!({"flip_bit": {"offset": 1000, "mask": 4, "times": 1}})).await;
    person.reach_shell().await;
    let write = "printf %512s | dd of=/dev/mmcblk0 bs=512 seek=1 status=none";
    let byte = |person: &ConsoleUser| std::fs::read(person.board.medium()).unwrap()[1000];
    person.shell("dd if=/dev/zero of=/dev/mmcblk0 bs=512 count=1 status=none").await;
    assert_eq!(byte(&person), 0, "a write elsewhere changes nothing");
    person.shell(write).await;
    assert_eq!(byte(&person), b' ' ^ 4);
    person.shell(write).await;
    assert_eq!((byte(&person), person.board.counters().flips), (b' ', 1));
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_medium_fills_up_and_has_bad_places() {
    let cases = [
        (
            json!({"full_at": 65536}),
            "dd if=/dev/zero of=/dev/sda bs=4k count=20",
            "No space left on device",
            1,
        ),
        (json!({"full_at": 65536}), "dd if=/dev/zero of=/dev/sda bs=4k count=16", "16+0 records out", 0),
        (json!({"write_error": 8192}), "dd if=/dev/zero of=/dev/sda bs=4k count=3", "Input/output error", 1),
        (
            json!({"write_error": 8192}),
            "dd if=/dev/zero of=/dev/sda bs=4k count=3 seek=3",
            "3+0 records out",
            0,
        ),
        (
            json!({"read_error_at": 8192}),
            "dd if=/dev/sda of=/dev/null bs=4k skip=1 count=2",
            "Input/output error",
            1,
        ),
        (
            json!({"read_error_at": 8192}),
            "dd if=/dev/sda of=/dev/null bs=4k skip=3 count=2",
            "2+0 records out",
            0,
        ),
        (json!({"slow": 65536}), "dd if=/dev/zero of=/dev/sda bs=4k count=2", "2+0 records out", 0),
        (
            json!({"wget_missing": true}),
            "command -v wget && false; command -v curl >/dev/null || true",
            "",
            0,
        ),
        (json!({"curl_missing": true}), "curl http://127.0.0.1/", "curl: not found", 127),
        (json!({"wget_missing": true}), "wget http://127.0.0.1/", "wget: not found", 127),
    ];
    for (faults, command, expected, code) in cases {
        let mut person = board_with(faults.clone()).await;
        person.reach_shell().await;
        let said = person.shell(&format!("{command}; echo rc=$?")).await;
        assert!(
            said.contains(expected) && said.ends_with(&format!("rc={code}\n")),
            "{faults} {command}: {said}"
        );
        person.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn power_is_cut_in_the_middle_once() {
    let mut person = board_with(json!({"cut_power_after_bytes": 8192})).await;
    person.reach_shell().await;
    person.shell("dd if=/dev/zero of=/dev/sda bs=4k count=1").await;
    person.send("dd if=/dev/zero of=/dev/sda bs=4k count=1; sleep 1000\n").await;
    person.listen(Duration::from_millis(500)).await;
    person.send("echo anybody\n").await;
    assert_eq!(person.listen(Duration::from_millis(200)).await, "", "dead");
    assert_eq!(person.board.counters().power_cuts, 1);
    person.power.off().await.unwrap();
    person.reach_shell().await;
    assert_eq!(person.shell("dd if=/dev/zero of=/dev/sda bs=4k count=9 status=none; echo $?").await, "0\n");
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dd_can_hang_and_the_power_switch_can_stick() {
    let mut person = board_with(json!({"dd_stuck": true, "power_stuck": 1})).await;
    let error = person.power.on().await.unwrap_err();
    assert!(error.cause().contains("stuck"), "{error:?}");
    person.reach_shell().await;
    person.send("dd if=/dev/zero of=/dev/sda count=1\n").await;
    person.expect("count=1\r\n").await;
    assert_eq!(person.listen(Duration::from_millis(300)).await, "");
    person.send("\x03").await;
    person.expect("# ").await;
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kernel_messages_come_in_between_until_they_are_silenced() {
    let mut person = board_with(json!({"kernel_lines": 5})).await;
    person.reach_shell().await;
    // Several times: a message may come in the middle of one.
    person.send("seq 1 200; sleep 1; printf 'do%s\\n' ne ne ne ne ne ne\n").await;
    let shown = person.expect("done").await;
    assert!(shown.contains("mmc0: tuning execution"), "{shown}");
    person.shell("dmesg -n 1").await;
    let silent = async {
        loop {
            let before = person.board.counters().kernel_lines;
            tokio::time::sleep(Duration::from_millis(100)).await;
            if person.board.counters().kernel_lines == before {
                return before;
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, silent).await.unwrap() > 10);
    person.leave().await;
}
