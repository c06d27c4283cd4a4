//! What goes wrong while U-Boot has the board: each knob does what it says, and the counters show it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::ConsoleUser;
use crate::support::tftp::TestServer;

/// A board at its prompt, with a4 in memory at 82000000 and zeros on its medium.
async fn board_with(faults: Value) -> ConsoleUser {
    let interfaces = json!({"mmc": [0], "virtio": [0], "nvme": [0]});
    let mut person =
        ConsoleUser::at(json!({"size": "1MiB", "uboot_interfaces": interfaces, "faults": faults})).await;
    person.reach_uboot().await;
    person.uboot("nvme scan; mw.b 82000000 a4 1000").await;
    person
}

fn disk(person: &ConsoleUser) -> Vec<u8> {
    std::fs::read(person.board.medium()).unwrap()
}

const WRITE: &str = "mmc write 82000000 0 8";
const READ: &str = "mmc read 83000000 0 8";
const COMPARE: &str = "cmp.b 82000000 83000000 1000";
const SAME: &str = "Total of 4096 byte(s) were the same\n";
const WRITTEN: &str = "\nMMC write: dev # 0, block # 0, count 8 ... 8 blocks written: OK\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_lost_and_reported_as_done() {
    let mut person = board_with(json!({"uboot": {"lost_writes": 1}})).await;
    assert_eq!(person.uboot(WRITE).await, WRITTEN);
    assert!(disk(&person).iter().all(|&byte| byte == 0));
    person.uboot(WRITE).await;
    assert!(disk(&person)[..4096].iter().all(|&byte| byte == 0xa4));
    assert_eq!(person.board.counters().lost_writes, 1);
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_gives_what_was_there_before() {
    let mut person = board_with(json!({"uboot": {"stale_reads": 1}})).await;
    person.uboot("blkcache configure 0 0").await;
    person.uboot(WRITE).await;
    person.uboot(READ).await;
    assert_eq!(
        person.uboot(COMPARE).await,
        "byte at 0x82000000 (0xa4) != byte at 0x83000000 (0x00)\nTotal of 0 byte(s) were the same\n"
    );
    person.uboot(READ).await;
    assert_eq!(person.uboot(COMPARE).await, SAME);
    assert_eq!(person.board.counters().stale_reads, 1);
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bit_flips_in_a_read_a_write_or_a_load() {
    let differs =
        "byte at 0x82000064 (0xa4) != byte at 0x83000064 (0xa5)\nTotal of 100 byte(s) were the same\n";
    for (faults, on_medium) in [
        (json!({"uboot": {"flip_read": {"offset": 100, "mask": 1, "times": 1}}}), 0xa4),
        (json!({"flip_bit": {"offset": 100, "mask": 1, "times": 1}}), 0xa5),
    ] {
        let mut person = board_with(faults).await;
        person.uboot("blkcache configure 0 0").await;
        person.uboot(WRITE).await;
        person.uboot(READ).await;
        assert_eq!(person.uboot(COMPARE).await, differs);
        assert_eq!(disk(&person)[100], on_medium);
        person.uboot(WRITE).await;
        person.uboot(READ).await;
        assert_eq!(person.uboot(COMPARE).await, SAME);
        let counters = person.board.counters();
        assert_eq!(counters.flips + counters.read_flips, 1);
        person.leave().await;
    }
    let server = TestServer::start([("f", vec![0xa4; 4096])]).await;
    let mut person = board_with(json!({"uboot": {"flip_load_at": 4196}})).await;
    person.uboot(&format!("setenv autoload no; dhcp; setenv tftpdstp {}", server.port())).await;
    for compared in [SAME, differs, SAME] {
        person.uboot("tftpboot 83000000 f").await;
        assert_eq!(person.uboot(COMPARE).await, compared);
    }
    assert_eq!(person.board.counters().load_flips, 1);
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_ends_in_an_error_after_some_blocks() {
    let cases = [
        (WRITE, "\nMMC write: dev # 0, block # 0, count 8 ... mmc write failed\n0 blocks written: ERROR\n"),
        (
            "virtio write 82000000 0 8",
            "\nvirtio write: device 0 block # 0, count 8 ... -5 blocks written: ERROR\n",
        ),
        (
            "nvme write 82000000 0 8",
            "\nnvme write: device 0 block # 0, count 8 ... 3 blocks written: ERROR\n",
        ),
    ];
    for (command, said) in cases {
        for faults in [
            json!({"uboot": {"write_error_after": 3}}),
            json!({"write_error": 1536}),
            json!({"full_at": 1536}),
        ] {
            let mut person = board_with(faults.clone()).await;
            assert_eq!(person.uboot(command).await, said, "{faults}");
            let bytes = disk(&person);
            assert!(
                bytes[..1536].iter().all(|&byte| byte == 0xa4) && bytes[1536..].iter().all(|&byte| byte == 0)
            );
            person.leave().await;
        }
    }
    let mut person = board_with(json!({"read_error_at": 512})).await;
    assert_eq!(
        person.uboot(READ).await,
        "\nMMC read: dev # 0, block # 0, count 8 ... 0 blocks read: ERROR\n"
    );
    assert_eq!(
        person.uboot("mmc read 83000000 2 1").await,
        "\nMMC read: dev # 0, block # 2, count 1 ... 1 blocks read: OK\n"
    );
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn power_is_cut_in_the_middle_of_a_write_once() {
    let mut person = board_with(json!({"cut_power_after_bytes": 5000})).await;
    person.uboot(WRITE).await;
    person.send("mmc write 82000000 8 8\n").await;
    person.expect("count 8 ... ").await;
    person.send("echo anybody\n").await;
    assert_eq!(person.listen(Duration::from_millis(300)).await, "", "dead");
    let bytes = disk(&person);
    assert!(bytes[..5000].iter().all(|&byte| byte == 0xa4) && bytes[5000..].iter().all(|&byte| byte == 0));
    assert_eq!(person.board.counters().power_cuts, 1);
    person.power.off().await.unwrap();
    person.reach_uboot().await;
    person.uboot("mw.b 82000000 a4 2000; mmc write 82000000 0 10").await;
    assert!(disk(&person)[..8192].iter().all(|&byte| byte == 0xa4));
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counterfeit_card_loses_or_wraps_what_is_behind_its_end() {
    for (beyond, at_start, behind) in [("drop", 0, 0), ("wrap", 0xa4, 0xa4)] {
        let mut person = board_with(json!({"real_size": {"bytes": "512KiB", "beyond": beyond}})).await;
        let said = person.uboot("mmc write 82000000 400 8").await;
        assert!(said.ends_with("8 blocks written: OK\n"), "{said}");
        let bytes = disk(&person);
        assert_eq!((bytes[0], bytes[512 * 1024]), (at_start, behind), "{beyond}");
        person.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_slot() {
    let mut person = board_with(json!({"uboot": {"absent": true}})).await;
    let cases = [
        ("mmc list", "mmc@4fb0000: 0\n"),
        ("mmc dev 0; echo $?", "MMC: no card present\n1\n"),
        ("mmc read 82000000 0 1; echo $?", "MMC: no card present\n1\n"),
        ("virtio dev 0; echo $?", "\nDevice 0: unknown device\n1\n"),
        ("nvme read 82000000 0 1", "\nnvme read: device 0 block # 0, count 1 ... -19 blocks read: ERROR\n"),
        ("part list mmc 0; echo $?", "1\n"),
    ];
    for (command, expected) in cases {
        assert_eq!(person.uboot(command).await, expected, "{command}");
    }
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_loses_characters_breaks_lines_and_drowns() {
    let mut person = board_with(json!({"uboot": {"noise_after": 2}})).await;
    person.send("echo a\n").await;
    person.expect("a\r\n").await;
    person.expect("\u{fffd}").await;
    person.send("echo b\n\x03").await;
    assert!(!person.listen(Duration::from_millis(400)).await.contains('b'));
    person.leave().await;

    let mut person = ConsoleUser::at(json!({"size": "1MiB", "faults": {"uboot": {"cr_echo": true}}})).await;
    person.reach_uboot().await;
    person.send("echo a\n").await;
    person.expect("echo a\ra\r\n=> ").await;
    person.leave().await;

    let mut person = ConsoleUser::at(json!({"size": "1MiB", "faults": {"uboot": {"drop_console": 4}}})).await;
    person.reach_uboot().await;
    person.send(&"a".repeat(100)).await;
    person.expect("aaaa").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(person.board.counters().dropped_characters > 0);
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lwip_asks_the_server_it_was_given_in_lock_step() {
    let server = TestServer::start([("f", vec![3; 30_000])]).await;
    let config =
        json!({"size": "1MiB", "network": "lwip", "network_interface": 1, "next_server": "127.0.0.9"});
    let mut person = ConsoleUser::at(config).await;
    person.reach_uboot().await;
    let port = server.port();
    let cases = [
        ("tftpboot 82000000 f; echo $?".to_owned(), "error: tftpserverip/serverip has to be set\n1\n"),
        ("dhcp; echo $?".to_owned(), "DHCP client bound to address 127.0.0.1 (1 ms)\n0\n"),
        (
            "printenv ipaddr; printenv ipaddr1 serverip tftpserverip".to_owned(),
            "## Error: \"ipaddr\" not defined\nipaddr1=127.0.0.1\nserverip=127.0.0.1\ntftpserverip=127.0.0.9\n",
        ),
    ];
    for (command, expected) in cases {
        assert_eq!(person.uboot(&command).await, expected, "{command}");
    }
    person.uboot(&format!("setenv tftpdstp 1; setenv tftpwindowsize 16; setenv tftpblocksize 512; tftpboot 82000000 127.0.0.1:{port}:f")).await;
    let said = person.uboot(&format!("tftpboot 82000000 127.0.0.1:{port}:f")).await;
    assert!(said.starts_with("Using ethernet@32 device\nTFTP from server 127.0.0.1; our IP address is <NULL>\nFilename 'f'.\nLoad address: 0x82000000\nLoading: ##\n"), "{said}");
    assert!(said.ends_with("done\nBytes transferred = 30000 (7530 hex)\n"), "{said}");
    let said = person.uboot(&format!("tftpboot 82000000 127.0.0.1:{port}:nosuch; echo $?")).await;
    assert!(said.ends_with("Loading: \nTFTP error: 1 (File not found)\n1\n"), "{said}");
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_character_after_a_lease_may_be_lost() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB", "drop_after_dhcp": true})).await;
    person.reach_uboot().await;
    person.uboot("setenv autoload no; dhcp").await;
    assert_eq!(person.uboot("echo hello").await, "Unknown command 'cho' - try 'help'\n");
    assert_eq!(person.uboot("echo hello").await, "hello\n");
    person.leave().await;
}
