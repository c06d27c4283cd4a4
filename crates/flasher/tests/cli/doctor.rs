//! What `doctor` finds.

use super::*;

#[test]
fn doctor_says_what_is_missing_and_what_to_do() {
    let healthy = Lab::new().run(&["doctor"]);
    assert_eq!(healthy.code, 0, "{}", healthy.out);
    let lab = Lab::with("export:\n  serial: { type: serial, config: { url: /dev/no-such-port } }\n");
    let ran = lab.run(&["doctor"]);
    assert_eq!(ran.code, 4);
    assert!(ran.out.contains("✗ serial") && ran.out.contains("/dev/no-such-port"), "{}", ran.out);
    assert!(ran.out.contains("✓ clock") && ran.out.contains("free for temporary files"), "{}", ran.out);
    let health = events(&lab.run(&["--json", "doctor"]));
    assert_eq!((&health[0]["event"], &health[0]["healthy"]), (&Value::from("health"), &Value::from(false)));
}

#[test]
fn doctor_names_every_fault_of_a_broken_set_up_with_its_remedy() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let lab = Lab::with(&format!(
        "export:\n  button: {{ type: power-gpio, config: {{ device: /dev/gpiochip99, line: 4 }} }}\n  \
         console: {{ type: serial, config: {{ url: /dev/no-such-port }} }}\n  \
         hub: {{ type: power-command, config: {{ on: no-such-relay 1, off: no-such-relay 0 }} }}\n  \
         files: {{ type: http, config: {{ host: 127.0.0.1, port: {port}, root_dir: . }} }}\n  \
         remote: {{ type: serial, config: {{ url: 'rfc2217://127.0.0.1:1' }} }}\n  \
         socket: {{ type: power-http, config: {{ preset: tasmota, host: '127.0.0.1:1' }} }}\n"
    ));
    let ran = lab.run(&["doctor"]);
    assert_eq!(ran.code, 4, "{}", ran.out);
    for (subject, finding, remedy) in [
        ("button", "there is no GPIO chip `/dev/gpiochip99`", "this machine has"),
        ("console", "there is no serial port `/dev/no-such-port`", "this machine has"),
        ("hub", "needs `no-such-relay`, which is not in the PATH", "install what brings `no-such-relay`"),
        ("files", "is in use", ""),
        ("remote", "cannot connect to `rfc2217://127.0.0.1:1`", "is the port server running"),
        ("socket", "the power switch at `http://127.0.0.1:1/cm` cannot be reached", "is this its address?"),
    ] {
        let at = ran.out.find(&format!("✗ {subject}")).unwrap_or_else(|| panic!("no {subject}: {}", ran.out));
        let mut lines = ran.out[at..].lines();
        let (found, help) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        assert!(found.contains(finding), "{found}");
        assert!(help.contains(remedy) && help.starts_with("    "), "{help}");
    }
    assert!(ran.out.contains("✓ clock"), "{}", ran.out);
}

#[test]
fn doctor_tells_whether_a_board_is_in_reach() {
    let doctor = |network: &str, children: &str, board: &str| {
        let config = format!("{{ flasher_bundle: ./b, tftp_dir: ./t, http_dir: ./h{network} }}");
        let flasher = format!("type: flasher, config: {config}, children: {{ {children} }}");
        Lab::with(&format!("export:\n  storage: {{ {flasher} }}\n{board}")).run(&["doctor"])
    };
    let real = "serial: { type: serial, config: { url: 'loop://' } }, power: { type: power-mock }";
    let ran = doctor(", network: { address: 203.0.113.7 }", real, "");
    // A machine in a sandbox has no network at all.
    let away = ["board's network 203.0.113.0/24", "no network interface but loopback"];
    assert!(ran.code == 4 && away.iter().any(|it| ran.out.contains(it)), "{}", ran.out);
    let virtual_board = "serial: { ref: board.serial }, power: { ref: board.power }";
    let ran = doctor("", virtual_board, "  board: { type: sim-board, config: { size: 64MiB } }\n");
    assert!(ran.out.contains("the board lives on this machine"), "{}", ran.out);
}
