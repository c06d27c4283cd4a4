//! A TFTP client as the RFCs describe one, and a relay that loses, repeats and reorders.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use driver_tftp::{Server, Settings};
use flasher_core::{Transfer, TransferLog, TransferState};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout};

/// No test waits longer than this for anything.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A server over a temporary root, and what it reported.
pub(crate) struct TestServer {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) server: Server,
    pub(crate) seen: Arc<Mutex<Vec<Transfer>>>,
}

impl TestServer {
    pub(crate) async fn new() -> Self {
        Self::with(Settings { first_wait: Duration::from_millis(200), ..Settings::default() }).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("root/sub")).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let log = TransferLog::new(move |transfer| sink.lock().unwrap().push(transfer));
        let root = folder.path().join("root");
        let server = Server::bind_with(([127, 0, 0, 1], 0).into(), root, log, settings).await.unwrap();
        Self { folder, server, seen }
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join("root").join(name), bytes).unwrap();
    }

    /// How the transfers ended, once `count` of them have: `Ok((bytes, resends))` or `Err(reason)`.
    pub(crate) async fn outcomes(&self, count: usize) -> Vec<Result<(u64, u64), String>> {
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

fn outcome(transfer: &Transfer) -> Option<Result<(u64, u64), String>> {
    match &transfer.state {
        TransferState::Begun { .. } => None,
        TransferState::Done { bytes, resends, .. } => Some(Ok((*bytes, *resends))),
        TransferState::Unconfirmed { .. } => Some(Err("unconfirmed".to_owned())),
        TransferState::SizeAsked { length } => Some(Err(format!("size asked: {length}"))),
        TransferState::Failed { reason, .. } => Some(Err(reason.clone())),
    }
}

/// Bytes in which no two blocks are alike.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A request of this opcode.
pub(crate) fn request(opcode: u8, file: &[u8], mode: &str, options: &[(&str, &str)]) -> Vec<u8> {
    let mut packet = [&[0, opcode], file, b"\0", mode.as_bytes(), b"\0"].concat();
    for (name, value) in options {
        packet.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    packet
}

pub(crate) fn ack(number: u64) -> [u8; 4] {
    let [high, low] = (number as u16).to_be_bytes();
    [0, 4, high, low]
}

/// A block of a file that a client sends.
pub(crate) fn data(number: u64, payload: &[u8]) -> Vec<u8> {
    let [high, low] = (number as u16).to_be_bytes();
    [&[0, 3, high, low], payload].concat()
}

/// A client's socket, connected once the server answers.
pub(crate) struct SimulatedClient {
    pub(crate) socket: UdpSocket,
    pub(crate) peer: Option<SocketAddr>,
    buffer: Vec<u8>,
}

impl SimulatedClient {
    pub(crate) async fn ask(server: SocketAddr, packet: &[u8]) -> Self {
        let local = if server.is_ipv4() { "0.0.0.0" } else { "::" };
        Self::ask_from(local.parse().unwrap(), server, packet).await
    }

    pub(crate) async fn ask_from(local: IpAddr, server: SocketAddr, packet: &[u8]) -> Self {
        let socket = UdpSocket::bind((local, 0)).await.unwrap();
        socket.send_to(packet, server).await.unwrap();
        Self { socket, peer: None, buffer: vec![0; 66_000] }
    }

    pub(crate) async fn send(&self, packet: &[u8]) {
        self.socket.send_to(packet, self.peer.expect("an answer before")).await.unwrap();
    }

    /// The next packet, or none after `wait`.
    pub(crate) async fn hear(&mut self, wait: Duration) -> Option<Vec<u8>> {
        let (length, from) = timeout(wait, self.socket.recv_from(&mut self.buffer)).await.ok()?.unwrap();
        self.peer.get_or_insert(from);
        assert_eq!(self.peer, Some(from), "one transfer, one port");
        Some(self.buffer[..length].to_vec())
    }
}

/// What a fetch gave.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    pub(crate) bytes: Vec<u8>,
    pub(crate) options: HashMap<String, String>,
}

/// Fetches a file as U-Boot does: acknowledges whole windows, the last good block once when one is missing, and the last
/// good block again after `patience`.
///
/// # Errors
/// The ERROR of the server, or `TimedOut` after 20 waits without any block that was expected.
pub(crate) async fn fetch(
    server: SocketAddr,
    file: &str,
    mode: &str,
    options: &[(&str, &str)],
    patience: Duration,
) -> io::Result<Fetched> {
    let asking = request(1, file.as_bytes(), mode, options);
    let client = SimulatedClient::ask(server, &asking).await;
    receive(client, server, &asking, patience).await
}

/// [`fetch`], once the request is out.
///
/// # Errors
/// Those of [`fetch`].
pub(crate) async fn receive(
    mut client: SimulatedClient,
    server: SocketAddr,
    asking: &[u8],
    patience: Duration,
) -> io::Result<Fetched> {
    let mut fetched = Fetched::default();
    let (mut blksize, mut window) = (512, 1);
    let (mut good, mut due, mut complained) = (0_u64, 1_u64, None);
    let mut silence = 0;
    // As in U-Boot, only a block that was expected sets the timer anew.
    let mut until = Instant::now() + patience;
    loop {
        let Some(packet) = client.hear(until.saturating_duration_since(Instant::now())).await else {
            until = Instant::now() + patience;
            silence += 1;
            if silence == 20 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match client.peer {
                Some(_) => client.send(&ack(good)).await,
                None => drop(client.socket.send_to(asking, server).await.unwrap()),
            }
            due = good + window;
            continue;
        };
        match packet[1] {
            3 => {
                let number = u16::from_be_bytes([packet[2], packet[3]]);
                if number != (good as u16).wrapping_add(1) {
                    if complained != Some(good) {
                        complained = Some(good);
                        client.send(&ack(good)).await;
                        due = good + window;
                    }
                    continue;
                }
                good += 1;
                (silence, until) = (0, Instant::now() + patience);
                fetched.bytes.extend(&packet[4..]);
                let is_last = packet.len() - 4 < blksize;
                if is_last || good == due {
                    client.send(&ack(good)).await;
                    due = good + window;
                }
                if is_last {
                    linger(&mut client, good, patience).await;
                    return Ok(fetched);
                }
            }
            6 if good == 0 => {
                let mut texts =
                    packet[2..].split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text));
                while let (Some(name), Some(value)) =
                    (texts.next().filter(|name| !name.is_empty()), texts.next())
                {
                    fetched.options.insert(name.into_owned(), value.into_owned());
                }
                let number =
                    |name: &str| fetched.options.get(name).and_then(|value| value.parse::<usize>().ok());
                blksize = number("blksize").unwrap_or(512);
                window = number("windowsize").unwrap_or(1) as u64;
                due = window;
                (silence, until) = (0, Instant::now() + patience);
                client.send(&ack(0)).await;
            }
            5 => {
                return Err(io::Error::other(
                    String::from_utf8_lossy(&packet[3..packet.len() - 1]).into_owned(),
                ));
            }
            _ => {}
        }
    }
}

