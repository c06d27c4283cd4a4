//! The server as a service: starting and stopping, many clients at a time, what is reported.

use std::path::Path;

use driver_tftp::{Config, Server, Tftp};
use flasher_core::{
    Class, Driver as _, DriverType as _, FileServer as _, TransferLog, TransferState, Wiring,
};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::PATIENT;
use crate::peer::{LONG, PacketFate, SimulatedClient, TestServer, fetch, pattern, request};

#[tokio::test]
async fn it_keeps_the_promises_of_a_file_server() {
    let stage = TestServer::new().await;
    let port = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let make = || {
        let config = serde_json::json!({"root_dir": stage.folder.path(), "host": "127.0.0.1", "port": port});
        Tftp::build(serde_json::from_value(config).unwrap(), Wiring::default()).unwrap()
    };
    assert_eq!(flasher_core::testing::file_server(&make).await, [""; 0]);
}

#[tokio::test]
async fn a_hundred_boards_at_two_addresses_are_served_at_a_time() {
    let stage = TestServer::new().await;
    stage.write("file", pattern(200_000));
    let address = stage.server.address();
    let options = [("blksize", "1468"), ("windowsize", "4")];
    let sources = ["127.0.0.2", "127.0.0.3"];
    let fetches = (0..100).map(|count| fetch_from(sources[count % 2], address, &options));
    for bytes in futures(fetches).await {
        assert!(bytes == pattern(200_000));
    }
}

/// A relay bound to `source` makes the client appear to come from there.
async fn fetch_from(source: &str, server: std::net::SocketAddr, options: &[(&str, &str)]) -> Vec<u8> {
    let socket = UdpSocket::bind((source, 0)).await.unwrap();
    let via = crate::peer::relay_from(socket, server, |_, _| PacketFate::Pass).await;
    fetch(via, "file", "octet", options, PATIENT).await.unwrap().bytes
}

async fn futures<F: Future<Output = Vec<u8>>>(all: impl Iterator<Item = F>) -> Vec<Vec<u8>> {
    let mut pending: Vec<_> = all.map(Box::pin).collect();
    let mut ready = Vec::new();
    std::future::poll_fn(|context| {
        pending.retain_mut(|one| match one.as_mut().poll(context) {
            std::task::Poll::Ready(bytes) => {
                ready.push(bytes);
                false
            }
            std::task::Poll::Pending => true,
        });
        if pending.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    ready
}

#[tokio::test]
async fn transfers_are_reported_with_what_was_agreed() {
    let stage = TestServer::new().await;
    stage.write("kernel\u{7}img", pattern(1000));
    let options = [("blksize", "100"), ("windowsize", "8"), ("timeout", "1")];
    let name = "kernel\u{7}img";
    let fetched = fetch(stage.server.address(), name, "octet", &options, PATIENT).await.unwrap();
    assert!(!fetched.options.contains_key("timeout"), "the timer stays the server's");
    stage.outcomes(1).await;
    let seen = stage.seen.lock().unwrap();
    assert!(seen.iter().all(|transfer| transfer.protocol == "tftp" && transfer.file == "kernel\u{fffd}img"));
    assert_eq!(
        seen[0].state,
        TransferState::Begun { length: Some(1000), options: "blksize 100, windowsize 8".into() }
    );
    assert!(matches!(seen[1].state, TransferState::Done { bytes: 1000, seconds, .. } if seconds > 0.0));
}

#[tokio::test]
async fn stopping_tells_clients_and_frees_the_port() {
    let stage = TestServer::new().await;
    stage.write("file", pattern(5000));
    let address = stage.server.address();
    let mut client = SimulatedClient::ask(address, &request(1, b"file", "octet", &[])).await;
    client.hear(LONG).await.unwrap();
    timeout(LONG, stage.server.stop()).await.expect("stop ends");
    assert_eq!(client.hear(LONG).await.unwrap(), b"\0\x05\0\0the server stopped\0");
    Server::bind(address, stage.folder.path(), TransferLog::default()).await.expect("the port is free");
    let last = stage.seen.lock().unwrap().last().unwrap().state.clone();
    assert_eq!(
        last,
        TransferState::Failed { bytes: 0, reason: "the server stopped; no block was acknowledged".into() }
    );
}

fn driver(root: &Path, host: &str, port: u16) -> Tftp {
    Tftp::new(Config { root_dir: root.into(), host: Some(host.into()), port, ..Config::default() }).unwrap()
}

#[tokio::test]
async fn the_driver_starts_restarts_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    for host in ["localhost", "", "::1"] {
        let tftp = driver(&folder.path().join("made/on/start"), host, 0);
        assert_eq!(tftp.address(), None);
        tftp.stop().await.unwrap();
        let Ok(first) = tftp.start(TransferLog::default()).await else {
            assert_eq!(host, "::1", "only IPv6 may be missing");
            continue;
        };
        let second = tftp.start(TransferLog::default()).await.unwrap();
        assert!(first.port() != 0 && tftp.address() == Some(second), "{host}");
        assert_eq!(second.ip().is_unspecified(), host.is_empty());
        std::fs::write(tftp.root().join("file"), "x").unwrap();
        let ask = if host.is_empty() { ([127, 0, 0, 1], second.port()).into() } else { second };
        assert_eq!(fetch(ask, "file", "octet", &[], PATIENT).await.unwrap().bytes, b"x");
        tftp.close().await.unwrap();
        tftp.close().await.unwrap();
        assert_eq!(tftp.address(), None);
    }
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
    for (tftp, text) in cases {
        let error = tftp.start(TransferLog::default()).await.unwrap_err();
        assert!(error.to_string().contains(text), "{error:?}");
        assert!(error.class() == Class::Infrastructure && error.next_step().is_some(), "{error:?}");
    }
}
