//! Which address a request was sent to, sockets that answer from it, and the largest datagram on the way back.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, RawFd};

use nix::sys::socket::sockopt::{IpMtu, Ipv4PacketInfo, Ipv6RecvPacketInfo};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, getsockopt, recvmsg, setsockopt};
use server_kit::canonical;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Bytes of IPv4 and UDP headers, and of a DATA packet's own.
const HEADERS_V4: u16 = 20 + 8 + 4;
/// Bytes of IPv6 and UDP headers, and of a DATA packet's own.
const HEADERS_V6: u16 = 40 + 8 + 4;
/// MTU of an Ethernet, bytes.
const ETHERNET: u16 = 1500;

/// One datagram as it arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// Bytes of it that are in the buffer.
    pub(crate) length: usize,
    /// Whether it was longer than the buffer.
    pub(crate) is_cut: bool,
    pub(crate) peer: SocketAddr,
    /// The address it was sent to; port 0.
    pub(crate) local: SocketAddr,
}

/// The socket requests arrive on.
#[derive(Debug)]
pub(crate) struct RequestSocket {
    socket: UdpSocket,
    address: SocketAddr,
}

impl RequestSocket {
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(address).await?;
        match address {
            SocketAddr::V4(_) => setsockopt(&socket, Ipv4PacketInfo, &true)?,
            SocketAddr::V6(_) => setsockopt(&socket, Ipv6RecvPacketInfo, &true)?,
        }
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next datagram.
    pub(crate) async fn receive(&self, buffer: &mut [u8]) -> io::Result<Arrival> {
        let now = || receive_now(self.socket.as_raw_fd(), buffer, self.address);
        self.socket.async_io(Interest::READABLE, now).await
    }
}

fn receive_now(socket: RawFd, buffer: &mut [u8], bound: SocketAddr) -> io::Result<Arrival> {
    let mut space = nix::cmsg_space!(nix::libc::in_pktinfo, nix::libc::in6_pktinfo);
    let mut slices = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(socket, &mut slices, Some(&mut space), MsgFlags::MSG_DONTWAIT)?;
    let peer = message.address.and_then(socket_address).ok_or(io::ErrorKind::InvalidData)?;
    let sent_to = message.cmsgs()?.find_map(|note| local_address(&note));
    let local = sent_to.map_or(SocketAddr::new(bound.ip(), 0), |ip| with_scope(ip, peer));
    Ok(Arrival {
        length: message.bytes,
        is_cut: message.flags.contains(MsgFlags::MSG_TRUNC),
        peer: canonical(peer),
        local: canonical(local),
    })
}

fn socket_address(address: SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|address| SocketAddr::V4((*address).into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::V6((*address).into())))
}

/// For a datagram sent to a broadcast address, `ipi_spec_dst` is the address to answer from.
fn local_address(note: &ControlMessageOwned) -> Option<IpAddr> {
    match note {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes()).into())
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into()),
        _ => None,
    }
}

/// A link-local address means nothing without its interface, which is the one the peer is on.
fn with_scope(ip: IpAddr, peer: SocketAddr) -> SocketAddr {
    match (ip, peer) {
        (IpAddr::V6(ip), SocketAddr::V6(peer)) if ip.is_unicast_link_local() => {
            SocketAddr::V6(SocketAddrV6::new(ip, 0, 0, peer.scope_id()))
        }
        _ => SocketAddr::new(ip, 0),
    }
}

/// A socket of a port of its own that answers `peer` from `local`, and receives from no other address.
pub(crate) async fn answer_socket(local: SocketAddr, peer: SocketAddr) -> io::Result<UdpSocket> {
    let local =
        if local.ip().is_multicast() { SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0) } else { local };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(peer).await?;
    Ok(socket)
}

/// Largest block that reaches the peer of a connected socket without being fragmented, bytes.
pub(crate) fn unfragmented(socket: &UdpSocket, peer: SocketAddr) -> u16 {
    let largest = *crate::options::BLKSIZES.end();
    match peer {
        SocketAddr::V4(_) => {
            let mtu = getsockopt(socket, IpMtu).ok().and_then(|mtu| u16::try_from(mtu.clamp(0, 65_535)).ok());
            mtu.unwrap_or(ETHERNET).max(576).saturating_sub(HEADERS_V4).min(largest)
        }
        SocketAddr::V6(peer) if peer.ip().is_loopback() => largest,
        SocketAddr::V6(_) => ETHERNET - HEADERS_V6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(bind: &str, ask: &str) {
        let listener = RequestSocket::bind(bind.parse().unwrap()).await.unwrap();
        let to = SocketAddr::new(ask.parse().unwrap(), listener.address().port());
        let client = UdpSocket::bind(SocketAddr::new(ask.parse().unwrap(), 0)).await.unwrap();
        client.send_to(b"hello", to).await.unwrap();
        let arrival = listener.receive(&mut [0; 4]).await.unwrap();
        assert_eq!((arrival.length, arrival.is_cut), (4, true));
        assert_eq!(arrival.peer, client.local_addr().unwrap());
        assert_eq!(arrival.local, SocketAddr::new(ask.parse().unwrap(), 0), "{bind}");
        let socket = answer_socket(arrival.local, arrival.peer).await.unwrap();
        assert_eq!(socket.local_addr().unwrap().ip(), to.ip());
        assert_eq!(unfragmented(&socket, arrival.peer), 65464);
    }

    #[tokio::test]
    async fn a_request_is_answered_from_the_address_it_was_sent_to() {
        for (bind, ask) in
            [("127.0.0.1:0", "127.0.0.1"), ("0.0.0.0:0", "127.0.0.1"), ("0.0.0.0:0", "127.9.8.7")]
        {
            check(bind, ask).await;
        }
        if UdpSocket::bind("[::1]:0").await.is_err() {
            eprintln!("skipped: no IPv6 here");
            return;
        }
        for (bind, ask) in [("[::1]:0", "::1"), ("[::]:0", "::1"), ("[::]:0", "127.9.8.7")] {
            check(bind, ask).await;
        }
    }
}
