//! The medium and the memory by U-Boot's commands. Every text is what a real U-Boot 2023.01 printed (Debian's for
//! QEMU's arm64 and for Allwinner H3), but for names and numbers of the device.

use serde_json::{Value, json};

use crate::support::ConsoleUser;
use crate::support::tftp::TestServer;

/// Runs commands one after the other on one board; each must print what stands beside it.
async fn check(config: Value, cases: &[(&str, &str)]) -> ConsoleUser {
    let mut person = ConsoleUser::at(config).await;
    person.reach_uboot().await;
    for (command, expected) in cases {
        assert_eq!(person.uboot(command).await, *expected, "{command}");
    }
    person
}

fn disk(person: &ConsoleUser) -> Vec<u8> {
    std::fs::read(person.board.medium()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_go_to_the_medium_and_come_back() {
    let person = check(
        json!({"size": "1MiB", "uboot_interfaces": {"mmc": [0, 1], "virtio": [0], "nvme": [0], "usb": [0], "scsi": [0]}}),
        &[
            ("mw.b 82000000 a5 1000", ""),
            ("mmc dev 1", "switch to partitions #0, OK\nmmc1 is current device\n"),
            ("mmc write 82000000 10 8; echo $?", "\nMMC write: dev # 1, block # 16, count 8 ... 8 blocks written: OK\n0\n"),
            ("virtio read 83000000 10 8; echo $?", "\nvirtio read: device 0 block # 16, count 8 ... 8 blocks read: OK\n0\n"),
            ("cmp.b 82000000 83000000 1000; echo $?", "Total of 4096 byte(s) were the same\n0\n"),
            ("nvme read 84000000 17 2", "\nnvme read: device 0 block # 23, count 2 ... -19 blocks read: ERROR\n"),
            ("nvme scan; nvme read 84000000 17 2", "\nnvme read: device 0 block # 23, count 2 ... 2 blocks read: OK\n"),
            ("usb read 84000000 0 1; echo $?", "USB is stopped. Please issue 'usb start' first.\n1\n"),
            ("scsi read 84000000 0 1", "\nscsi read: device 0 block # 0, count 1 ... -19 blocks read: ERROR\n"),
            ("mmc erase 11 1; echo $?", "\nMMC erase: dev # 1, block # 17, count 1 ... 1 blocks erased: OK\n0\n"),
        ],
    )
    .await;
    let bytes = disk(&person);
    assert!(bytes[0x2000..0x2200].iter().chain(&bytes[0x2400..0x3000]).all(|&byte| byte == 0xa5));
    assert!(bytes[0x2200..0x2400].iter().all(|&byte| byte == 0xff));
    assert!(bytes[..0x2000].iter().chain(&bytes[0x3000..]).all(|&byte| byte == 0));
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_the_end_and_absent() {
    let person = check(
        json!({"size": "1MiB", "uboot_interfaces": {"mmc": [0], "virtio": [0], "nvme": [0]}}),
        &[
            ("mmc read 82000000 7ff 1; echo $?", "\nMMC read: dev # 0, block # 2047, count 1 ... 1 blocks read: OK\n0\n"),
            (
                "mmc read 82000000 7ff 2; echo $?",
                "\nMMC read: dev # 0, block # 2047, count 2 ... MMC: block number 0x801 exceeds max(0x800)\n0 blocks read: ERROR\n1\n",
            ),
            (
                "mmc write 82000000 800 1; echo $?",
                "\nMMC write: dev # 0, block # 2048, count 1 ... MMC: block number 0x801 exceeds max(0x800)\n0 blocks written: ERROR\n1\n",
            ),
            ("mmc read 82000000 0 0; echo $?", "\nMMC read: dev # 0, block # 0, count 0 ... 0 blocks read: OK\n0\n"),
            ("virtio write 82000000 7ff 2; echo $?", "\nvirtio write: device 0 block # 2047, count 2 ... -5 blocks written: ERROR\n1\n"),
            (
                "nvme scan; nvme read 82000000 0 900; echo $?",
                "\nnvme read: device 0 block # 0, count 2304 ... ERROR: status = 4080, phase = 0, head = 1\n2048 blocks read: ERROR\n1\n",
            ),
            ("mmc dev 9; echo $?", "MMC Device 9 not found\nno mmc device at slot 9\n1\n"),
            ("mmc dev 0 1; echo $?", "switch to partitions #1, ERROR\n1\n"),
            ("virtio device 5; echo $?", "\nDevice 5: unknown device\n1\n"),
            ("scsi device", "\nno scsi devices available\n"),
            ("part list virtio 7; echo $?", "1\n"),
            ("part list foo 0; echo $?", "1\n"),
            ("part list mmc 0:1; echo $?", "** Bad device specification mmc 0:1 **\n1\n"),
            ("part list mmc 0; echo $?", "## Unknown partition table type 0\n0\n"),
            ("gzwrite virtio 9 82000000 100; echo $?", "1\n"),
        ],
    )
    .await;
    assert!(disk(&person).iter().all(|&byte| byte == 0));
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_say_what_they_are() {
    check(
        json!({"size": "64MiB"}),
        &[
            ("mmc list", "mmc@4fb0000: 0 (SD)\nmmc@4f80000: 1 (SD)\n"),
            (
                "mmc info",
                "Device: mmc@4fb0000\nManufacturer ID: 51\nOEM: 5349\nName: SIMMED \nBus Speed: 50000000\nMode: SD High Speed (50MHz)\n\
                 Rd Block Len: 512\nSD version 3.0\nHigh Capacity: No\nCapacity: 64 MiB\nBus Width: 4-bit\nErase Group Size: 512 Bytes\n",
            ),
            (
                "virtio info",
                "Device 0: 1af4 VirtIO Block Device\n            Type: Hard Disk\n            Capacity: 64.0 MB = 0.0 GB (131072 x 512)\n",
            ),
            (
                "virtio dev 0",
                "\nDevice 0: 1af4 VirtIO Block Device\n            Type: Hard Disk\n            Capacity: 64.0 MB = 0.0 GB (131072 x 512)\n\
                 ... is now current device\n",
            ),
            ("nvme info; nvme detail; usb start", "starting USB...\nNo working controllers found\n"),
            ("blkcache configure 0 0; echo $?", "changed to max of 0 entries of 0 blocks each\n0\n"),
            ("blkcache show", "hits: 0\nmisses: 0\nentries: 0\nmax blocks/entry: 0\nmax cache entries: 0\n"),
        ],
    )
    .await
    .leave()
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_compared_copied_and_shown() {
    check(
        json!({"size": "1MiB"}),
        &[
            ("mw.b 82000000 aa 1000; mw.b 82100000 aa 1000; mw.b 82100010 bb 1; cmp.b 82000000 82100000 1000; echo $?",
             "byte at 0x82000010 (0xaa) != byte at 0x82100010 (0xbb)\nTotal of 16 byte(s) were the same\n1\n"),
            ("cmp.w 82000000 82100000 10", "halfword at 0x82000010 (0xaaaa) != halfword at 0x82100010 (0xaabb)\nTotal of 8 halfword(s) were the same\n"),
            ("cmp 82000000 82100000 10", "word at 0x82000010 (0xaaaaaaaa) != word at 0x82100010 (0xaaaaaabb)\nTotal of 4 word(s) were the same\n"),
            ("cmp.q 82000000 82100000 10", "double word at 0x82000010 (0xaaaaaaaaaaaaaaaa) != double word at 0x82100010 (0xaaaaaaaaaaaaaabb)\nTotal of 2 double word(s) were the same\n"),
            ("cmp.b 82000000", "cmp - memory compare\n\nUsage:\ncmp [.b, .w, .l, .q] addr1 addr2 count\n"),
            ("cp.b 82000000 82200000 0; echo $?", "Zero length ???\n1\n"),
            ("mw.l 82200000 12345678 3; cp.b 82200000 82200003 5; md.b 82200000 9", "82200000: 78 56 34 78 56 34 12 78 78                       xV4xV4.xx\n"),
            ("crc32 0x82000000 0", "crc32 for 82000000 ... 81ffffff ==> 00000000\n"),
            ("mw.b 82000000 31 1; mw.b 82000001 32; crc32 82000000 2 82300000; md.b 82300000 4", "crc32 for 82000000 ... 82000001 ==> 4f5344cd\n82300000: 4f 53 44 cd                                      OSD.\n"),
            ("sha256sum 82000000 10", "Unknown command 'sha256sum' - try 'help'\n"),
            ("help sha256sum", "Unknown command 'sha256sum' - try 'help' without arguments for list of all known commands\n\n"),
        ],
    )
    .await
    .leave()
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_can_be_there_or_missing() {
    check(
        json!({"size": "1MiB", "without_commands": ["gzwrite", "mmc"]}),
        &[
            ("gzwrite; mmc", "Unknown command 'gzwrite' - try 'help'\nUnknown command 'mmc' - try 'help'\n"),
            ("mw.b 82000000 61 3; hash sha256 82000000 3", "sha256 for 82000000 ... 82000002 ==> 9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0\n"),
            ("sha256sum 82000000 3 sum; printenv sum", "sha256 for 82000000 ... 82000002 ==> 9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0\nsum=9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0\n"),
        ],
    )
    .await
    .leave()
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn touching_what_is_no_memory_resets_the_board() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB", "dram": "16MiB"})).await;
    person.reach_uboot().await;
    person.send("mmc read 81000000 0 1\n").await;
    person.expect("\"Synchronous Abort\" handler").await;
    person.expect("stop autoboot").await;
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gzip_is_unpacked_into_memory_and_onto_the_medium() {
    let folder = tempfile::tempdir().unwrap();
    let mut content: Vec<u8> = (0..200_000_u32).map(|number| (number * 7 % 251) as u8).collect();
    content.resize(262_144, 0);
    let plain = folder.path().join("f");
    std::fs::write(&plain, &content).unwrap();
    let packed = std::process::Command::new("gzip").arg("-nc").arg(&plain).output().unwrap().stdout;
    let sum = format!("{:08x}", crc(&content));
    let server = TestServer::start([("f.gz", packed)]).await;
    let mut person = ConsoleUser::at(
        json!({"size": "1MiB", "tftp_port": server.port(), "uboot_interfaces": {"mmc": [0], "virtio": [0]}}),
    )
    .await;
    person.reach_uboot().await;
    person.uboot("setenv autoload no; dhcp; tftpboot 82000000 f.gz; setenv gs ${filesize}").await;
    let cases = [
        (
            "unzip 82000000 84000000; echo $?; printenv filesize",
            "Uncompressed size: 262144 = 0x40000\n0\nfilesize=40000\n".to_owned(),
        ),
        ("crc32 84000000 40000", format!("crc32 for 84000000 ... 8403ffff ==> {sum}\n")),
        ("unzip 82000000 84000000 40000; echo $?", "Uncompressed size: 262144 = 0x40000\n0\n".to_owned()),
        ("unzip 82000000 84000000 1000; echo $?", "Error: inflate() returned -5\n1\n".to_owned()),
        ("unzip 83000000 84000000; echo $?", "Error: Bad gzipped data\n1\n".to_owned()),
        (
            "gzwrite virtio 0 82000000 ${gs}; echo $?",
            format!("\n262144/262144\n\t262144 bytes, crc 0x{sum}\n0\n"),
        ),
        (
            "gzwrite mmc 0 82000000 ${gs} 10000 200; echo $?",
            format!("\n65536/262144262144/262144\n\t262144 bytes, crc 0x{sum}\n0\n"),
        ),
        (
            "gzwrite mmc 0 82000000 ${gs} 10000 201; echo $?",
            "gzwrite: start offset 513 not a multiple of 512\n1\n".to_owned(),
        ),
        (
            "gzwrite mmc 0 82000000 ${gs} 100; echo $?",
            "gzwrite: size 256 not a multiple of 512\n1\n".to_owned(),
        ),
        (
            "gzwrite mmc 0 82000000 ${gs} 10000 f0000; echo $?",
            "gzwrite: uncompressed size 262144 exceeds device size\n1\n".to_owned(),
        ),
        (
            "gzwrite mmc 0 82000000 ${gs} 10000 0 30000; echo $?",
            "size of 30000 doesn't match trailer low bits 40000\n1\n".to_owned(),
        ),
        ("gzwrite mmc 0 83000000 1000; echo $?", "Error: Bad gzipped data\n1\n".to_owned()),
    ];
    for (command, expected) in cases {
        assert_eq!(person.uboot(command).await, expected, "{command}");
    }
    assert_eq!(disk(&person)[512..512 + content.len()], content);
    person.leave().await;
}

/// CRC-32 of ISO 3309.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_found_by_name_and_number() {
    let cases = [
        (
            "label: gpt\nfirst-lba: 34\nstart=2048,size=16384,name=boot,uuid=c5c56889-572a-374b-b66f-4db5a4319d17\nstart=20480,size=32768,name=\"root fs\",uuid=46e6d61b-fa5d-5745-b54f-12d741d27601,attrs=LegacyBIOSBootable\n",
            "\nPartition Map for MMC device 0  --   Partition Type: EFI\n\nPart\tStart LBA\tEnd LBA\t\tName\n\tAttributes\n\tType GUID\n\tPartition GUID\n  \
             1\t0x00000800\t0x000047ff\t\"boot\"\n\tattrs:\t0x0000000000000000\n\ttype:\t0fc63daf-8483-4772-8e79-3d69d8477de4\n\tguid:\tc5c56889-572a-374b-b66f-4db5a4319d17\n  \
             2\t0x00005000\t0x0000cfff\t\"root fs\"\n\tattrs:\t0x0000000000000004\n\ttype:\t0fc63daf-8483-4772-8e79-3d69d8477de4\n\tguid:\t46e6d61b-fa5d-5745-b54f-12d741d27601\n",
            [
                ("part start mmc 0 boot", "800\n"),
                ("part start mmc 0 \"root fs\" x; printenv x", "x=5000\n"),
                ("part number mmc 0 boot", "0x1\n"),
                ("part list mmc 0 -bootable x; printenv x", "x=2\n"),
            ],
        ),
        (
            "label: dos\nlabel-id: 0x505b69db\n2048,16384,c,*\n20480,32768,83\n",
            "\nPartition Map for MMC device 0  --   Partition Type: DOS\n\nPart\tStart Sector\tNum Sectors\tUUID\t\tType\n  \
             1\t2048      \t16384     \t505b69db-01\t0c Boot\n  2\t20480     \t32768     \t505b69db-02\t83\n",
            [
                ("part start mmc 0 1", "800\n"),
                ("part start mmc 0 boot; echo $?", "1\n"),
                ("part uuid mmc 0:2", "505b69db-02\n"),
                ("part list mmc 0 x; printenv x", "x=1 2\n"),
            ],
        ),
    ];
    for (layout, listing, questions) in cases {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("card.img");
        std::fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        if !partition(&image, layout) {
            println!("skipped: this machine has no sfdisk");
            return;
        }
        let config = json!({"size": "64MiB", "medium": image});
        let mut person = check(config, &[("part list mmc 0", listing), ("mmc part", listing)]).await;
        for (command, expected) in questions.into_iter().chain([
            ("part size mmc 0 2", "8000\n"),
            ("part size mmc 0 9; echo $?", "1\n"),
            ("part size mmc 0 nosuch; echo $?", "1\n"),
        ]) {
            assert_eq!(person.uboot(command).await, expected, "{command}");
        }
        person.leave().await;
    }
}

/// Writes a partition table; false when this machine has no tool for it.
fn partition(image: &std::path::Path, layout: &str) -> bool {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let started = Command::new("sfdisk").env("PATH", path).arg("-q").arg(image).stdin(Stdio::piped()).spawn();
    let Ok(mut child) = started else { return false };
    child.stdin.take().unwrap().write_all(layout.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    true
}
