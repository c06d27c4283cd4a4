//! Files that clients send: what was announced arrives whole and once, and nothing else is taken.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use driver_tftp::{AnnouncedUploads, Settings};
use flasher_core::Upload;
use flasher_core::driver::UploadSink;

use crate::peer::{LONG, PacketFate, SimulatedClient, TestServer, ack, data, pattern, relay, request};

/// What came, and whether it was whole.
#[derive(Clone, Default)]
struct Taken(Arc<Mutex<(Vec<u8>, bool)>>);

impl Taken {
    /// Takes one file of at most `limit` bytes.
    fn upload(&self, limit: u64) -> Upload {
        let (taken, is_open) = (self.clone(), Mutex::new(true));
        Upload::new(limit, move || {
            std::mem::take(&mut *is_open.lock().unwrap()).then(|| taken.clone().sink())
        })
    }

    fn sink(self) -> UploadSink {
        let whole = Arc::clone(&self.0);
        let sink = futures_util::sink::unfold(self.0, |taken, bytes: bytes::Bytes| async move {
            taken.lock().unwrap().0.extend_from_slice(&bytes);
            Ok::<_, std::io::Error>(taken)
        });
        Box::pin(Closing { sink: Box::pin(sink), whole })
    }

    fn now(&self) -> (Vec<u8>, bool) {
        self.0.lock().unwrap().clone()
    }
}

/// Notes that the file is whole.
struct Closing {
    sink: UploadSink,
    whole: Arc<Mutex<(Vec<u8>, bool)>>,
}

type Polled = std::task::Poll<std::io::Result<()>>;
type Context<'a, 'b> = &'a mut std::task::Context<'b>;

impl futures_util::Sink<bytes::Bytes> for Closing {
    type Error = std::io::Error;
    fn poll_ready(mut self: std::pin::Pin<&mut Self>, context: Context<'_, '_>) -> Polled {
        self.sink.as_mut().poll_ready(context)
    }
    fn start_send(mut self: std::pin::Pin<&mut Self>, item: bytes::Bytes) -> std::io::Result<()> {
        self.sink.as_mut().start_send(item)
    }
    fn poll_flush(mut self: std::pin::Pin<&mut Self>, context: Context<'_, '_>) -> Polled {
        self.sink.as_mut().poll_flush(context)
    }
    fn poll_close(mut self: std::pin::Pin<&mut Self>, context: Context<'_, '_>) -> Polled {
        self.whole.lock().unwrap().1 = true;
        self.sink.as_mut().poll_close(context)
    }
}

async fn server(uploads: &AnnouncedUploads) -> TestServer {
    TestServer::with(Settings { uploads: uploads.clone(), ..Settings::default() }).await
}

/// Sends a file as U-Boot's `tftpput` does (net/tftp.c): one block at a time, again after a time without an answer, and done with
/// whatever acknowledgement comes after the last block. Gives the ERROR of the server.
async fn put(
    server: std::net::SocketAddr,
    name: &[u8],
    options: &[(&str, &str)],
    content: &[u8],
) -> Result<(), String> {
    let asking = request(2, name, "octet", options);
    let mut client = SimulatedClient::ask(server, &asking).await;
    let (mut block, mut size, mut last_sent) = (0_u64, 512, false);
    let mut sent = asking.clone();
    for _ in 0..400_000 {
        let Some(packet) = client.hear(Duration::from_millis(100)).await else {
            match client.peer {
                Some(_) => client.send(&sent).await,
                None => drop(client.socket.send_to(&asking, server).await.unwrap()),
            }
            continue;
        };
        let number = u16::from_be_bytes([packet[2], packet[3]]);
        match packet[1] {
            5 => return Err(String::from_utf8_lossy(&packet[4..packet.len() - 1]).into_owned()),
            4 if last_sent => return Ok(()),
            4 if number == block as u16 => block += 1,
            6 => {
                let text = String::from_utf8_lossy(&packet[2..]).into_owned();
                let mut words = text.split('\0').skip_while(|word| *word != "blksize");
                size = words.nth(1).map_or(size, |word| word.parse().unwrap());
                block += 1;
            }
            _ => continue,
        }
        let from = ((block - 1) as usize * size).min(content.len());
        let payload = &content[from..(from + size).min(content.len())];
        last_sent = payload.len() < size;
        sent = data(block, payload);
        client.send(&sent).await;
    }
    panic!("it never ends")
}

