//! Debian's ser2net serves a pseudo-terminal on loopback; servers that are none are named as that.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use flasher_core::{ControlLines, testing};
use rustix::termios::tcgetattr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{device, echo, heard, line, open, pty, refusal};

/// ser2net for one device, until it is dropped.
struct Ser2net {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Ser2net {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Ser2net {
    /// None, with a word why, when it is not installed.
    async fn start(device: &str) -> Option<Self> {
        let program = ["/usr/sbin/ser2net", "/usr/local/sbin/ser2net"]
            .into_iter()
            .find(|it| std::fs::exists(it).unwrap());
        let Some(program) = program else {
            assert!(std::env::var_os("CI").is_none(), "ser2net is not installed");
            eprintln!("skipped: ser2net is not installed");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = folder.path().join("ser2net.yaml");
        let text = format!(
            "%YAML 1.1\n---\nconnection: &board\n  accepter: telnet(rfc2217=true,mode=server),tcp,127.0.0.1,{port}\n  connector: serialdev,{device},9600n81,local\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(program);
        command
            .args(["-n", "-u", "-c"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = command.spawn().unwrap();
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The look just taken holds its port for a moment.
        tokio::time::sleep(Duration::from_millis(100)).await;
        Some(Self { process, port, _folder: folder })
    }

    fn url(&self) -> String {
        format!("url: 'rfc2217://127.0.0.1:{}'", self.port)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_passes_a_port_server() {
    let (mut board, path) = pty();
    let keep = board.try_clone().unwrap();
    let Some(server) = Ser2net::start(&path).await else { return };
    let config = format!("{}, baudrate: 57600, data_bits: 7, parity: even, stop_bits: 2", server.url());
    let mut port = open(&config).await.unwrap();
    let settings = tcgetattr(&keep).unwrap();
    assert_eq!((settings.input_speed(), settings.output_speed()), (57_600, 57_600));
    drop(port);
    tokio::time::sleep(Duration::from_millis(200)).await;
    port = open(&format!("{}, auto_pace: false", server.url())).await.unwrap();
    assert_eq!(tcgetattr(&keep).unwrap().output_speed(), 115_200);
    let every_byte: Vec<u8> = (0..=255).cycle().take(4096).collect();
    port.write_all(&every_byte).await.unwrap();
    port.flush().await.unwrap();
    let mut received = vec![0; every_byte.len()];
    let (received, mut board) = tokio::task::spawn_blocking(move || {
        board.read_exact(&mut received).unwrap();
        (received, board)
    })
    .await
    .unwrap();
    assert_eq!(received, every_byte);
    let sent = every_byte.clone();
    let sender = std::thread::spawn(move || board.write_all(&sent).map(|()| board));
    assert_eq!(heard(&mut port, every_byte.len()).await, every_byte);
    drop(sender.join().unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc2217_line_is_a_serial_driver() {
    let (board, path) = pty();
    echo(board);
    let Some(server) = Ser2net::start(&path).await else { return };
    assert_eq!(testing::serial(&|| device(&server.url()).unwrap(), true).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_and_breaks_go_beside_the_data() {
    let (board, path) = pty();
    echo(board);
    let Some(server) = Ser2net::start(&path).await else { return };
    let line = line(&format!("{}, dtr: true, rts: true", server.url()));
    let mut port = line.open().await.unwrap();
    let lines =
        ControlLines { dtr: Some(false), rts: Some(false), send_break: Some(Duration::from_millis(5)) };
    assert!(line.set_lines(lines).await.unwrap());
    port.write_all(b"still here").await.unwrap();
    assert_eq!(heard(&mut port, 10).await, b"still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_ends_also_when_nobody_waits_for_it_any_more() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("url: 'rfc2217://{}'", listener.local_addr().unwrap());
    // Says yes to everything it is asked for (RFC 2217: an answer has the code of the question plus 100).
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut told = Vec::new();
        let mut answered = 0;
        // IAC SB COM-PORT-OPTION SET-CONTROL BREAK-OFF IAC SE
        let off = [255, 250, 44, 5, 6, 255, 240];
        while !told.windows(off.len()).any(|it| it == off) {
            assert!(stream.read_buf(&mut told).await.unwrap() > 0, "it went away: {told:?}");
            answered += answer(&mut stream, &told[answered..]).await;
        }
        told
    });
    let line = line(&url);
    let mut port = line.open().await.unwrap();
    // Commands go out beside the data, so a reader has to be at the line.
    let reader = tokio::spawn(async move { port.read(&mut [0]).await });
    let lines = ControlLines { send_break: Some(Duration::from_secs(5)), ..ControlLines::default() };
    let waiting = tokio::time::timeout(Duration::from_millis(50), line.set_lines(lines));
    waiting.await.unwrap_err();
    let told = tokio::time::timeout(super::PATIENCE, server).await.unwrap().unwrap();
    assert!(told.windows(5).any(|it| it == [250, 44, 5, 5, 255]), "it began: {told:?}");
    reader.abort();
}

/// Answers the telnet commands in `told` that are whole; how many bytes those were.
async fn answer(stream: &mut TcpStream, told: &[u8]) -> usize {
    let mut done = 0;
    while let [255, verb, option, ..] = told[done..] {
        let length = match verb {
            250 => match told[done..].windows(2).position(|it| it == [255, 240]) {
                Some(end) => end + 2,
                None => break,
            },
            _ => 3,
        };
        let command = &told[done..done + length];
        let reply = match verb {
            251 => vec![255, 253, option], // WILL: DO
            253 => vec![255, 251, option], // DO: WILL
            250 => [&command[..3], &[command[3] + 100], &command[4..]].concat(),
            _ => Vec::new(),
        };
        stream.write_all(&reply).await.unwrap();
        done += length;
    }
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_rfc2217_port() {
    let (_board, path) = pty();
    let Some(server) = Ser2net::start(&path).await else { return };
    let first = open(&server.url()).await.unwrap();
    let error = refusal(&server.url()).await;
    let text = error.to_string();
    assert!(text.starts_with("cannot connect to `rfc2217://") && error.is_retryable(), "{text}");
    assert_eq!(testing::errors(&error), [""; 0]);
    drop(first);
    // A server frees its port an instant after its client has gone.
    for _ in 0..10 {
        drop(open(&server.url()).await.unwrap());
    }
}

/// A server that answers with these bytes, whatever it is asked.
async fn server(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(answer).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await
    });
    format!("rfc2217://{address}")
}

#[tokio::test]
async fn a_server_that_speaks_something_else_is_told() {
    for (answer, expected) in [
        (&b"220 smtp.example ESMTP\r\n"[..], "does not speak RFC 2217: it hung up"),
        (&[255, 254, 44], "does not speak RFC 2217: it refuses COM-PORT-OPTION"),
        (
            &[255, 253, 44, 255, 250, 44, 101, 0, 0, 0x25, 0x80, 255, 240],
            "does not take 115200 baud, it runs at 9600 baud",
        ),
        (
            &[255, 253, 44, 255, 250, 44, 101, 0, 1, 0xc2, 0, 255, 240, 255, 250, 44, 102, 7, 255, 240],
            "does not take 8 data bits",
        ),
    ] {
        let url = server(answer).await;
        let error = refusal(&format!("url: '{url}'")).await;
        assert_eq!(error.to_string(), format!("`{url}` {expected}"));
        assert_eq!((testing::errors(&error), error.is_retryable()), (vec![], false));
    }
}
