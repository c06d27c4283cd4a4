//! Lines opened by URL, on real pseudo-terminals and sockets, and every sentence an error has.

mod errors;
mod rfc2217;
mod share;
mod vanish;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use exporter_yaml::Document;
use flasher_core::{
    ByteStream, Class, ControlLines, Device, DriverType, Error, Result, SerialDriver, testing,
};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{ControlModes, tcgetattr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::PySerial;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The board's end of a line, and the path of ours.
fn pty() -> (File, String) {
    let board = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&board).unwrap();
    unlockpt(&board).unwrap();
    let path = ptsname(&board, Vec::new()).unwrap().into_string().unwrap();
    (File::from(board), path)
}

/// The device of a `serial` node with this config, in YAML's flow style.
fn device(config: &str) -> Result<Device> {
    let yaml = format!("export:\n  serial: {{ type: serial, config: {{ {config} }} }}\n");
    exporter_yaml::build(&Document::parse("lab.yaml", Path::new("/lab"), &yaml)?)?.find("serial")
}

fn line(config: &str) -> std::sync::Arc<dyn SerialDriver> {
    match device(config).unwrap() {
        Device::Serial(line) => line,
        other => panic!("{other:?} is no serial line"),
    }
}

async fn open(config: &str) -> Result<Box<dyn ByteStream>> {
    timeout(PATIENCE, line(config).open()).await.expect("the port opens or refuses")
}

async fn refusal(config: &str) -> Error {
    open(config).await.err().expect("the port refuses")
}

async fn heard(stream: &mut Box<dyn ByteStream>, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    timeout(PATIENCE, stream.read_exact(&mut bytes)).await.expect("the bytes arrive").unwrap();
    bytes
}

#[test]
fn the_example_builds_under_each_of_its_names() {
    for name in [PySerial::NAME].iter().chain(PySerial::ALIASES) {
        let node =
            PySerial::EXAMPLE.replace("type: serial", &format!("type: {name}")).replace('\n', "\n    ");
        let yaml = format!("export:\n  console:\n    {node}\n");
        let document = Document::parse("lab.yaml", Path::new(""), &yaml).unwrap();
        let tree = exporter_yaml::build(&document).unwrap_or_else(|findings| panic!("{findings}"));
        assert!(matches!(tree.find("console").unwrap(), Device::Serial(_)), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_every_kind_keep_the_promises_of_a_serial_driver() {
    let (board, path) = pty();
    echo(board);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let socket = format!("socket://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.into_split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let (spy, log) = (folder.path().join("spy.log"), folder.path().join("console.log"));
    for config in [
        format!("url: {path}"),
        format!("url: {path}, record: {{ file: {} }}", log.display()),
        format!("url: 'spy://{}?{path}'", spy.display()),
        format!("url: '{socket}'"),
        "url: 'loop://'".to_owned(),
    ] {
        let broken = testing::serial(&|| device(&config).unwrap(), true).await;
        assert_eq!(broken, [""; 0], "{config}");
    }
    server.abort();
}

/// A board that sends back what it gets, for as long as the test runs.
fn echo(mut board: File) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            match board.read(&mut buffer) {
                Ok(count) => board.write_all(&buffer[..count]).unwrap(),
                // The line is not open just now.
                Err(_) => std::thread::park_timeout(Duration::from_millis(5)),
            }
        }
    });
}

#[tokio::test]
async fn a_spy_notes_both_directions() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["spy://FILE?loop://", "spy://loop://?file=FILE"] {
        let file = folder.path().join("spy.log");
        let mut port =
            open(&format!("url: '{}'", url.replace("FILE", &file.display().to_string()))).await.unwrap();
        port.write_all(b"help\r").await.unwrap();
        assert_eq!(heard(&mut port, 5).await, b"help\r");
        drop(port);
        let text = written(&file, "RX").await;
        for (direction, line) in ["TX", "RX"].into_iter().zip(text.lines()) {
            assert!(
                line.contains(&format!("{direction} 0000  68 65 6c 70 0d")) && line.ends_with("  help."),
                "{text}"
            );
        }
        fs::remove_file(file).unwrap();
    }
    let error = refusal("url: 'spy:///no/such/folder/x?loop://'").await;
    assert_eq!(error.to_string(), "cannot write `/no/such/folder/x`: No such file or directory (os error 2)");
}