#[tokio::test]
async fn what_was_announced_arrives_whole() {
    let uploads = AnnouncedUploads::default();
    let stage = server(&uploads).await;
    for length in [0, 1, 511, 512, 513, 1468, 100_000, 512 * 65_600 + 3] {
        let (taken, content) = (Taken::default(), pattern(length));
        uploads.accept("job/part", taken.upload(length as u64)).unwrap();
        let options: &[_] = if length < 1_000_000 { &[("timeout", "1"), ("blksize", "1468")] } else { &[] };
        assert_eq!(put(stage.server.address(), b"/job/part", options, &content).await, Ok(()));
        let (found, is_whole) = taken.now();
        assert!(found == content && is_whole, "{length}: {} bytes", found.len());
    }
    assert!(stage.outcomes(8).await.iter().all(Result::is_ok));
    assert_eq!(
        std::fs::read_dir(stage.folder.path().join("root")).unwrap().count(),
        1,
        "nothing was put there"
    );
}

#[tokio::test]
async fn what_is_lost_or_doubled_is_sent_again() {
    for fate in [PacketFate::Drop, PacketFate::Twice, PacketFate::Late] {
        for towards_client in [true, false] {
            let uploads = AnnouncedUploads::default();
            let stage = server(&uploads).await;
            let (taken, content) = (Taken::default(), pattern(20_000));
            uploads.accept("part", taken.upload(20_000)).unwrap();
            // Not the last block: a client stops listening as soon as any acknowledgement comes.
            let bad = move |to_client, number: u64| {
                let hit = to_client == towards_client && number % 5 == 1 && number < 12;
                if hit { fate } else { PacketFate::Pass }
            };
            let address = relay(stage.server.address(), bad).await;
            assert_eq!(put(address, b"part", &[("blksize", "1000")], &content).await, Ok(()));
            assert!(taken.now() == (content, true), "{fate:?} {towards_client}");
        }
    }
}

/// What comes of a request to send.
struct Case {
    name: &'static [u8],
    mode: &'static str,
    options: &'static [(&'static str, &'static str)],
    /// Code and text of the ERROR.
    refused: (u8, &'static str),
}

#[tokio::test]
async fn nothing_else_is_taken() {
    let uploads = AnnouncedUploads::default();
    let stage = server(&uploads).await;
    uploads.accept("job/part", Taken::default().upload(1000)).unwrap();
    let none = (2, "this server takes no such file");
    let case = |name, refused| Case { name, mode: "octet", options: &[], refused };
    for Case { name, mode, options, refused } in [
        case(b"job/par", none),
        case(b"job/part/", none),
        case(b"job/../job/part", none),
        case(b"../job/part", none),
        case(b"job", none),
        Case { mode: "netascii", ..case(b"job/part", (4, "unsupported mode for sending, expected octet")) },
        Case { options: &[("tsize", "1001")], ..case(b"job/part", (3, "at most 1000 bytes are expected")) },
        Case {
            options: &[("blksize", "9"), ("blksize", "9")],
            ..case(b"job/part", (8, "option blksize given twice"))
        },
    ] {
        let asking = request(2, name, mode, options);
        let answer = SimulatedClient::ask(stage.server.address(), &asking).await.hear(LONG).await.unwrap();
        let text = std::str::from_utf8(&answer[4..answer.len() - 1]).unwrap();
        assert_eq!((answer[1], answer[3], text), (5, refused.0, refused.1));
    }
}

#[tokio::test]
async fn a_file_is_taken_once_and_no_longer_than_it_may_be() {
    let uploads = AnnouncedUploads::default();
    let stage = server(&uploads).await;
    let address = stage.server.address();
    let taken = Taken::default();
    uploads.accept("part", taken.upload(1000)).unwrap();
    assert_eq!(
        put(address, b"part", &[], &pattern(1001)).await,
        Err("at most 1000 bytes are expected".to_owned())
    );
    assert!(!taken.now().1, "it never was whole");
    assert_eq!(put(address, b"part", &[], &pattern(10)).await, Err("this file was sent already".to_owned()));
    let taken = Taken::default();
    uploads.accept("part", taken.upload(1000)).unwrap();
    let mut client = SimulatedClient::ask(address, &request(2, b"part", "octet", &[])).await;
    assert_eq!(client.hear(LONG).await.unwrap(), ack(0));
    client.send(&data(1, &[7; 512])).await;
    assert_eq!(client.hear(LONG).await.unwrap(), ack(1));
    // A block that is ahead shows that one is missing for good.
    client.send(&data(3, &[7; 512])).await;
    assert_eq!(client.hear(LONG).await.unwrap(), b"\0\x05\0\0a block is missing\0");
    assert_eq!(taken.now(), (vec![7; 512], false));
    uploads.accept("part", Taken::default().upload(1000)).unwrap();
    let mut client = SimulatedClient::ask(address, &request(2, b"part", "octet", &[])).await;
    client.hear(LONG).await.unwrap();
    uploads.withdraw("part");
    assert_eq!(client.hear(LONG).await.unwrap(), b"\0\x05\0\0this file is not wanted any more\0");
}
