//! Sends blocks: many in one call to the kernel where it can cut them into packets itself (UDP GSO).

use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;

use bytes::Bytes;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, recv, sendmsg};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::packet::{HEADER, data_header};

/// Most packets the kernel cuts at once; newer kernels would take 128.
const SEGMENTS: usize = 64;
/// Most bytes of them: what fits into one IPv4 datagram.
const SEGMENTED: usize = 65_507;

/// A way to one client: a socket, or a simulated network.
pub(crate) trait ClientLink {
    /// Sends DATA packets of these payloads, numbered from `first`. All but the last are `block` bytes long.
    async fn send_blocks(&mut self, first: u64, payloads: &[Bytes], block: usize) -> io::Result<()>;
    /// Sends a packet as it is.
    async fn send(&self, packet: &[u8]) -> io::Result<()>;
    /// Waits for a packet of the client; gives its length.
    async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize>;
    /// A packet that is there, else `WouldBlock`.
    fn try_receive(&self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Looks for a packet without the runtime, so quickly that it may be done in a loop; else `EAGAIN`.
    fn poll_receive(&self, buffer: &mut [u8]) -> nix::Result<usize>;
}

/// The way to one client.
#[derive(Debug)]
pub(crate) struct PacketSender {
    socket: UdpSocket,
    /// Whether the kernel cuts. It cannot when a block does not fit into one packet of the network.
    cuts: bool,
}

impl PacketSender {
    /// Sends over a connected socket. `fits` when a full block goes out as one packet.
    pub(crate) fn new(socket: UdpSocket, fits: bool) -> Self {
        Self { socket, cuts: fits }
    }

    /// # Errors
    /// Those of the network; what was not sent is as good as lost.
    async fn send_cut(&mut self, first: u64, payloads: &[Bytes], block: usize) -> io::Result<()> {
        let most = if self.cuts { (SEGMENTED / (HEADER + block)).clamp(1, SEGMENTS) } else { 1 };
        for (at, payloads) in payloads.chunks(most).enumerate() {
            let number = first + (at * most) as u64;
            let sent = self.send_together(number, payloads, block).await;
            match sent {
                Err(error) if payloads.len() > 1 && is_refusal_to_cut(&error) => {
                    self.cuts = false;
                    self.send_singly(number, payloads, block).await?;
                }
                sent => sent?,
            }
        }
        Ok(())
    }

    async fn send_singly(&self, first: u64, payloads: &[Bytes], block: usize) -> io::Result<()> {
        for (number, payload) in (first..).zip(payloads) {
            self.send_together(number, std::slice::from_ref(payload), block).await?;
        }
        Ok(())
    }

    async fn send_together(&self, first: u64, payloads: &[Bytes], block: usize) -> io::Result<()> {
        let headers: Vec<_> = (first..).take(payloads.len()).map(data_header).collect();
        let parts: Vec<_> = headers
            .iter()
            .zip(payloads)
            .flat_map(|(header, payload)| [IoSlice::new(header), IoSlice::new(payload)])
            .collect();
        // Not more than 65468: a block has at most 65464 bytes.
        let segment = u16::try_from(HEADER + block).unwrap_or(u16::MAX);
        let cutting = [ControlMessage::UdpGsoSegments(&segment)];
        let notes = if payloads.len() > 1 { &cutting[..] } else { &[] };
        let now = || {
            let descriptor = self.socket.as_raw_fd();
            sendmsg(descriptor, &parts, notes, MsgFlags::MSG_DONTWAIT, None::<&SockaddrStorage>)
                .map(drop)
                .map_err(io::Error::from)
        };
        self.socket.async_io(Interest::WRITABLE, now).await
    }
}

impl ClientLink for PacketSender {
    async fn send_blocks(&mut self, first: u64, payloads: &[Bytes], block: usize) -> io::Result<()> {
        self.send_cut(first, payloads, block).await
    }

    async fn send(&self, packet: &[u8]) -> io::Result<()> {
        self.socket.send(packet).await.map(drop)
    }

    async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(buffer).await
    }

    fn try_receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.try_recv(buffer)
    }

    fn poll_receive(&self, buffer: &mut [u8]) -> nix::Result<usize> {
        recv(self.socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT)
    }
}

/// What a kernel, a device or a path says that cannot have packets cut for it.
fn is_refusal_to_cut(error: &io::Error) -> bool {
    use nix::libc::{EINVAL, EIO, EMSGSIZE, ENOPROTOOPT, EOPNOTSUPP};
    error.raw_os_error().is_some_and(|code| [EINVAL, EIO, EMSGSIZE, ENOPROTOOPT, EOPNOTSUPP].contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(block: usize, count: usize, fits: bool) {
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(client.local_addr().unwrap()).await.unwrap();
        let mut sender = PacketSender::new(socket, fits);
        let mut payloads: Vec<Bytes> = (0..count).map(|at| vec![at as u8; block].into()).collect();
        payloads.push(Bytes::from_static(b"end"));
        sender.send_blocks(65_530, &payloads, block).await.unwrap();
        let mut buffer = vec![0; 70_000];
        for (number, payload) in (65_530_u64..).zip(payloads) {
            let length = client.recv(&mut buffer).await.unwrap();
            assert_eq!(
                buffer[..length],
                [&data_header(number)[..], &payload].concat(),
                "{block} {count} {fits}"
            );
        }
    }

    #[tokio::test]
    async fn packets_arrive_one_by_one_however_they_were_sent() {
        for fits in [true, false] {
            for (block, count) in [(8, 0), (8, 1), (8, 200), (512, 63), (512, 64), (1468, 50), (65_464, 1)] {
                check(block, count, fits).await;
            }
        }
    }
}
