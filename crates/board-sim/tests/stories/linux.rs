//! Linux on the board: login, shell, its own tools, and its end.

use serde_json::json;

use crate::support::ConsoleUser;

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_password_lets_in() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB", "username": "root", "password": "secret"})).await;
    person.reach_uboot().await;
    person.send("booti ${fdtcontroladdr}\n").await;
    for (name, password, answer) in
        [("root", "wrong", "Login incorrect"), ("eve", "secret", "Login incorrect"), ("root", "secret", "# ")]
    {
        person.expect("login: ").await;
        person.send(&format!("{name}\n")).await;
        person.expect("Password: ").await;
        person.send(&format!("{password}\n")).await;
        let shown = person.expect(answer).await;
        assert!(!shown.contains(password), "the password is not echoed: {shown:?}");
    }
    assert_eq!(person.board.counters().shell_logins, 1);
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_block_devices_are_found_by_their_address() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
    person.reach_shell().await;
    let listed = person.shell("ls -l /sys/class/block/ | grep 4fb0000 | head -n 1").await;
    assert!(listed.contains(" mmcblk0 -> ../../devices/platform/"), "{listed}");
    assert_eq!(person.shell("cat /sys/class/block/mmcblk0/size").await, "2048\n");
    assert_eq!(person.shell("cat /sys/class/block/mmcblk1/device/model").await, "SIMMED\n");
    let device = person.shell("readlink -f /sys/block/mmcblk0/device").await;
    assert_eq!(device, "/sys/devices/platform/bus@f0000/4fb0000.mmc/mmc_host/mmc0/mmc0:0001\n");
    assert_eq!(person.shell("test -b /dev/disk/by-path/platform-4fb0000.mmc; echo $?").await, "0\n");
    assert_eq!(person.shell("test -b /dev/nosuch; echo $?; test ! -b /dev/sda; echo $?").await, "1\n1\n");
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_longer_than_a_terminal_takes_arrive_whole() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
    person.reach_shell().await;
    let text = "x".repeat(20_000);
    assert_eq!(person.shell(&format!("printf %s {text} | wc -c")).await.trim(), "20000");
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn control_c_ends_what_runs_in_the_foreground() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
    person.reach_shell().await;
    person.send("echo begun; sleep 1000\n").await;
    person.expect("\r\nbegun").await;
    // Until the shell has started it, an interrupt is the shell's.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    person.send("\x03").await;
    person.expect("# ").await;
    assert!(person.shell("echo still \"here\"").await.contains("still here"));
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn echo_can_be_switched_off() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
    person.reach_shell().await;
    person.shell("stty -echo").await;
    person.send("echo \"al\"so\n").await;
    assert_eq!(person.expect("also").await, "");
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_get_the_boards_own_shell_and_clock() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
    person.reach_shell().await;
    person.shell("printf 'test -b \"$1\" && echo block $2\\n' >/tmp/s.sh").await;
    assert_eq!(person.shell("sh /tmp/s.sh /dev/mmcblk0 two").await, "block two\n");
    assert_eq!(person.shell("cd /tmp && sh -eu s.sh /dev/vda 'a b'").await, "block a b\n");
    assert_eq!(person.shell("echo 'echo $1' | sh -s given").await, "given\n");
    person.shell("date -s @1700000000").await;
    person.shell("echo 3 >/proc/sys/vm/drop_caches").await;
    assert_eq!(person.shell("echo 1").await, "1\n");
    let counters = person.board.counters();
    assert_eq!((counters.date.as_deref(), counters.cache_drops), (Some("@1700000000"), 1));
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reboot_and_poweroff_end_the_simulated_system_only() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
    person.reach_shell().await;
    person.send("reboot\n").await;
    person.expect("reboot: Restarting system").await;
    person.expect("Hit any key").await;
    person.send(" ").await;
    person.expect("=> ").await;
    person.send("booti ${fdtcontroladdr}\n").await;
    person.log_in().await;
    person.send("/sbin/poweroff\n").await;
    person.expect("reboot: Power down").await;
    let counters = person.board.counters();
    assert_eq!((counters.reboots, counters.poweroffs, counters.power_off), (1, 1, 0));
    person.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_writes_frames_from_a_pipe() {
    let mut person = ConsoleUser::at(json!({"size": "1MiB"})).await;
    person.reach_shell().await;
    let script = "while read -r seek count; do dd of=\"$1\" bs=512 seek=\"$seek\" count=\"$count\" iflag=fullblock \
                  conv=notrunc status=none || exit 1; done; dd if=/dev/null of=\"$1\" bs=512 count=0 conv=notrunc,fsync status=none";
    person.shell(&format!("printf '%s\\n' '{script}' >/tmp/frames.sh")).await;
    let frames = "for at in 3 900 7; do echo $at 2; printf \"%1024s\" $at; done";
    assert_eq!(person.shell(&format!("({frames}) | sh /tmp/frames.sh /dev/mmcblk0; echo $?")).await, "0\n");
    let medium = std::fs::read(person.board.medium()).unwrap();
    for at in [3_usize, 7, 900] {
        let written = String::from_utf8_lossy(&medium[at * 512..(at + 2) * 512]).into_owned();
        assert_eq!(written, format!("{at:>1024}"), "frame at {at}");
    }
    person.leave().await;
}
