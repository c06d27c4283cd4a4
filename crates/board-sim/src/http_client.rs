//! An HTTP client as small as U-Boot's: one request, the whole answer, nothing else.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Most that is fetched, bytes.
const LARGEST: u64 = 256 << 20;
/// Time for a connection, and for the next piece.
const PATIENCE: Duration = Duration::from_secs(10);

/// Fetches `path` from `server` whole.
///
/// # Errors
/// When the server does not answer, answers with something else than 200, or the body is not as long as it says.
pub(crate) async fn fetch(server: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    let mut stream = timeout(PATIENCE, TcpStream::connect(server)).await.map_err(late)??;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut stream = stream.take(LARGEST);
    while timeout(PATIENCE, stream.read_buf(&mut answer)).await.map_err(late)?? > 0 {}
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let status = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
    if status != "200" {
        return Err(io::Error::other(format!("status {status}")));
    }
    let length: Option<usize> =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let body = answer.split_off(end + 4);
    match length {
        Some(length) if body.len() != length => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(body),
    }
}
