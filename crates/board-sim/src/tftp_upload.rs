//! Sending a file as U-Boot's `tftpput` does: a block at a time, again after a time without an answer (net/tftp.c).

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::faults::Dice;
use crate::tftp_client::{
    ACK, DATA, ERROR, FetchFailure, FetchRequest, OACK, ProgressSign, WRQ, request_packet, text,
};

/// The largest answer of a server that is of interest, bytes.
const LARGEST: usize = 600;
/// Without the option blksize (RFC 1350).
const PLAIN_BLOCK: usize = 512;

/// Sends `content` as `request` says: its window and its limit mean nothing here.
pub(crate) async fn send(
    request: &FetchRequest,
    content: &[u8],
    dice: &mut Dice,
    mut sign: impl FnMut(ProgressSign),
) -> Result<(), FetchFailure> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.map_err(|_| FetchFailure::Unreachable)?;
    let asking = request_packet(WRQ, &FetchRequest { window: 1, ..request.clone() });
    let mut sending = Sending { content, peer: None, block_size: PLAIN_BLOCK, block: 0, last_is_sent: false };
    send_to(&socket, &asking, request.server).await?;
    let (mut packet, mut timeouts) = (vec![0; LARGEST], 0);
    loop {
        let Ok(received) = timeout(request.patience, socket.recv_from(&mut packet)).await else {
            timeouts += 1;
            if timeouts > request.timeouts {
                return Err(FetchFailure::TimedOut);
            }
            sign(ProgressSign::Timeout);
            match sending.peer {
                None => send_to(&socket, &asking, request.server).await?,
                Some(peer) => send_to(&socket, &sending.packet(), peer).await?,
            }
            continue;
        };
        // An ICMP error for an earlier packet shows up here; the timeout deals with it.
        let Ok((length, from)) = received else { continue };
        if dice.below(100) < u64::from(request.loss) {
            sign(ProgressSign::Lost);
            continue;
        }
        if sending.peer.map_or(from.ip() != request.server.ip(), |peer| peer != from) {
            continue;
        }
        match sending.take(&packet[..length], request)? {
            Next::Nothing => {}
            Next::Done => return Ok(()),
            Next::Send => {
                sending.peer = Some(from);
                sign(ProgressSign::Block);
                tokio::time::sleep(request.delay).await;
                send_to(&socket, &sending.packet(), from).await?;
            }
        }
    }
}

async fn send_to(socket: &UdpSocket, packet: &[u8], to: SocketAddr) -> Result<(), FetchFailure> {
    socket.send_to(packet, to).await.map(drop).map_err(|_| FetchFailure::Unreachable)
}

/// What an answer calls for.
enum Next {
    Nothing,
    Send,
    Done,
}

/// A file under way.
struct Sending<'c> {
    content: &'c [u8],
    /// The server's port of this transfer, from its first answer on.
    peer: Option<SocketAddr>,
    block_size: usize,
    /// The block that was sent last, counted on as U-Boot counts.
    block: u64,
    last_is_sent: bool,
}

impl Sending<'_> {
    fn take(&mut self, packet: &[u8], request: &FetchRequest) -> Result<Next, FetchFailure> {
        let [high, low, a, b, rest @ ..] = packet else { return Ok(Next::Nothing) };
        let number = u16::from_be_bytes([*a, *b]);
        match u16::from_be_bytes([*high, *low]) {
            ERROR => Err(FetchFailure::Refused(number, text(rest))),
            OACK => {
                self.agree(&packet[2..], request)?;
                // Every OACK counts on, also one that comes twice.
                self.block += 1;
                Ok(Next::Send)
            }
            ACK if self.last_is_sent => Ok(Next::Done),
            ACK => {
                let is_expected = number == self.block as u16;
                if is_expected {
                    self.block += 1;
                }
                Ok(if is_expected { Next::Send } else { Next::Nothing })
            }
            _ => Ok(Next::Nothing),
        }
    }

    fn agree(&mut self, options: &[u8], request: &FetchRequest) -> Result<(), FetchFailure> {
        let mut words = options.split(|&byte| byte == 0).map(text);
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            if name == "blksize" {
                let size = value.parse().ok().filter(|size| (8..=request.block_size).contains(size));
                let wrong = FetchFailure::Protocol("block size is not what was asked for");
                self.block_size = size.ok_or(wrong)?.into();
            }
        }
        Ok(())
    }

    /// The DATA packet of the block at hand.
    fn packet(&mut self) -> Vec<u8> {
        let from = (self.block.saturating_sub(1) as usize * self.block_size).min(self.content.len());
        let payload = &self.content[from..(from + self.block_size).min(self.content.len())];
        self.last_is_sent = payload.len() < self.block_size;
        [&DATA.to_be_bytes()[..], &(self.block as u16).to_be_bytes(), payload].concat()
    }
}
