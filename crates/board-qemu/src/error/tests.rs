//! Every text, word by word.

use super::*;

#[test]
fn every_error_says_what_where_and_what_next() {
    let io = || io::Error::from(io::ErrorKind::PermissionDenied);
    let errors = [
        QemuError::Config("memory and smp must not be 0".into()),
        QemuError::Missing { what: "emulator", name: "qemu".into(), package: "qemu-system-arm" },
        QemuError::file("write", "/tmp/x")(io()),
        QemuError::Tun(io()),
        QemuError::SharedNamespace(vec!["eth0".into(), "wlan0".into()]),
        QemuError::TapTaken { tap: "qtap0".into(), owner: 7 },
        QemuError::Tool { command: "ip link show".into(), stderr: "no".into() },
        QemuError::Dhcp { tap: "qtap0".into(), source: io() },
        QemuError::Start { program: "/bin/qemu".into(), source: io() },
        QemuError::Died { status: "exit status: 1".into(), stderr: "bad cpu".into() },
        QemuError::Silent(30, "no message".into()),
        QemuError::Survivor(7),
        QemuError::Busy,
        QemuError::Off("reset"),
        QemuError::Monitor { command: "set_link", reason: "it ended".into() },
        QemuError::Worker,
    ];
    let texts: Vec<String> = errors
        .into_iter()
        .map(|error| {
            let error = Error::from(error);
            let again = if error.is_retryable() { ", retry" } else { "" };
            format!("{}{again}: {}\n  {}", error.class(), error.cause(), error.next_step().unwrap())
        })
        .collect();
    insta::assert_snapshot!(texts.join("\n"), @"
    config: emulated board: memory and smp must not be 0
      `flasher drivers qemu-board` shows every field with its default
    infrastructure: emulated board: the emulator `qemu` is not there
      install it, on Debian with `apt-get install qemu-system-arm`
    infrastructure: emulated board: cannot write `/tmp/x`: permission denied
      check permissions and free space; TMPDIR must be a short path to a folder of your own
    infrastructure: emulated board: cannot open `/dev/net/tun`, which makes taps: permission denied
      run as root, or inside `unshare --user --map-root-user --net`; or leave out `network`
    infrastructure: emulated board: this network namespace has `eth0`, `wlan0`, expected a private one with nothing but `lo`
      run this below `flasher sandbox --`, or below `sudo unshare --net --pid --fork --kill-child`; or leave out `network`
    infrastructure: emulated board: the tap `qtap0` is in use by process 7, expected one tap per board
      give each board its own `network.tap`
    infrastructure: emulated board: `ip link show` failed: no
      making taps needs root, or a user namespace of one's own
    infrastructure: emulated board: cannot serve DHCP on `qtap0`, UDP port 67: permission denied
      stop the other DHCP server, run as root, or set `network.dhcp: false`
    infrastructure: emulated board: cannot start `/bin/qemu`: permission denied
      check that the program can be executed
    infrastructure: emulated board: QEMU ended at once with exit status: 1: bad cpu
      check the fields of `qemu-board` that QEMU's message names
    infrastructure, retry: emulated board: QEMU did not report to its monitor within 30 s: no message
      try again when this machine is less busy
    infrastructure, retry: emulated board: QEMU, process 7, is still there after it was killed
      it is stuck in the kernel; look at the disk it uses
    infrastructure, retry: emulated board: the serial line of the emulated board is open already, expected one user at a time
      close the other user of this line first
    infrastructure: emulated board: cannot reset: the emulated board is off
      switch the power on first
    infrastructure, retry: emulated board: QEMU's monitor did not do `set_link`: it ended
      switch the power off and on
    internal: emulated board: a worker of the emulated board ended early
      report this as a bug
    ");
}
