//! A TFTP client as U-Boot has one: RFC 1350 with the options of RFC 2348 (blksize), 2349 (timeout), 7440 (windowsize).

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::faults::Dice;

const RRQ: u16 = 1;
pub(crate) const WRQ: u16 = 2;
pub(crate) const DATA: u16 = 3;
pub(crate) const ACK: u16 = 4;
pub(crate) const ERROR: u16 = 5;
pub(crate) const OACK: u16 = 6;
/// Without the option blksize (RFC 1350).
const PLAIN_BLOCK: usize = 512;
/// The largest packet UDP carries.
const LARGEST: usize = 65_536;

/// What to fetch, and how.
#[derive(Clone, Debug)]
pub(crate) struct FetchRequest {
    pub(crate) server: SocketAddr,
    pub(crate) file: String,
    /// Bytes, 8 to 65464.
    pub(crate) block_size: u16,
    /// Blocks per acknowledgement; asked for when above 1.
    pub(crate) window: u16,
    /// Wait for a packet.
    pub(crate) patience: Duration,
    /// Timeouts over the whole file before giving up.
    pub(crate) timeouts: u32,
    /// Bytes the file may have.
    pub(crate) limit: usize,
    /// Percent of packets to lose.
    pub(crate) loss: u8,
    /// Percent of packets that come twice.
    pub(crate) duplicates: u8,
    /// Percent of packets that come after the next one.
    pub(crate) reorders: u8,
    /// What each packet takes on its way.
    pub(crate) delay: Duration,
    /// Blocks after which nothing more is received.
    pub(crate) stalls_after: Option<u64>,
}

/// What happens on the way, for U-Boot's progress signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProgressSign {
    Block,
    Timeout,
    Lost,
}

/// Why a file did not come.
#[derive(Debug)]
pub(crate) enum FetchFailure {
    /// The server's error packet.
    Refused(u16, String),
    /// Too many timeouts.
    TimedOut,
    /// The network does not know the server.
    Unreachable,
    /// The file is larger than the limit.
    TooLarge,
    /// The server answered against the protocol.
    Protocol(&'static str),
}

/// Fetches a file whole.
pub(crate) async fn fetch(
    request: &FetchRequest,
    dice: &mut Dice,
    mut sign: impl FnMut(ProgressSign),
) -> Result<Vec<u8>, FetchFailure> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.map_err(|_| FetchFailure::Unreachable)?;
    let mut transfer = Download::new(request);
    transfer.send(&socket).await.map_err(|_| FetchFailure::Unreachable)?;
    let mut packet = vec![0; LARGEST];
    let mut late: Option<Vec<u8>> = None;
    let mut timeouts = 0;
    while !transfer.done {
        let Ok(received) = timeout(request.patience, socket.recv_from(&mut packet)).await else {
            timeouts += 1;
            if timeouts > request.timeouts {
                return Err(FetchFailure::TimedOut);
            }
            sign(ProgressSign::Timeout);
            transfer.send(&socket).await.map_err(|_| FetchFailure::Unreachable)?;
            continue;
        };
        // An ICMP error for an earlier packet shows up here; the timeout deals with it.
        let Ok((length, from)) = received else { continue };
        let stalls = request.stalls_after.is_some_and(|blocks| transfer.content.len() as u64 >= blocks * 512);
        if stalls || dice.below(100) < u64::from(request.loss) {
            sign(ProgressSign::Lost);
            continue;
        }
        if !transfer.belongs(from) {
            continue;
        }
        let packet = &packet[..length];
        if late.is_none() && transfer.peer.is_some() && dice.below(100) < u64::from(request.reorders) {
            late = Some(packet.to_vec());
            continue;
        }
        let twice = usize::from(dice.below(100) < u64::from(request.duplicates));
        let behind = late.take();
        for packet in std::iter::repeat_n(packet, 1 + twice).chain(behind.as_deref()) {
            transfer.take(packet, from, &socket, &mut sign).await?;
        }
    }
    Ok(transfer.content)
}

/// A transfer under way.
struct Download<'r> {
    request: &'r FetchRequest,
    /// The server's port of this transfer, from its first answer on.
    peer: Option<SocketAddr>,
    block_size: usize,
    window: u16,
    /// The last block received in order.
    last: u16,
    /// Blocks since the last acknowledgement.
    unacknowledged: u16,
    /// A gap has been reported to the server.
    gap_reported: bool,
    content: Vec<u8>,
    done: bool,
}

impl<'r> Download<'r> {
    fn new(request: &'r FetchRequest) -> Self {
        Self {
            request,
            peer: None,
            block_size: PLAIN_BLOCK,
            window: 1,
            last: 0,
            unacknowledged: 0,
            gap_reported: false,
            content: Vec::new(),
            done: false,
        }
    }

