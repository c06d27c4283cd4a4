//! Every sentence an error of this crate has.

use std::io;
use std::path::Path;

use flasher_core::{Class, Error, RootCause};

use super::device;
use crate::tty::denied;
use crate::{ConfigError, PortError};

fn told(error: impl Into<Error>) -> (Class, bool, String) {
    let error = error.into();
    let text = format!("{error}; {}", error.next_step().unwrap_or_default());
    (error.class(), error.is_retryable(), text)
}

#[test]
fn config_errors_say_what_was_expected() {
    let scheme = |scheme: &str| scheme.to_owned();
    let cases = [
        (
            ConfigError::Empty,
            "`url` is empty, expected a device path, `socket://HOST:PORT`, `rfc2217://HOST:PORT`, `spy://FILE?URL` or `loop://`; `ls -l /dev/serial/by-id` shows the ports of this machine",
        ),
        (
            ConfigError::Scheme { scheme: scheme("http") },
            "`http://` is no kind of serial port, expected a device path, `socket://HOST:PORT`, `rfc2217://HOST:PORT`, `spy://FILE?URL` or `loop://`; `ls -l /dev/serial/by-id` shows the ports of this machine",
        ),
        (
            ConfigError::NotSpoken { scheme: scheme("hwgrep") },
            "this build does not speak `hwgrep://`, expected a device path, `socket://HOST:PORT`, `rfc2217://HOST:PORT`, `spy://FILE?URL` or `loop://`; let the port server offer raw TCP and use `socket://HOST:PORT`",
        ),
        (
            ConfigError::Host { scheme: "socket", url: "socket://lab".to_owned() },
            "`socket://lab` does not name a host and a port, expected `socket://HOST:PORT`; an IPv6 address goes in brackets: `[::1]:4000`",
        ),
        (
            ConfigError::Spy { url: "spy://ttyUSB0".to_owned() },
            "`spy://ttyUSB0` does not name a file and a line, expected `spy://FILE?URL`; for example `spy:///tmp/uart.log?/dev/ttyUSB0`",
        ),
        (
            ConfigError::Option { option: "fast".to_owned(), url: "rfc2217://a:1?fast".to_owned() },
            "`fast` in `rfc2217://a:1?fast` is no option of such a URL; leave it out",
        ),
        (
            ConfigError::Bits { key: "data_bits", bits: 9, expected: "5 to 8" },
            "`data_bits` is 9, expected 5 to 8; most boards talk 8 data bits, no parity, 1 stop bit",
        ),
        (
            ConfigError::Away { seconds: -1.0 },
            "`reopen_seconds` is -1, expected 0 to 600; leave it out: ports under /dev/serial/by-id are waited for",
        ),
        (ConfigError::Part { mib: 0 }, "`part_mib` is 0, expected 1 to 4096; leave it out for 16"),
        (
            ConfigError::Baudrate,
            "`baudrate` is 0, expected bits a second, for example 115200; most boards talk at 115200",
        ),
        (
            ConfigError::Pace { cps: -1.0 },
            "`cps` is -1, expected characters a second, at least one a minute (0.0167); leave `cps` out to send without pauses",
        ),
    ];
    for (error, expected) in cases {
        assert_eq!(told(error), (Class::Config, false, expected.to_owned()));
    }
}

