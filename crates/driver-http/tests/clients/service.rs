//! The server as a service: starting and stopping, many clients, slow and vanished ones.

use std::net::SocketAddr;
use std::path::Path;

use driver_http::{Config, HttpServer, Server};
use flasher_core::{
    Class, Content, ContentServer as _, Driver as _, DriverType as _, FileServer as _, TransferLog, Wiring,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::content::pieces;
use crate::stage::{LONG, ServerStage, curl, outcome, pattern};

fn driver(root: &Path, host: &str, port: u16) -> HttpServer {
    HttpServer::new(Config { root_dir: root.into(), host: Some(host.into()), port, ..Config::default() })
}

#[tokio::test]
async fn it_keeps_the_promises_of_a_file_server() {
    let stage = ServerStage::new().await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    drop(taken);
    let make = || {
        let config = serde_json::json!({"root_dir": stage.folder.path(), "host": "127.0.0.1", "port": port});
        HttpServer::build(serde_json::from_value(config).unwrap(), Wiring::default()).unwrap()
    };
    assert_eq!(flasher_core::testing::file_server(&make).await, [""; 0]);
}

#[tokio::test]
async fn a_vanished_client_is_reported() {
    let stage = ServerStage::new().await;
    stage.write("big", pattern(64 << 20));
    let mut client = TcpStream::connect(stage.server.address()).await.unwrap();
    client.write_all(b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    client.readable().await.unwrap();
    drop(client);
    assert_eq!(stage.outcomes(1).await, [Err("the client closed the connection".to_owned())]);
}

#[tokio::test]
async fn a_slow_reader_holds_nobody_up() {
    let stage = ServerStage::new().await;
    stage.write("big", pattern(16 << 20));
    stage.write("small", pattern(1000));
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut client = TcpStream::connect(stage.server.address()).await.unwrap();
        client.write_all(b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        slow.push(client);
    }
    for _ in 0..20 {
        assert_eq!(stage.ask("GET", "/small", "").await.1, pattern(1000));
    }
}

/// A connection from another address of this machine.
async fn from(source: &str, server: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
    socket.connect(server).await.unwrap()
}

/// What a client at that address gets, before idle connections would be closed in any case.
async fn fetch_from(source: &str, server: SocketAddr) -> Vec<u8> {
    let fetched = async {
        let mut client = from(source, server).await;
        client.write_all(b"GET /small HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        answer
    };
    timeout(std::time::Duration::from_secs(12), fetched)
        .await
        .unwrap_or_else(|_| panic!("no answer for {source}"))
}

#[tokio::test]
async fn connections_without_a_request_keep_nobody_waiting() {
    let stage = ServerStage::new().await;
    stage.write("small", pattern(1000));
    let address = stage.server.address();
    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    // Another address, and the same: a connection that does nothing gives up its place.
    for source in ["127.0.0.2", "127.0.0.1"] {
        assert!(fetch_from(source, address).await.ends_with(&pattern(1000)), "{source}");
    }
}

#[tokio::test]
async fn many_slow_readers_of_one_address_lock_no_other_out() {
    let stage = ServerStage::new().await;
    stage.write("big", pattern(16 << 20));
    stage.write("small", pattern(1000));
    let address = stage.server.address();
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        slow.push(client);
    }
    assert!(fetch_from("127.0.0.2", address).await.ends_with(&pattern(1000)));
}

#[tokio::test]
async fn more_clients_than_connections_are_all_served_in_turn() {
    let stage = ServerStage::new().await;
    stage.write("file", pattern(300_000));
    let clients = (0..400).map(|_| stage.ask("GET", "/file", ""));
    for (header, body) in futures_util::future::join_all(clients).await {
        assert!(header.starts_with("http/1.1 200") && body == pattern(300_000), "{header}");
    }
    assert_eq!(stage.outcomes(400).await, vec![Ok(300_000); 400]);
}

#[tokio::test]
async fn stopping_ends_transfers_and_frees_the_port() {
    let stage = ServerStage::new().await;
    stage.site.publish("endless", pieces(usize::MAX)).unwrap();
    stage.write("file", "x");
    let address = stage.server.address();
    let mut stuck = TcpStream::connect(address).await.unwrap();
    stuck.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    stuck.readable().await.unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /file HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    idle.readable().await.unwrap();
    timeout(LONG, stage.server.stop()).await.expect("stop ends");
    let reasons: Vec<_> = stage.seen.lock().unwrap().iter().filter_map(outcome).collect();
    assert!(reasons.contains(&Err("the server stopped".to_owned())), "{reasons:?}");
    assert!(TcpStream::connect(address).await.is_err());
    Server::bind(address, stage.site.clone(), TransferLog::default()).await.expect("the port is free");
}

#[tokio::test]
async fn restarts_keep_published_content() {
    let folder = tempfile::tempdir().unwrap();
    let http = driver(&folder.path().join("made/on/start"), "localhost", 0);
    http.publish("script.sh", Content::bytes("echo hello")).unwrap();
    assert_eq!(http.address(), None);
    http.stop().await.unwrap();
    for _ in 0..2 {
        let address = http.start(TransferLog::default()).await.unwrap();
        assert!(http.address() == Some(address) && address.port() != 0);
        if let Some(output) = curl(&format!("http://{address}/script.sh"), &[]).await {
            assert_eq!(output.stdout, b"echo hello");
        }
    }
    assert!(http.root().is_dir());
    http.close().await.unwrap();
    http.close().await.unwrap();
    assert_eq!(http.address(), None);
}

#[tokio::test]
async fn without_a_host_every_address_is_bound() {
    let folder = tempfile::tempdir().unwrap();
    let http = driver(folder.path(), "", 0);
    let address = http.start(TransferLog::default()).await.unwrap();
    assert!(address.ip().is_unspecified());
    TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], address.port()))).await.unwrap();
}

#[tokio::test]
async fn a_bind_failure_is_an_error_now_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let first = driver(folder.path(), "127.0.0.1", 0);
    let port = first.start(TransferLog::default()).await.unwrap().port();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let cases = [
        (driver(folder.path(), "127.0.0.1", port), "the port is in use"),
        (driver(folder.path(), "192.0.2.1", 0), "this machine has no such address"),
        (driver(folder.path(), "no such host", 0), "cannot find the address of the host `no such host`"),
        (driver(&file, "127.0.0.1", 0), "cannot serve the folder"),
    ];
    for (http, text) in cases {
        let error = http.start(TransferLog::default()).await.unwrap_err();
        assert!(error.to_string().contains(text), "{error:?}");
        assert!(error.class() == Class::Infrastructure && error.next_step().is_some(), "{error:?}");
        assert_eq!(http.address(), None);
    }
}
