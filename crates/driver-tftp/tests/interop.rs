//! Others' client library, crowds and hostile senders against the server, over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // helpers of tests
#![allow(dead_code, reason = "the peer is shared with other tests")]

mod peer;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use driver_tftp::Settings;
use peer::{LONG, PacketFate, SimulatedClient, TestServer, fetch, pattern, receive, relay, request};
use tftpd::{ClientConfig, Mode};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Fetches with the client of rs-tftpd into `folder`.
async fn fetch_with_rs_tftpd(
    server: SocketAddr,
    file: &str,
    folder: &Path,
    block: u16,
    window: u16,
) -> Vec<u8> {
    let mut config = ClientConfig {
        remote_ip_address: server.ip(),
        port: server.port(),
        mode: Mode::Download,
        receive_directory: folder.into(),
        file_path: file.into(),
        ..ClientConfig::default()
    };
    config.opt_common.block_size = block;
    config.opt_common.window_size = window;
    config.opt_common.timeout = Duration::from_secs(1);
    let fetching = tokio::task::spawn_blocking(move || {
        tftpd::Client::new(&config).unwrap().run().map_err(|error| error.to_string())
    });
    let outcome = timeout(LONG, fetching).await.expect("the client ends").unwrap();
    assert_eq!(outcome, Ok(true), "{file} {block}/{window}");
    std::fs::read(folder.join(file)).unwrap()
}

#[tokio::test]
async fn the_client_of_rs_tftpd_fetches_files() {
    let stage = TestServer::new().await;
    for (file, length) in [("one", 1), ("full", 1024), ("long", 700_001)] {
        stage.write(file, pattern(length));
        for (block, window) in [(512, 1), (1468, 1), (1468, 16), (8192, 8)] {
            let folder = tempfile::tempdir().unwrap();
            let address = stage.server.address();
            let got = fetch_with_rs_tftpd(address, file, folder.path(), block, window).await;
            assert!(got == pattern(length), "{file} {block}/{window}: {} B", got.len());
        }
    }
    let outcomes = stage.outcomes(12).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

#[tokio::test]
async fn the_client_of_rs_tftpd_fetches_over_a_network_that_loses() {
    let stage = TestServer::new().await;
    stage.write("file", pattern(200_000));
    let mut count = 0;
    let lossy = move |_, _| {
        count += 1;
        if count % 23 == 0 { PacketFate::Drop } else { PacketFate::Pass }
    };
    let address = relay(stage.server.address(), lossy).await;
    let folder = tempfile::tempdir().unwrap();
    let got = fetch_with_rs_tftpd(address, "file", folder.path(), 1468, 8).await;
    assert!(got == pattern(200_000));
}

#[tokio::test]
async fn two_hundred_boards_are_served_at_a_time() {
    let stage = TestServer::new().await;
    let bytes = pattern(300_000);
    stage.write("file", &bytes);
    let server = stage.server.address();
    let asking = request(1, b"file", "octet", &[("blksize", "1468"), ("windowsize", "16")]);
    let mut boards = tokio::task::JoinSet::new();
    // All have asked, and been answered, before any goes on.
    let together = std::sync::Arc::new(tokio::sync::Barrier::new(200));
    for board in 0..200 {
        let (asking, bytes, together) = (asking.clone(), bytes.clone(), std::sync::Arc::clone(&together));
        let from = IpAddr::from(Ipv4Addr::new(127, 0, 1, 1 + board % 8));
        boards.spawn(async move {
            let client = SimulatedClient::ask_from(from, server, &asking).await;
            client.socket.readable().await.unwrap();
            together.wait().await;
            let fetched = receive(client, server, &asking, Duration::from_secs(5)).await.unwrap();
            assert!(fetched.bytes == bytes, "board {board}");
        });
    }
    boards.join_all().await;
    let outcomes = stage.outcomes(200).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok((300_000, _)))), "{outcomes:?}");
}

/// Bytes of a generator that is the same each time.
struct PseudoRandomBytes(u64);