/// Acknowledges the last block again as long as the server repeats it.
async fn linger(client: &mut SimulatedClient, last: u64, patience: Duration) {
    if patience < Duration::from_secs(5) {
        while client.hear(patience * 3).await.is_some() {
            client.send(&ack(last)).await;
        }
    }
}

/// What a relay does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketFate {
    Pass,
    Drop,
    Twice,
    /// After the packet that follows in the same direction.
    Late,
    /// After so many milliseconds, whatever goes before.
    Slow(u64),
}

/// Relays one client to `server`. `fate` decides by direction (true: towards the client) and count from 0.
pub(crate) async fn relay(
    server: SocketAddr,
    fate: impl FnMut(bool, u64) -> PacketFate + Send + 'static,
) -> SocketAddr {
    relay_from(UdpSocket::bind("127.0.0.1:0").await.unwrap(), server, fate).await
}

/// [`relay`], with the socket that faces the server.
pub(crate) async fn relay_from(
    back: UdpSocket,
    server: SocketAddr,
    mut fate: impl FnMut(bool, u64) -> PacketFate + Send + 'static,
) -> SocketAddr {
    let (front, back) = (Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap()), Arc::new(back));
    let address = front.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut client, mut transfer) = (None, server);
        let (mut from_client, mut from_server) = (vec![0; 66_000], vec![0; 66_000]);
        let mut counts = [0_u64; 2];
        let mut late: [Option<Vec<u8>>; 2] = [None, None];
        loop {
            let (packet, to_client) = tokio::select! {
                Ok((length, peer)) = front.recv_from(&mut from_client) => {
                    client = Some(peer);
                    (from_client[..length].to_vec(), false)
                }
                Ok((length, peer)) = back.recv_from(&mut from_server) => {
                    transfer = peer;
                    (from_server[..length].to_vec(), true)
                }
            };
            let side = usize::from(to_client);
            let fate = fate(to_client, counts[side]);
            counts[side] += 1;
            let mut out = match fate {
                PacketFate::Pass => vec![packet],
                PacketFate::Drop => vec![],
                PacketFate::Twice => vec![packet.clone(), packet],
                PacketFate::Late => late[side].replace(packet).into_iter().collect(),
                PacketFate::Slow(milliseconds) => {
                    let (socket, to) = match (to_client, client) {
                        (true, Some(client)) => (Arc::clone(&front), client),
                        _ => (Arc::clone(&back), transfer),
                    };
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                        drop(socket.send_to(&packet, to).await);
                    });
                    vec![]
                }
            };
            if fate != PacketFate::Late {
                out.extend(late[side].take());
            }
            for packet in out {
                let sent = match (to_client, client) {
                    (true, Some(client)) => front.send_to(&packet, client).await,
                    _ => back.send_to(&packet, transfer).await,
                };
                drop(sent);
            }
        }
    });
    address
}