#[test]
fn port_errors_say_what_to_do_next() {
    let port = || "/dev/ttyUSB0".to_owned();
    let server = "is the port server running, and is its port free? most serve one connection at a time";
    let cases = [
        (
            PortError::Missing { port: port(), others: Vec::new() },
            true,
            "there is no serial port `/dev/ttyUSB0`; this machine has no serial port: plug in the adapter, then look at `dmesg | tail`".to_owned(),
        ),
        (
            PortError::Missing { port: port(), others: vec!["/dev/ttyUSB1".to_owned(), "/dev/ttyACM0".to_owned()] },
            true,
            "there is no serial port `/dev/ttyUSB0`; this machine has: `/dev/ttyUSB1`, `/dev/ttyACM0`".to_owned(),
        ),
        (
            PortError::Denied { port: port(), group: Some("dialout".to_owned()) },
            false,
            "no permission to open `/dev/ttyUSB0`; the group `dialout` may: `sudo usermod -aG dialout $USER`, then log in again".to_owned(),
        ),
        (
            PortError::Denied { port: port(), group: None },
            false,
            "no permission to open `/dev/ttyUSB0`; no group may: ask who set the permissions of this device".to_owned(),
        ),
        (
            PortError::Busy { port: port(), holder: Some("`picocom` (process 4711)".to_owned()) },
            false,
            "port is in use: `/dev/ttyUSB0` by `picocom` (process 4711); end it, or use another port; `flasher console --watch` shows what another flasher hears".to_owned(),
        ),
        (
            PortError::Busy { port: port(), holder: None },
            false,
            "port is in use: `/dev/ttyUSB0`; `sudo fuser -v PORT` shows who has it".to_owned(),
        ),
        (
            PortError::Setting { port: port(), asked: "3000000 baud".to_owned(), got: Some("115200 baud".to_owned()) },
            false,
            "`/dev/ttyUSB0` does not take 3000000 baud, it runs at 115200 baud; use what board and adapter can both do; most boards talk at 115200 8N1".to_owned(),
        ),
        (
            PortError::NotRfc2217 { url: "rfc2217://lab:4000".to_owned(), reason: "it hung up".to_owned() },
            false,
            "`rfc2217://lab:4000` does not speak RFC 2217: it hung up; for raw TCP use `socket://HOST:PORT`".to_owned(),
        ),
        (
            PortError::Vanished { port: port(), seconds: 0.0 },
            true,
            "the serial port `/dev/ttyUSB0` vanished; is the adapter plugged in, and powered by something other than the board? look at `dmesg | tail`".to_owned(),
        ),
        (
            PortError::Vanished { port: port(), seconds: 10.0 },
            true,
            "the serial port `/dev/ttyUSB0` vanished and did not come back within 10 s; is the adapter plugged in, and powered by something other than the board? look at `dmesg | tail`".to_owned(),
        ),
        (
            PortError::File { file: "/x/uart.log".to_owned(), reason: "no".to_owned() },
            false,
            "cannot write `/x/uart.log`: no; choose a folder that this user may write".to_owned(),
        ),
        (
            PortError::NotSerial { port: port() },
            false,
            "`/dev/ttyUSB0` is no serial port; `ls -l /dev/serial/by-id` shows the ports of this machine".to_owned(),
        ),
        (
            PortError::System { port: port(), reason: "I/O error".to_owned() },
            true,
            "cannot open `/dev/ttyUSB0`: I/O error; unplug and plug the adapter, then look at `dmesg | tail`".to_owned(),
        ),
        (
            PortError::Connect { url: "socket://lab:4000".to_owned(), source: io::ErrorKind::ConnectionReset.into() },
            true,
            format!("cannot connect to `socket://lab:4000`: connection reset; {server}"),
        ),
        (
            PortError::Deadline { url: "socket://lab:4000".to_owned(), seconds: 10 },
            true,
            format!("`socket://lab:4000` did not open within 10 s; {server}"),
        ),
    ];
    for (error, retryable, expected) in cases {
        assert_eq!(told(error), (Class::Infrastructure, retryable, expected));
    }
}

#[test]
fn advice_names_the_group_of_a_device() {
    let remedy = |mode, gid| told(denied(Path::new("/dev/ttyS0"), mode, gid)).2;
    assert!(remedy(0o20_660, 0).contains("`sudo usermod -aG root $USER`"));
    assert!(remedy(0o20_660, 3_999_999).contains("`sudo usermod -aG 3999999 $USER`"));
    assert!(remedy(0o20_600, 0).contains("no group may"));
    assert!(remedy(0o20_640, 0).contains("no group may"));
}

