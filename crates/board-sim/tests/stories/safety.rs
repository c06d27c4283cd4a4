//! What a simulated board must never do: touch the host, or leave something behind.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::ConsoleUser;

#[tokio::test(flavor = "multi_thread")]
async fn power_off_kills_what_left_its_session_too() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
    person.reach_shell().await;
    let id = person.shell("echo $SIM_BOARD_ID").await.trim().to_owned();
    person
        .shell("sleep 1000 & (setsid sleep 1001 &) ; trap '' HUP TERM; sh -c 'sleep 1002 & sleep 1003' &")
        .await;
    for _ in 0..200 {
        if carriers(&id) >= 6 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(carriers(&id) >= 6, "shell and sleepers run");
    person.power.off().await.unwrap();
    assert_eq!(carriers(&id), 0);
    person.leave().await;
}

/// Processes with this mark in their environment.
fn carriers(id: &str) -> usize {
    let mark = format!("SIM_BOARD_ID={id}").into_bytes();
    let marked = |path: &Path| {
        fs::read(path.join("environ"))
            .is_ok_and(|bytes| bytes.split(|&byte| byte == 0).any(|entry| entry == mark))
    };
    fs::read_dir("/proc").unwrap().flatten().filter(|entry| marked(&entry.path())).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_board_leaves_nothing_behind() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
    let folder = person.board.medium().parent().unwrap().to_owned();
    assert!(!folder.exists(), "nothing is made before power on");
    person.reach_shell().await;
    let id = person.shell("echo $SIM_BOARD_ID").await.trim().to_owned();
    assert!(folder.exists());
    drop(person);
    // The host's end of the line lets go in its own time.
    for _ in 0..200 {
        if !folder.exists() && carriers(&id) == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("left behind: {} or {} processes", folder.display(), carriers(&id));
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_at_any_moment_of_the_start_removes_the_folder() {
    for milliseconds in 0..40 {
        let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
        let folder = person.board.medium().parent().unwrap().to_owned();
        person.reach_uboot().await;
        person.send("booti ${fdtcontroladdr}\n").await;
        person.expect("Starting kernel").await;
        tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
        person.power.close().await.unwrap();
        assert!(!folder.exists(), "closed after {milliseconds} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guest_has_none_of_the_dangerous_tools() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
    person.reach_shell().await;
    let path = person.shell("echo $PATH").await;
    assert_eq!(path, "/bin\n", "one folder, the board's own");
    let found = person.shell("for t in mkfs mkfs.ext4 fdisk sfdisk parted wipefs shutdown systemctl init sudo su losetup nsenter ssh python3 perl; do command -v $t; done; echo end").await;
    assert_eq!(found, "end\n");
    let own = person
        .shell("for t in reboot poweroff halt dd mount; do head -c 2 $(command -v $t); done; echo")
        .await;
    assert_eq!(own, "#!#!#!#!#!\n", "scripts of the simulation");
    person.leave().await;
}

/// Each script of the simulation that has the name of a tool of the host.
#[tokio::test(flavor = "multi_thread")]
async fn tools_of_the_host_stay_as_they_are() {
    let on_host = |name: &str| {
        let folders = std::env::var_os("PATH").unwrap();
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
    };
    let names = ["sha256sum", "dd", "date", "mount", "umount", "blockdev", "wget", "curl"];
    let tools: Vec<_> = names.iter().filter_map(|name| on_host(name)).collect();
    let before: Vec<_> = tools.iter().map(|path| fs::read(path).unwrap()).collect();
    for faults in [json!({"linux": {"digests_lie_after": 0}}), json!({"no_network": true})] {
        let mut person = ConsoleUser::at(json!({"size": "1MiB", "faults": faults})).await;
        person.reach_shell().await;
        person.leave().await;
    }
    for (path, before) in tools.iter().zip(before) {
        assert!(fs::read(path).unwrap() == before, "{} was written to", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zeroing_the_device_zeroes_the_medium_file_only() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
    person.reach_shell().await;
    person.shell("dd if=/dev/urandom of=/dev/mmcblk0 bs=64k; echo x >/dev/sda").await;
    let medium = person.board.medium();
    let before = fs::read(&medium).unwrap();
    assert_eq!((before.len(), before[0]), (1 << 20, b'x'), "it keeps its size, as a device does");
    assert!(before[512..].iter().any(|&byte| byte != 0));
    let said = person.shell("dd if=/dev/zero of=/dev/mmcblk0 bs=64k; echo rc=$?").await;
    assert!(
        said.contains("error writing '/dev/mmcblk0': No space left on device") && said.ends_with("rc=1\n"),
        "{said}"
    );
    assert_eq!(fs::read(&medium).unwrap(), vec![0; 1 << 20]);
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_medium_of_the_user_is_kept_and_never_shortened() {
    let folder = tempfile::tempdir().unwrap();
    let medium = folder.path().join("card.img");
    fs::write(&medium, vec![1; 2 << 20]).unwrap();
    let mut person = ConsoleUser::at(json!({"medium": medium, "size": "1MiB"})).await;
    person.reach_shell().await;
    assert_eq!(person.shell("blockdev --getsize64 /dev/mmcblk0").await, "2097152\n");
    person.shell("printf hello | dd of=/dev/mmcblk0 status=none").await;
    person.leave().await;
    let bytes = fs::read(&medium).unwrap();
    assert_eq!((bytes.len(), &bytes[..6]), (2 << 20, &b"hello\x01"[..]));
}

#[tokio::test]
async fn a_device_is_no_medium() {
    let person = ConsoleUser::at(json!({"medium": "/dev/null"})).await;
    let error = person.power.probe().await.unwrap_err();
    assert_eq!(
        error.cause(),
        "simulated board: the simulated board cannot be built: the medium `/dev/null` is not a regular file"
    );
}

#[tokio::test]
async fn the_line_has_one_user_at_a_time() {
    let person = ConsoleUser::at(json!({})).await;
    let error = person.board.serial().open().await.err().unwrap();
    assert!(error.cause().contains("is open already"), "{error:?}");
}
