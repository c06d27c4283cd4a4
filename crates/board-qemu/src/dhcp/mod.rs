//! A DHCP server for the one board on a tap: RFC 2131, as far as a boot loader and a busybox client go.

mod lease;
mod packet;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::config::BoardNetwork;
use crate::error::QemuError;
use lease::Leases;

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// More than an Ethernet frame holds.
const LARGEST: usize = 2048;

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct DhcpServer(JoinHandle<()>);

impl DhcpServer {
    /// Binds the port on the tap alone, and serves.
    pub(crate) fn start(network: &BoardNetwork) -> Result<Self, QemuError> {
        let socket =
            bind(&network.tap).map_err(|source| QemuError::Dhcp { tap: network.tap.clone(), source })?;
        Ok(Self(tokio::spawn(serve(socket, Leases::new(network)))))
    }

    /// Stops it; the port is free when this returns.
    pub(crate) async fn stop(mut self) {
        self.0.abort();
        // Aborted on purpose: how it ended says nothing.
        (&mut self.0).await.ok();
    }
}

impl Drop for DhcpServer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The device before the port: two servers on two taps do not meet.
fn bind(tap: &str) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind_device(Some(tap.as_bytes()))?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, SERVER_PORT)).into())?;
    UdpSocket::from_std(socket.into())
}

/// Every answer is broadcast, as RFC 2131 §4.1 allows: the client has no address yet.
async fn serve(socket: UdpSocket, mut leases: Leases) {
    let everyone = SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT);
    let mut buffer = [0; LARGEST];
    loop {
        let outcome = match socket.recv_from(&mut buffer).await {
            Ok((count, _)) => match leases.answer(&buffer[..count]) {
                Some(answer) => socket.send_to(&answer, everyone).await.map(drop),
                None => Ok(()),
            },
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "DHCP on the tap");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
