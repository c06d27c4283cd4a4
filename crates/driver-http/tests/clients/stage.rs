//! A server with a folder, and clients for it: raw ones, and curl and wget where they are installed.

use std::io;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use driver_http::{Server, Site};
use flasher_core::{Transfer, TransferLog, TransferState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) struct ServerStage {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) site: Site,
    pub(crate) server: Server,
    pub(crate) seen: Arc<Mutex<Vec<Transfer>>>,
}

impl ServerStage {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        let site = Site::new(root);
        let (log, seen) = record();
        let server = Server::bind(([127, 0, 0, 1], 0).into(), site.clone(), log).await.unwrap();
        Self { folder, site, server, seen }
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.site.root().join(name), bytes).unwrap();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.server.address())
    }

    /// One request on a connection of its own; gives the status line and header, and the body.
    pub(crate) async fn ask(&self, method: &str, path: &str, fields: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.server.address()).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{fields}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(LONG, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a header") + 4;
        (String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase(), answer[end..].to_vec())
    }

    /// How the transfers ended, once `count` of them have: `Ok(bytes)` or `Err(reason)`.
    pub(crate) async fn outcomes(&self, count: usize) -> Vec<Result<u64, String>> {
        let ended = async {
            loop {
                let outcomes: Vec<_> = self.seen.lock().unwrap().iter().filter_map(outcome).collect();
                if outcomes.len() >= count {
                    return outcomes;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, ended).await.expect("the transfers end")
    }
}

pub(crate) fn record() -> (TransferLog, Arc<Mutex<Vec<Transfer>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    (TransferLog::new(move |transfer| sink.lock().unwrap().push(transfer)), seen)
}

pub(crate) fn outcome(transfer: &Transfer) -> Option<Result<u64, String>> {
    match &transfer.state {
        TransferState::Begun { .. } => None,
        TransferState::Done { bytes, .. } => Some(Ok(*bytes)),
        TransferState::Failed { reason, .. } => Some(Err(reason.clone())),
        state => panic!("{state:?} is not one of HTTP"),
    }
}

pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(31) ^ (at >> 8)) as u8).collect()
}

pub(crate) async fn run(tool: &str, arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new(tool);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    match timeout(LONG, command.output()).await.expect("the tool ends") {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("skipped: {tool} is not installed");
            None
        }
        Err(error) => panic!("{tool}: {error}"),
    }
}

pub(crate) async fn curl(url: &str, more: &[&str]) -> Option<Output> {
    run("curl", &[&["-sS", "--noproxy", "*", "--path-as-is", "--max-time", "25", url], more].concat()).await
}

pub(crate) async fn wget(url: &str, more: &[&str]) -> Option<Output> {
    run("wget", &[&["-q", "--no-proxy", "--tries=1", "-O", "-", url], more].concat()).await
}
