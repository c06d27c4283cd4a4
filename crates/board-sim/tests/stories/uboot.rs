//! U-Boot's console: countdown, command line, TFTP and what it refuses.

use std::time::Duration;

use serde_json::json;

use crate::support::ConsoleUser;
use crate::support::tftp::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn autoboot_from_the_medium() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB", "bootdelay": 0})).await;
    person.power.on().await.unwrap();
    person.expect("** No bootable medium **\r\n=> ").await;
    person.power.off().await.unwrap();

    let mut bytes = vec![0; 1 << 20];
    bytes[512..520].copy_from_slice(b"EFI PART");
    std::fs::write(person.board.medium(), bytes).unwrap();
    person.power.on().await.unwrap();
    person.expect("sim system booted from medium").await;
    person.expect("login:").await;
    assert_eq!(person.board.counters().medium_boots, 1);
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_behaves_as_the_real_one() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
    person.reach_uboot().await;
    let cases = [
        ("frobnicate; echo $?", "Unknown command 'frobnicate' - try 'help'\n1\n"),
        (
            "setenv a 'one two'; printenv a; setenv a; printenv a; echo $?",
            "a=one two\n## Error: \"a\" not defined\n1\n",
        ),
        ("setenv go 'echo $w; false'; setenv w hi; run go || echo failed", "hi\nfailed\n"),
        ("false && echo no; true && echo yes", "yes\n"),
        ("booti 0x1000 - 0x2000; echo $?", "Bad Linux ARM64 Image magic!\n1\n"),
        ("bootm 0x1000", "Wrong Image Format for bootm command\nERROR: can't get kernel image!\n"),
        (
            "booti ${fdtcontroladdr} 0x1000",
            "Wrong Ramdisk Image Format\nRamdisk image is corrupt or invalid\n",
        ),
        ("tftpboot 0x1000 x", "*** ERROR: `serverip' not set\n"),
        ("unlz4 0x1000 0x2000; echo $?", "## Error: nothing was loaded at this address\n1\n"),
    ];
    for (command, expected) in cases {
        assert_eq!(person.uboot(command).await, expected, "{command}");
    }
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pc_boots_by_its_own_command() {
    let config = json!({"size": "1MiB", "dram_start": 0, "without_commands": ["booti", "bootz"]});
    let mut person = ConsoleUser::at(config).await;
    person.reach_uboot().await;
    let cases = [
        ("zboot 0x1ff0000; echo $?", "## Kernel loading failed (missing x86 kernel setup) ...\n1\n"),
        ("booti 0x1ff0000", "Unknown command 'booti' - try 'help'\n"),
        ("bdinfo", "-> start    = 0x0000000000000000\n"),
    ];
    for (command, expected) in cases {
        let said = person.uboot(command).await;
        assert!(said.contains(expected), "{command}: {said}");
    }
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_more_than_511_characters_is_cut_silently() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
    person.reach_uboot().await;
    person.uboot(&format!("setenv x {}", "a".repeat(900))).await;
    let value = person.uboot("printenv x").await;
    assert_eq!(value.trim().len(), "x=".len() + 511 - "setenv x ".len());
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn control_c_aborts_a_line_and_a_command() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB", "faults": {"dhcp_fail": true}})).await;
    person.reach_uboot().await;
    person.send("echo not this\x03").await;
    person.expect("<INTERRUPT>\r\n=> ").await;
    person.send("dhcp\n").await;
    person.expect("BOOTP broadcast 2").await;
    person.send("\x03").await;
    person.expect("Abort\r\n=> ").await;
    person.send("sleep 1000\n").await;
    person.expect("sleep 1000\r\n").await;
    person.send("\x03").await;
    person.expect("=> ").await;
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_lost_at_power_cycle_and_reset() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
    person.reach_uboot().await;
    person.uboot("setenv mine yes").await;
    person.send("reset\n").await;
    person.expect("Hit any key").await;
    person.send(" ").await;
    person.expect("=> ").await;
    assert!(person.uboot("printenv mine").await.contains("not defined"));
    person.uboot("setenv mine yes").await;
    person.power.off().await.unwrap();
    person.send("typed while it is off").await;
    assert_eq!(person.listen(Duration::from_millis(200)).await, "");
    person.reach_uboot().await;
    assert!(person.uboot("printenv mine").await.contains("not defined"));
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tftp_options_decide_about_blocks_and_every_byte_arrives() {
    let content: Vec<u8> = (0..200_000_u32).map(|number| (number * 7 % 251) as u8).collect();
    let server = TestServer::start([("file", content)]).await;
    let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
    person.reach_uboot().await;
    person.uboot(&format!("setenv autoload no; dhcp; setenv tftpdstp {}", server.port())).await;
    let mut sums = Vec::new();
    for (block, window) in [(512, 1), (1468, 1), (1468, 16), (8192, 4)] {
        person.uboot(&format!("setenv tftpblocksize {block}; setenv tftpwindowsize {window}")).await;
        let out = person.uboot("tftpboot 82000000 file").await;
        assert!(out.contains("Bytes transferred = 200000 (30d40 hex)"), "{out}");
        sums.push(person.uboot("crc32 82000000 ${filesize}").await);
    }
    assert!(sums[0].contains("==> "), "{sums:?}");
    assert!(sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
    assert_eq!(
        person.uboot("tftpboot 82000000 nosuch; echo $?").await.split("Loading: ").nth(1),
        Some("*\x08\nTFTP error: 'File not found' (1)\nNot retrying...\n1\n")
    );
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ramdisk_inside_the_kernel_is_refused() {
    let server = TestServer::start([("kernel", vec![0; 8192])]).await;
    let mut person = ConsoleUser::at(json!({"size": "1MiB", "tftp_port": server.port()})).await;
    person.reach_uboot().await;
    person.uboot("setenv autoload no; dhcp; tftpboot 82001000 kernel; tftpboot 82001800 kernel").await;
    assert_eq!(
        person.uboot("booti 82001000 82001800; echo $?").await,
        "ERROR: RD image overlaps OS image\n1\n"
    );
    assert_eq!(
        person.uboot("booti 82001000 82001800:9000").await,
        "Wrong Ramdisk Image Format\nRamdisk image is corrupt or invalid\n"
    );
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_understands_an_independent_rfc_1350_server() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kernel"), vec![5; 10_000]).unwrap();
    let builder = tftp_server::server::TftpServerBuilder::new();
    let builder = builder.addr("127.0.0.1:0".parse().unwrap()).serve_dir(folder.path().to_owned());
    let mut server = builder.build().unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || server.run());

    let mut person = ConsoleUser::at(json!({"size": "1MiB", "tftp_port": port})).await;
    person.reach_uboot().await;
    let out = person.uboot("setenv autoload no; dhcp; tftpboot 82000000 kernel").await;
    assert!(out.ends_with("Bytes transferred = 10000 (2710 hex)\n"), "{out}");
    person.leave().await;
}