#[test]
fn a_line_that_fails_names_its_root_cause() {
    let port = || "/dev/ttyUSB0".to_owned();
    for (error, root) in [
        (PortError::Missing { port: port(), others: Vec::new() }, Some(RootCause::LineMissing)),
        (PortError::Denied { port: port(), group: None }, Some(RootCause::LineMissing)),
        (PortError::Busy { port: port(), holder: None }, Some(RootCause::LineTaken)),
        (PortError::Vanished { port: port(), seconds: 0.0 }, Some(RootCause::LineGone)),
        (PortError::File { file: "x".to_owned(), reason: "full".to_owned() }, None),
    ] {
        let text = error.to_string();
        assert_eq!(Error::from(error).root(), root, "{text}");
    }
}

#[test]
fn a_url_that_is_no_line_is_a_mistake_of_the_file() {
    let cases = [
        ("url: ''", "`url` is empty"),
        ("url: 'http://lab:80'", "`http://` is no kind of serial port"),
        ("url: 'hwgrep://ttyUSB'", "this build does not speak `hwgrep://`"),
        (
            "url: 'rfc2217://lab'",
            "`rfc2217://lab` does not name a host and a port, expected `rfc2217://HOST:PORT`",
        ),
        ("url: 'rfc2217://lab:4000?fast'", "`fast` in `rfc2217://lab:4000?fast` is no option"),
        ("url: 'spy:///dev/ttyUSB0'", "does not name a file and a line"),
        ("url: 'spy://?loop://'", "does not name a file and a line"),
        ("url: 'spy:///dev/ttyUSB0?file=x&loud'", "`loud` in"),
        ("url: 'spy:///tmp/x?http://lab'", "`http://` is no kind of serial port"),
        ("url: x, data_bits: 9", "`data_bits` is 9, expected 5 to 8"),
        ("url: x, stop_bits: 3", "`stop_bits` is 3, expected 1 or 2"),
        ("url: x, reopen_seconds: -1", "`reopen_seconds` is -1"),
        ("url: x, record: { file: y, part_mib: 0 }", "`part_mib` is 0"),
        ("url: 'socket://lab'", "does not name a host and a port"),
        ("url: 'socket://:4000'", "does not name a host and a port"),
        ("url: 'socket://lab:0'", "does not name a host and a port"),
        ("url: 'socket://lab:70000'", "does not name a host and a port"),
        ("url: 'socket://::1:4000'", "does not name a host and a port"),
        ("url: x, baudrate: 0", "`baudrate` is 0"),
        ("url: x, cps: -1", "`cps` is -1"),
        ("url: x, cps: .nan", "`cps` is NaN"),
        ("url: x, cps: 1e-9", "`cps` is 0.000000001"),
        ("url: x, bautrate: 9600", "did you mean `baudrate`?"),
        ("baudrate: 9600", "the key `url` is missing"),
    ];
    for (config, expected) in cases {
        let error = device(config).unwrap_err();
        assert!(error.to_string().contains(expected), "{config}: {error}");
        assert_eq!(error.class(), Class::Config);
    }
}

#[test]
fn a_mistake_points_at_its_key() {
    assert_eq!(
        device("url: x, baudrate: 0").unwrap_err().to_string(),
        "\
error: `baudrate` is 0, expected bits a second, for example 115200
  --> lab.yaml:2:55
   2 |   serial: { type: serial, config: { url: x, baudrate: 0 } }
     |                                                       ^
   = at:   export.serial.config.baudrate
   = help: most boards talk at 115200

1 problem; nothing was opened, no board was touched"
    );
}

#[test]
fn urls_that_are_lines() {
    for config in [
        "url: 'socket://[::1]:4000'",
        "url: 'socket://lab.example:4000/'",
        "url: 'loop://'",
        "url: ttyS0",
        "url: 'rfc2217://lab:4000?ign_set_control&timeout=3'",
        "url: 'spy://uart.log?socket://lab:4000'",
        "url: 'spy:///dev/ttyUSB0?file=uart.log&raw'",
        "url: x, data_bits: 7, parity: even, stop_bits: 2, flow_control: hardware, dtr: false, rts: true",
        "url: x, cps: 0",
        "url: x, cps: null",
        "url: x, cps: 10",
    ] {
        assert!(device(config).is_ok(), "{config}");
    }
}
