//! A small HTTP server whose every byte a test decides.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// What the server sends for one request.
#[derive(Clone)]
pub(crate) struct Reply {
    bytes: Vec<u8>,
    /// Keep the connection open, silently, until the client goes.
    hold: bool,
    /// Send the body byte by byte, with pauses.
    drip: bool,
}

impl Reply {
    /// Exactly these bytes, then the end of the connection.
    pub(crate) fn exact(bytes: impl AsRef<[u8]>) -> Reply {
        Reply { bytes: bytes.as_ref().to_vec(), hold: false, drip: false }
    }

    /// Header lines and a body.
    pub(crate) fn new(head: &str, body: &[u8]) -> Reply {
        Reply::exact([format!("{head}\r\n\r\n").as_bytes(), body].concat())
    }

    /// Status 200 with a length.
    pub(crate) fn ok(body: &[u8]) -> Reply {
        Reply::new(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}", body.len()), body)
    }

    /// A status without a body.
    pub(crate) fn status(status: u16) -> Reply {
        Reply::new(&format!("HTTP/1.1 {status} x\r\nContent-Length: 0"), b"")
    }

    /// A redirect.
    pub(crate) fn redirect(to: &str) -> Reply {
        Reply::new(&format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0"), b"")
    }

    /// The same, but silence instead of the end.
    pub(crate) fn held(self) -> Reply {
        Reply { hold: true, ..self }
    }

    /// The same, but its last bytes one by one, so slowly that it never ends.
    pub(crate) fn dripping(self) -> Reply {
        Reply { drip: true, ..self }
    }
}

/// A server on a port of its own, until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    gone: Arc<Mutex<u32>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Answers each request, whose head is given with its number from 0 on. Those for a block map beside an image are
    /// neither given nor counted: there is none.
    pub(crate) async fn start(answer: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Server {
        Self::serve(answer, false).await
    }

    /// The same, but requests for block maps are given and counted too.
    pub(crate) async fn with_maps(answer: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Server {
        Self::serve(answer, true).await
    }

    async fn serve(answer: impl Fn(usize, &str) -> Reply + Send + Sync + 'static, maps: bool) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, gone) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let (log, left, answer) = (requests.clone(), gone.clone(), Arc::new(answer));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, left, answer) = (log.clone(), left.clone(), answer.clone());
                tokio::spawn(async move {
                    converse(stream, &log, answer.as_ref(), maps).await;
                    *left.lock().unwrap() += 1;
                });
            }
        });
        Server { address, requests, gone, task }
    }

    /// A URL of this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The heads of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// How many connections have ended.
    pub(crate) fn gone(&self) -> u32 {
        *self.gone.lock().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads one request, answers it and, if asked to, waits for the client to go.
pub(crate) async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    log: &Mutex<Vec<String>>,
    answer: &(impl Fn(usize, &str) -> Reply + ?Sized),
    maps: bool,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    if !maps && head.lines().next().is_some_and(|line| line.contains(".bmap ")) {
        return drop(stream.write_all(&Reply::status(404).bytes).await);
    }
    let number = log.lock().unwrap().len();
    log.lock().unwrap().push(head.clone());
    let reply = answer(number, &head);
    if reply.drip {
        return drip(stream, &reply.bytes).await;
    }
    // The client may leave in the middle: it does so after the head of an image.
    if stream.write_all(&reply.bytes).await.is_ok() && reply.hold {
        let _ = stream.read_u8().await;
    }
    let _ = stream.shutdown().await;
}

async fn drip(mut stream: impl AsyncWrite + Unpin, bytes: &[u8]) {
    let head = bytes.len().saturating_sub(100_000);
    let mut sent = stream.write_all(&bytes[..head]).await;
    for byte in &bytes[head..] {
        if sent.is_err() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        sent = stream.write_all(&[*byte]).await;
    }
}
