//! A small TFTP server of the tests' own: RFC 1350 with blksize and windowsize, any number of transfers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Waits for an acknowledgement, and sends a window so often.
const WAIT: Duration = Duration::from_millis(100);
const TRIES: usize = 50;

/// Serves a few files from memory until dropped.
pub(crate) struct TestServer {
    port: u16,
    task: JoinHandle<()>,
}

impl TestServer {
    pub(crate) async fn start<const N: usize>(files: [(&str, Vec<u8>); N]) -> Self {
        let files: HashMap<String, Vec<u8>> = files.map(|(name, bytes)| (name.to_owned(), bytes)).into();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let files = Arc::new(files);
        let task = tokio::spawn(async move {
            let mut packet = [0; 1024];
            loop {
                let (length, client) = socket.recv_from(&mut packet).await.unwrap();
                tokio::spawn(serve(packet[..length].to_vec(), client, Arc::clone(&files)));
            }
        });
        Self { port, task }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(request: Vec<u8>, client: SocketAddr, files: Arc<HashMap<String, Vec<u8>>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(client).await.unwrap();
    let words: Vec<String> = request[2..]
        .split(|&byte| byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    let Some(content) = files.get(&words[0]) else {
        socket.send(b"\0\x05\0\x01File not found\0").await.unwrap();
        return;
    };
    let option = |name: &str| {
        words.chunks(2).find(|pair| pair[0] == name).map(|pair| pair[1].parse::<usize>().unwrap())
    };
    let (size, window) = (option("blksize").unwrap_or(512), option("windowsize").unwrap_or(1));
    let mut accepted = format!("\0\x06blksize\0{size}\0");
    if window > 1 {
        accepted.push_str(&format!("windowsize\0{window}\0"));
    }
    let blocks = content.len() / size + 1;
    let mut acknowledged = send_until(&socket, &[accepted.into_bytes()], 0).await;
    while acknowledged < blocks {
        let until = blocks.min(acknowledged + window);
        let packets: Vec<Vec<u8>> =
            (acknowledged + 1..=until).map(|block| data(content, block, size)).collect();
        acknowledged = send_until(&socket, &packets, acknowledged).await;
    }
}

fn data(content: &[u8], block: usize, size: usize) -> Vec<u8> {
    let mut packet = vec![0, 3];
    packet.extend_from_slice(&(block as u16).to_be_bytes());
    packet.extend_from_slice(&content[(block - 1) * size..content.len().min(block * size)]);
    packet
}

/// Sends packets until one is acknowledged; gives the number of the last block that has arrived.
async fn send_until(socket: &UdpSocket, packets: &[Vec<u8>], before: usize) -> usize {
    let mut answer = [0; 512];
    for _ in 0..TRIES {
        for packet in packets {
            socket.send(packet).await.unwrap();
        }
        if let Ok(Ok(4)) = tokio::time::timeout(WAIT, socket.recv(&mut answer)).await {
            let block = u16::from_be_bytes([answer[2], answer[3]]);
            return before + usize::from(block.wrapping_sub(before as u16));
        }
    }
    panic!("the client has gone");
}