    fn belongs(&self, from: SocketAddr) -> bool {
        self.peer.map_or(from.ip() == self.request.server.ip(), |peer| peer == from)
    }

    /// Sends (again) what the server is to answer: the request, or the acknowledgement of all that has come.
    async fn send(&mut self, socket: &UdpSocket) -> io::Result<()> {
        match self.peer {
            None => socket.send_to(&request_packet(RRQ, self.request), self.request.server).await?,
            Some(peer) => {
                tokio::time::sleep(self.request.delay).await;
                self.unacknowledged = 0;
                let [high, low] = self.last.to_be_bytes();
                socket.send_to(&[0, ACK as u8, high, low], peer).await?
            }
        };
        Ok(())
    }

    async fn take(
        &mut self,
        packet: &[u8],
        from: SocketAddr,
        socket: &UdpSocket,
        sign: &mut impl FnMut(ProgressSign),
    ) -> Result<(), FetchFailure> {
        let [kind_high, kind_low, a, b, rest @ ..] = packet else { return Ok(()) };
        match u16::from_be_bytes([*kind_high, *kind_low]) {
            ERROR => Err(FetchFailure::Refused(u16::from_be_bytes([*a, *b]), text(rest))),
            OACK if self.peer.is_none() => {
                self.peer = Some(from);
                self.agree(&packet[2..])?;
                self.send(socket).await.map_err(|_| FetchFailure::Unreachable)
            }
            // The acknowledgement of the options was lost.
            OACK if self.last == 0 => self.send(socket).await.map_err(|_| FetchFailure::Unreachable),
            DATA => {
                self.peer = Some(from);
                self.data(u16::from_be_bytes([*a, *b]), rest, socket, sign).await
            }
            _ => Ok(()),
        }
    }

    async fn data(
        &mut self,
        block: u16,
        data: &[u8],
        socket: &UdpSocket,
        sign: &mut impl FnMut(ProgressSign),
    ) -> Result<(), FetchFailure> {
        if block != self.last.wrapping_add(1) {
            // A gap is reported once; what came twice is ignored (RFC 7440, section 4).
            let ahead = block.wrapping_sub(self.last) < 0x8000 && block != self.last;
            if ahead && !self.gap_reported {
                self.gap_reported = true;
                self.send(socket).await.map_err(|_| FetchFailure::Unreachable)?;
            }
            return Ok(());
        }
        if self.content.len() + data.len() > self.request.limit {
            return Err(FetchFailure::TooLarge);
        }
        self.content.extend_from_slice(data);
        self.last = block;
        self.gap_reported = false;
        self.unacknowledged += 1;
        self.done = data.len() < self.block_size;
        sign(ProgressSign::Block);
        if self.done || self.unacknowledged >= self.window {
            self.send(socket).await.map_err(|_| FetchFailure::Unreachable)?;
        }
        Ok(())
    }

    /// Takes the options the server has accepted.
    fn agree(&mut self, options: &[u8]) -> Result<(), FetchFailure> {
        let mut words = options.split(|&byte| byte == 0).map(text);
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            let number = value.parse::<u16>().ok();
            match name.to_ascii_lowercase().as_str() {
                "blksize" => match number {
                    Some(size @ 8..) if size <= self.request.block_size => self.block_size = size.into(),
                    _ => return Err(FetchFailure::Protocol("block size is not what was asked for")),
                },
                "windowsize" => match number {
                    Some(window @ 1..) if window <= self.request.window => self.window = window,
                    _ => return Err(FetchFailure::Protocol("window size is not what was asked for")),
                },
                _ => {}
            }
        }
        Ok(())
    }
}

/// The request of this opcode.
pub(crate) fn request_packet(opcode: u16, request: &FetchRequest) -> Vec<u8> {
    let seconds = request.patience.as_secs().clamp(1, 255);
    let mut packet = opcode.to_be_bytes().to_vec();
    let mut word = |word: &str| {
        packet.extend_from_slice(word.as_bytes());
        packet.push(0);
    };
    word(&request.file);
    word("octet");
    word("timeout");
    word(&seconds.to_string());
    word("blksize");
    word(&request.block_size.to_string());
    if request.window > 1 {
        word("windowsize");
        word(&request.window.to_string());
    }
    packet
}

/// Printable text of the network: it ends at the first NUL.
pub(crate) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let shown = bytes[..end].iter().take(120);
    shown.map(|&byte| if (0x20..0x7f).contains(&byte) { byte as char } else { '?' }).collect()
}
