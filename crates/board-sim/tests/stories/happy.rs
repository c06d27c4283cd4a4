//! The way of every flash: power, U-Boot, network, kernel, login, shell.

use crate::support::ConsoleUser;
use crate::support::tftp::TestServer;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_board_goes_from_power_on_to_a_written_medium() {
    let server =
        TestServer::start([("kernel", vec![7; 300_000]), ("initrd", vec![8; 5000]), ("dtb", vec![9; 1468])])
            .await;
    let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
    person.reach_uboot().await;
    assert_eq!(
        person.uboot("setenv autoload no; dhcp; printenv ipaddr").await,
        "BOOTP broadcast 1\nDHCP client bound to address 127.0.0.1 (1 ms)\nipaddr=127.0.0.1\n"
    );
    person.uboot(&format!("setenv tftpdstp {}; setenv tftpwindowsize 8", server.port())).await;
    let loaded = person.uboot("tftpboot 0x82000000 kernel; echo $? ${filesize}").await;
    assert!(loaded.contains("Load address: 0x82000000\nLoading: *\x08###"), "{loaded}");
    assert!(loaded.ends_with("done\nBytes transferred = 300000 (493e0 hex)\n0 493e0\n"), "{loaded}");
    person.uboot("tftpboot 0x83000000 initrd; tftpboot 0x84000000 dtb").await;
    person.send("booti 0x82000000 0x83000000:${filesize} 0x84000000\n").await;
    person.expect("Starting kernel ...").await;
    person.expect("#1 SMP").await;
    person.log_in().await;
    assert_eq!(person.shell("test -b /dev/mmcblk0; echo $?").await, "0\n");
    person.shell("printf 'written by the guest' | dd of=/dev/mmcblk0 seek=1 status=none").await;
    let medium = std::fs::read(person.board.medium()).unwrap();
    assert_eq!((medium.len(), &medium[512..532]), (1 << 20, &b"written by the guest"[..]));
    assert_eq!(person.shell("blockdev --getsize64 /dev/sda").await, "1048576\n");
    let counters = person.board.counters();
    assert_eq!((counters.tftp_files, counters.tftp_bytes), (3, 306_468));
    assert_eq!((counters.power_on, counters.kernels, counters.shell_logins), (1, 1, 1));
    person.leave().await;
}