/// What a file has once `text` is in it.
async fn written(file: &Path, text: &str) -> String {
    for _ in 0..500 {
        let found = fs::read_to_string(file).unwrap_or_default();
        if found.contains(text) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no `{text}` in {}: {:?}", file.display(), fs::read_to_string(file))
}

#[tokio::test]
async fn a_board_that_drops_characters_is_sent_to_more_slowly() {
    let (mut board, path) = pty();
    let mut port = open(&format!("url: {path}")).await.unwrap();
    let mut send = async |line: &str, echo: &str| {
        port.write_all(line.as_bytes()).await.unwrap();
        board.read_exact(&mut vec![0; line.len()]).unwrap();
        board.write_all(echo.as_bytes()).unwrap();
        heard(&mut port, echo.len()).await;
        // How much is taken at once tells the pace.
        let count = timeout(PATIENCE, port.write(b"ab")).await.unwrap().unwrap();
        board.read_exact(&mut vec![0; count]).unwrap();
        port.write_all(b"\r").await.unwrap();
        board.read_exact(&mut [0]).unwrap();
        count
    };
    assert_eq!(send("setenv serverip 10.0.0.1\r", "setenv serverip 10.0.0.1\r\n=> ").await, 2);
    assert_eq!(
        send("setenv serverip 10.0.0.1\r", "setnv servrip 10.0.0.1\r\n=> ").await,
        2,
        "known at the next line"
    );
    assert_eq!(send("setenv serverip 10.0.0.1\r", "setenv serverip 10.0.0.1\r\n=> ").await, 1);
}

#[tokio::test]
async fn lines_beside_the_data_are_optional() {
    let (_board, path) = pty();
    let lines = ControlLines { dtr: Some(true), rts: Some(false), send_break: None };
    let line = line(&format!("url: {path}, dtr: true, rts: false"));
    assert!(!line.set_lines(lines).await.unwrap(), "a pty has none, whether it is open or not");
    let _port = line.open().await.unwrap();
    assert!(!line.set_lines(lines).await.unwrap());
    let send_break = ControlLines { send_break: Some(Duration::from_millis(1)), ..ControlLines::default() };
    assert!(
        !line.set_lines(send_break).await.unwrap(),
        "the kernel takes a break on a pty, and nobody hears it"
    );
    let socket = super::tests::line("url: 'socket://127.0.0.1:1'");
    assert!(!socket.set_lines(lines).await.unwrap());
}

#[tokio::test]
async fn bytes_pass_unchanged_both_ways() {
    let (mut board, path) = pty();
    let mut port = open(&format!("url: {path}, baudrate: 57600")).await.unwrap();
    let every_byte: Vec<u8> = (0..=255).collect();
    port.write_all(&every_byte).await.unwrap();
    port.flush().await.unwrap();
    let mut received = vec![0; 256];
    board.read_exact(&mut received).unwrap();
    assert_eq!(received, every_byte);
    board.write_all(&every_byte).unwrap();
    assert_eq!(heard(&mut port, 256).await, every_byte);
}

#[tokio::test]
async fn the_line_runs_at_the_speed_of_the_config() {
    let (board, path) = pty();
    let _port = open(&format!("url: {path}, baudrate: 57600")).await.unwrap();
    let settings = tcgetattr(&board).unwrap();
    assert_eq!((settings.input_speed(), settings.output_speed()), (57_600, 57_600));
    assert!(settings.control_modes.contains(ControlModes::CS8));
    assert!(
        !settings
            .control_modes
            .intersects(ControlModes::CSTOPB | ControlModes::PARENB | ControlModes::CRTSCTS)
    );
}

#[tokio::test]
async fn a_port_is_held_by_one_and_free_again_when_dropped() {
    let (_board, path) = pty();
    let config = format!("url: {path}");
    let first = open(&config).await.unwrap();
    let error = refusal(&config).await;
    assert_eq!(error.to_string(), format!("port is in use: `{path}` by this program itself"));
    assert_eq!((error.class(), error.is_retryable()), (Class::Infrastructure, false));
    drop(first);
    assert!(open(&config).await.is_ok());
}

#[tokio::test]
async fn a_port_that_another_program_locked_names_it() {
    let (_board, path) = pty();
    let mut other = Command::new("flock")
        .args(["--no-fork", "--exclusive", &path, "sh", "-c", "echo locked; read end"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(other.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "locked\n");
    let looked = line(&format!("url: {path}")).probe().await.unwrap_err();
    for error in [refusal(&format!("url: {path}")).await, looked] {
        assert_eq!(error.to_string(), format!("port is in use: `{path}` by `sh` (process {})", other.id()));
        assert_eq!(testing::errors(&error), [""; 0]);
    }
    drop(other.stdin.take());
    other.wait().unwrap();
    assert!(open(&format!("url: {path}")).await.is_ok());
}

#[tokio::test]
async fn a_link_to_a_device_is_as_good_as_the_device() {
    let (mut board, path) = pty();
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("usb-FTDI_FT232R-if00-port0");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let config = format!("url: {}", link.display());
    line(&config).probe().await.unwrap();
    let mut port = open(&config).await.unwrap();
    board.write_all(b"U-Boot").unwrap();
    assert_eq!(heard(&mut port, 6).await, b"U-Boot");
    assert!(refusal(&config).await.to_string().ends_with("by this program itself"));
}

#[tokio::test]
async fn a_board_that_is_unplugged_ends_the_stream() {
    let (mut board, path) = pty();
    let mut port = open(&format!("url: {path}")).await.unwrap();
    board.write_all(b"bye").unwrap();
    assert_eq!(heard(&mut port, 3).await, b"bye");
    drop(board);
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, port.read_to_end(&mut rest)).await.expect("the stream ends").unwrap_err();
    assert_eq!((ended.to_string(), rest), (format!("the serial port `{path}` vanished"), Vec::new()));
}

#[tokio::test]
async fn a_slow_board_gets_every_byte_in_order() {
    let (mut board, path) = pty();
    let mut port = open(&format!("url: {path}, cps: 2000")).await.unwrap();
    let text: Vec<u8> = (0..200).collect();
    timeout(PATIENCE, port.write_all(&text)).await.expect("the bytes leave").unwrap();
    port.flush().await.unwrap();
    let mut received = vec![0; text.len()];
    board.read_exact(&mut received).unwrap();
    assert_eq!(received, text);
}

#[tokio::test]
async fn a_slow_board_is_sent_one_byte_at_a_time_and_heard_at_once() {
    let mut port = open("url: 'loop://', cps: 1000").await.unwrap();
    for expected in [1, 1, 1] {
        assert_eq!(timeout(PATIENCE, port.write(b"abc")).await.unwrap().unwrap(), expected);
    }
    assert_eq!(heard(&mut port, 3).await, b"aaa");
}

#[tokio::test]
async fn dtr_is_left_alone_when_asked() {
    for (config, drops) in [("disable_hupcl: true", false), ("disable_hupcl: false", true)] {
        let (board, path) = pty();
        let mut before = tcgetattr(&board).unwrap();
        before.control_modes.insert(ControlModes::HUPCL);
        rustix::termios::tcsetattr(&board, rustix::termios::OptionalActions::Now, &before).unwrap();
        let port = open(&format!("url: {path}, {config}")).await.unwrap();
        let modes = tcgetattr(&board).unwrap().control_modes;
        assert_eq!(modes.contains(ControlModes::HUPCL), drops, "{config}");
        drop(port);
    }
}

#[tokio::test]
async fn each_opening_of_a_loop_is_an_echo_of_its_own() {
    let line = line("url: 'loop://'");
    line.probe().await.unwrap();
    let (mut one, mut two) = (line.open().await.unwrap(), line.open().await.unwrap());
    one.write_all(b"one").await.unwrap();
    two.write_all(b"two").await.unwrap();
    assert_eq!(heard(&mut one, 3).await, b"one");
    assert_eq!(heard(&mut two, 3).await, b"two");
}

#[tokio::test]
async fn a_socket_is_a_line_to_whoever_listens() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let config = format!("url: 'socket://localhost:{}'", listener.local_addr().unwrap().port());
    let mut port = open(&config).await.unwrap();
    let (mut board, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    port.write_all(b"\xff\x00help\r").await.unwrap();
    let mut received = [0; 7];
    timeout(PATIENCE, board.read_exact(&mut received)).await.unwrap().unwrap();
    assert_eq!(&received, b"\xff\x00help\r");
    board.write_all(b"=> ").await.unwrap();
    assert_eq!(heard(&mut port, 3).await, b"=> ");
    drop(board);
    assert_eq!(timeout(PATIENCE, port.read(&mut [0])).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_socket_where_nobody_listens_is_an_infrastructure_error() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = format!("url: 'socket://127.0.0.1:{port}'");
    line(&config).probe().await.unwrap();
    drop(listener);
    let expected =
        format!("cannot connect to `socket://127.0.0.1:{port}`: Connection refused (os error 111)");
    for error in [refusal(&config).await, line(&config).probe().await.unwrap_err()] {
        assert_eq!((error.to_string(), error.class()), (expected.clone(), Class::Infrastructure));
    }
}

#[tokio::test]
async fn wrong_serial_ports_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    fs::write(&file, "not a port").unwrap();
    for path in [file.display().to_string(), folder.path().display().to_string(), "/dev/null".to_owned()] {
        let error = refusal(&format!("url: {path}")).await;
        assert_eq!((error.to_string(), error.is_retryable()), (format!("`{path}` is no serial port"), false));
    }
    let missing = format!("{}/ttyUSB7", folder.path().display());
    for error in [
        refusal(&format!("url: {missing}")).await,
        line(&format!("url: {missing}")).probe().await.unwrap_err(),
    ] {
        assert_eq!(error.to_string(), format!("there is no serial port `{missing}`"));
        assert_eq!(error.class(), Class::Infrastructure);
        assert!(error.next_step().is_some_and(|help| help.starts_with("this machine has")), "{error:?}");
    }
}

#[tokio::test]
async fn a_port_that_comes_later_is_not_missed_before() {
    line("url: /dev/nowhere, check_present: false").probe().await.unwrap();
    assert_eq!(refusal("url: /dev/nowhere, check_present: false").await.class(), Class::Infrastructure);
}

#[tokio::test]
async fn looking_at_a_port_does_not_take_it_from_its_holder() {
    let (mut board, path) = pty();
    let config = format!("url: {path}");
    let mut port = open(&config).await.unwrap();
    line(&config).probe().await.unwrap();
    board.write_all(b"still here").unwrap();
    assert_eq!(heard(&mut port, 10).await, b"still here");
}