impl PseudoRandomBytes {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// Something between noise and a request that was damaged.
    fn datagram(&mut self) -> Vec<u8> {
        let mut packet = request(1, b"file", "octet", &[("blksize", "1468"), ("windowsize", "16")]);
        match self.next() % 4 {
            0 => return (0..self.next() % 700).map(|_| self.next() as u8).collect(),
            1 => packet.truncate((self.next() % 40) as usize),
            2 => packet[1] = self.next() as u8,
            _ => {}
        }
        for _ in 0..self.next() % 4 {
            let at = self.next() as usize % packet.len().max(1);
            if let Some(byte) = packet.get_mut(at) {
                *byte = self.next() as u8;
            }
        }
        packet
    }
}

#[tokio::test]
async fn a_flood_from_many_ports_keeps_nobody_else_from_being_served() {
    let settings = Settings { first_wait: Duration::from_millis(20), retries: 3, ..Settings::default() };
    let stage = TestServer::with(settings).await;
    stage.write("file", pattern(100_000));
    let server = stage.server.address();
    let honest = request(1, b"file", "octet", &[("blksize", "1468")]);
    let mut noise = PseudoRandomBytes(7);
    let mut sockets = Vec::new();
    for _ in 0..200 {
        sockets.push(UdpSocket::bind("127.0.0.9:0").await.unwrap());
    }
    for round in 0..4000 {
        let socket = &sockets[round % sockets.len()];
        socket.send_to(&noise.datagram(), server).await.unwrap();
        if round % 1000 == 999 {
            // From another address than the flood, which has used up its share.
            let client = SimulatedClient::ask_from(IpAddr::from([127, 0, 0, 2]), server, &honest).await;
            let fetched = receive(client, server, &honest, Duration::from_millis(300)).await.unwrap();
            assert!(fetched.bytes == pattern(100_000));
        }
    }
    // Those who asked and never answered are given up.
    let asked = |stage: &TestServer| {
        let seen = stage.seen.lock().unwrap();
        let begun =
            seen.iter().filter(|it| matches!(it.state, flasher_core::TransferState::Begun { .. })).count();
        (begun, seen.len())
    };
    let quiet = async {
        loop {
            let before = asked(&stage);
            tokio::time::sleep(Duration::from_millis(500)).await;
            if before == asked(&stage) {
                return;
            }
        }
    };
    timeout(LONG, quiet).await.expect("the server comes to rest");
    let client = SimulatedClient::ask_from(IpAddr::from([127, 0, 0, 9]), server, &honest).await;
    let fetched = receive(client, server, &honest, Duration::from_millis(300)).await.unwrap();
    assert!(fetched.bytes == pattern(100_000), "the flood's address has its share back");
    timeout(LONG, stage.server.stop()).await.expect("stop ends");
}

#[tokio::test]
async fn a_file_that_is_replaced_meanwhile_arrives_as_it_was() {
    let stage = TestServer::new().await;
    stage.write("kernel", pattern(2_000_000));
    let address = stage.server.address();
    let asking = request(1, b"kernel", "octet", &[("blksize", "1468"), ("windowsize", "4")]);
    let client = SimulatedClient::ask(address, &asking).await;
    client.socket.readable().await.unwrap();
    stage.write("next", vec![0; 2_000_000]);
    let root = stage.folder.path().join("root");
    std::fs::rename(root.join("next"), root.join("kernel")).unwrap();
    let fetched = receive(client, address, &asking, Duration::from_secs(5)).await.unwrap();
    assert!(fetched.bytes == pattern(2_000_000), "half of one file and half of another");
    let anew =
        fetch(address, "kernel", "octet", &[("blksize", "1468")], Duration::from_secs(5)).await.unwrap();
    assert!(anew.bytes == vec![0; 2_000_000]);
}

#[tokio::test]
async fn a_file_that_is_written_to_meanwhile_ends_with_an_error() {
    let stage = TestServer::new().await;
    stage.write("kernel", pattern(2_000_000));
    let kernel = std::fs::File::options().write(true).open(stage.folder.path().join("root/kernel")).unwrap();
    kernel.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let address = stage.server.address();
    let asking = request(1, b"kernel", "octet", &[("blksize", "1468"), ("windowsize", "4")]);
    let client = SimulatedClient::ask(address, &asking).await;
    client.socket.readable().await.unwrap();
    stage.write("kernel", vec![0; 2_000_000]);
    assert!(receive(client, address, &asking, Duration::from_secs(5)).await.is_err(), "as if it were whole");
    let outcome = stage.outcomes(1).await.remove(0);
    assert!(outcome.as_ref().is_err_and(|why| why.contains("the file changed")), "{outcome:?}");
}
