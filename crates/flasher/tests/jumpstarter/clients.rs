//! What clients do all day: power, serial, files, and the cases of the field's own test suite.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::lab::{BENCH, Lab, TEST_BOARD, free_tcp_port, said, scripts, test_board};

#[test]
fn the_power_and_the_serial_line_by_hand() {
    let Some(lab) = Lab::with_clients(BENCH) else { return };
    for action in ["on", "off"] {
        lab.serve(&["j", "power", action]);
    }
    lab.serve(&["j", "power", "cycle", "--wait", "0"]);
    let reading = lab.serve(&["j", "power", "read", "--count", "2", "--interval", "0"]);
    assert!(reading.contains('5') && reading.contains('2'), "{reading}");
    let mut pipe = lab.flasher(&["serve", "--", "j", "serial", "pipe", "--input"]);
    let mut pipe = pipe.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    pipe.stdin.take().unwrap().write_all(b"hello board\n").unwrap();
    let output = pipe.wait_with_output().unwrap();
    assert!(said(&["serial pipe"], &output).contains("hello board"));
}

#[test]
fn descriptions_status_log_and_the_end_of_a_session() {
    let bench = "  power: { type: power-mock, description: the rail, methods_description: { on: switches the rail on } }
  serial: { type: serial, config: { url: 'loop://' } }
  group: { description: of nobody, children: { switch: { ref: power } } }
";
    let Some(lab) = Lab::with_clients(bench) else { return };
    let yaml = std::fs::read_to_string(lab.path("lab.yaml")).unwrap();
    std::fs::write(lab.path("lab.yaml"), format!("description: a bench\nmotd: hello\n{yaml}")).unwrap();
    lab.script("session.py");
    let help = lab.serve(&["j", "power", "--help"]);
    assert!(help.contains("the rail") && help.contains("switches the rail on"), "{help}");
}

#[test]
fn control_lines_are_set_from_outside() {
    let port = free_tcp_port();
    let Some(lab) = Lab::with_clients(&format!(
        "  serial: {{ type: serial, config: {{ url: 'rfc2217://127.0.0.1:{port}' }} }}\n"
    )) else {
        return;
    };
    let mut server = lab.python("lines.py").arg(port.to_string()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let script = scripts().join("lines.py");
    let asked = lab.flasher(&["serve", "--", "python", script.to_str().unwrap()]).output().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(line, "ready\n");
    said(&["lines.py"], &asked);
}

#[test]
fn the_cases_of_the_fields_own_suite() {
    let Some(lab) = test_board() else { return };
    assert!(lab.script("seed.py").ends_with("10 cases\n"));
    // What was staged for clients goes when the exporter ends; the folders stay.
    assert_eq!(std::fs::read_dir(lab.path("tftp")).unwrap().count(), 0);
}

#[test]
fn an_exporter_without_serial_or_power_does_not_start() {
    let children = ["serial", "power"];
    for missing in children {
        let kept = |line: &&str| !line.trim_start().starts_with(&format!("{missing}:"));
        let lab =
            Lab::new(&TEST_BOARD.lines().filter(kept).map(|line| format!("{line}\n")).collect::<String>());
        let output = lab.flasher(&["serve", "--", "true"]).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{complaint}");
        assert!(
            complaint.contains(&format!("the child `{missing}` of kind {missing} is missing")),
            "{complaint}"
        );
    }
}

#[test]
fn files_go_there_and_back_in_every_compression() {
    let Some(lab) = test_board() else { return };
    lab.script("storage.py");
    // What clients made is gone; folders above it stay, as with Jumpstarter.
    let left: Vec<_> =
        std::fs::read_dir(lab.path("http")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["dir"]);
    assert_eq!(std::fs::read_dir(lab.path("http/dir")).unwrap().count(), 0);
}

#[test]
fn errors_become_the_exceptions_that_clients_expect() {
    let Some(lab) = test_board() else { return };
    std::fs::write(lab.path("secret"), "s3cret").unwrap();
    lab.script("errors.py");
}

#[test]
fn frames_of_unknown_types_and_after_the_end_change_nothing() {
    let Some(lab) = test_board() else { return };
    lab.script("frames.py");
}

#[test]
fn fifty_clients_at_once() {
    let Some(lab) = test_board() else { return };
    let exporter = lab.listen(&["--listen", "127.0.0.1:0"]);
    let script = scripts().join("crowd.py");
    let output = lab.client(&exporter, &[], &["python", script.to_str().unwrap()]).output().unwrap();
    said(&["crowd.py"], &output);
}

#[test]
fn only_who_knows_the_passphrase_gets_in() {
    let Some(lab) = Lab::with_clients(BENCH) else { return };
    std::fs::write(lab.path("right"), "open sesame\n").unwrap();
    std::fs::write(lab.path("wrong"), "open barley\n").unwrap();
    let exporter = lab.listen(&["--listen", "127.0.0.1:0", "--passphrase-file", "right"]);
    let on = ["j", "power", "on"];
    let output = lab.client(&exporter, &["--passphrase-file", "right"], &on).output().unwrap();
    said(&on, &output);
    for options in [&["--passphrase-file", "wrong"][..], &[]] {
        let output = lab.client(&exporter, options, &on).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        assert!(complaint.contains("invalid or missing passphrase"), "{complaint}");
    }
}

#[test]
fn over_tls() {
    let Some(lab) = Lab::with_clients(BENCH) else { return };
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem"])
        .args(["-out", "cert.pem"])
        .current_dir(lab.path(""))
        .output();
    if !made.is_ok_and(|output| output.status.success()) {
        println!("skipped: no `openssl` on this machine");
        return;
    }
    let mut exporter = lab.listen(&["--listen", "127.0.0.1:0", "--cert", "cert.pem", "--key", "key.pem"]);
    exporter.address = exporter.address.replace("127.0.0.1", "localhost");
    let on = ["j", "power", "on"];
    said(&on, &lab.client(&exporter, &["--ca", "cert.pem"], &on).output().unwrap());
    let plain = lab.client(&exporter, &[], &["timeout", "3", "j", "power", "on"]).output().unwrap();
    assert!(!plain.status.success(), "a client that does not speak TLS gets nowhere");
}

#[test]
fn a_node_that_only_python_has_says_so() {
    let bench = "  relay: { type: nowhere.Relay }\n  power: { type: power-mock }\n";
    let Some(lab) = Lab::with_clients(bench) else { return };
    // A warning comes when the exporter starts; the node has no commands, and refuses every call in one sentence.
    let output = lab.flasher(&["serve", "--", "j", "--help"]).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(complaint.contains("warning: `relay` is not available"), "{complaint}");
    assert!(complaint.contains("; Python says: ConfigurationError: Driver 'nowhere.Relay'"), "{complaint}");
    let help = said(&["j --help"], &output);
    assert!(help.contains("power") && !help.contains("relay"), "{help}");
    let script = "from jumpstarter.common.utils import env
with env() as client:
    for call in (lambda: client.relay.call('on'), lambda: next(client.relay.streamingcall('read'))):
        try:
            call()
            print('no refusal')
        except NotImplementedError as error:
            print(error)
    client.power.on()
";
    let output = lab.serve(&["python", "-c", script]);
    let sentence = "`relay` is not available: this build has no driver for the Python class `nowhere.Relay`";
    assert_eq!(output.matches(sentence).count(), 2, "{output}");
}
