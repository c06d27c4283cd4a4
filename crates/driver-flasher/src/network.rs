//! Which of our addresses faces the board: the local address of the route to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use flasher_core::{Error, Result};

/// The address under which the board at `board` reaches a server bound to `bound`.
///
/// # Errors
/// When no route leads to the board.
pub(crate) fn facing(bound: SocketAddr, board: IpAddr) -> Result<SocketAddr> {
    if !bound.ip().is_unspecified() {
        return Ok(bound);
    }
    let address = local_address(board).map_err(|error| {
        Error::infrastructure(format!("no route from this machine to the board at {board}"))
            .help(
                "check the network between them, or give `host:` in the config of the tftp and http children",
            )
            .because(error)
    })?;
    Ok(SocketAddr::new(address, bound.port()))
}

/// Connecting a UDP socket sends nothing; it only asks the kernel for the route.
fn local_address(peer: IpAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = Ipv4Addr::UNSPECIFIED.into();
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((peer, 9))?;
    Ok(socket.local_addr()?.ip())
}

/// The prefix length of a netmask: 255.255.255.0 is 24.
pub(crate) fn prefix(netmask: Ipv4Addr) -> u32 {
    netmask.to_bits().leading_ones()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_on_loopback_is_faced_by_loopback() {
        let bound = "0.0.0.0:8080".parse().unwrap();
        let facing = facing(bound, "127.0.0.1".parse().unwrap()).unwrap();
        assert_eq!(facing, "127.0.0.1:8080".parse().unwrap());
    }

    #[test]
    fn a_configured_host_wins_over_the_route() {
        let bound = "192.0.2.7:69".parse().unwrap();
        assert_eq!(facing(bound, "127.0.0.1".parse().unwrap()).unwrap(), bound);
    }

    #[test]
    fn netmasks_have_prefix_lengths() {
        for (mask, bits) in
            [("255.255.255.0", 24), ("255.255.240.0", 20), ("0.0.0.0", 0), ("255.255.255.255", 32)]
        {
            assert_eq!(prefix(mask.parse().unwrap()), bits);
        }
    }
}
