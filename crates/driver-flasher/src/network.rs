//! The network between this machine and the board: its address, and which of ours faces it, which is the local address of the route
//! to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use flasher_core::{Error, Result};

/// The port U-Boot asks when `tftpdstp` is not set (RFC 1350).
pub(crate) const TFTP_PORT: u16 = 69;

/// The board's address.
#[derive(Clone, Debug)]
pub(crate) struct BoardAddress {
    pub(crate) board: Ipv4Addr,
    pub(crate) netmask: Ipv4Addr,
    pub(crate) gateway: Option<Ipv4Addr>,
}

/// The board's address, and where it finds our HTTP server.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) address: BoardAddress,
    pub(crate) http: SocketAddr,
}

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

    /// Names the test that runs inside its own namespace.
    const INSIDE: &str = "FLASHER_NETWORK_TEST_INSIDE";

    /// Runs this test again in a network namespace with two networks; tells whether it is inside.
    fn is_inside() -> bool {
        if std::env::var_os(INSIDE).is_some() {
            return true;
        }
        let networks = "ip link add v0 type veth peer name v1 && ip address add 10.1.0.1/24 dev v0 && \
                        ip address add 10.2.0.1/24 dev v1 && ip link set v0 up && ip link set v1 up && exec \"$@\"";
        let test = std::env::current_exe().unwrap();
        // The test harness gives each test a thread of its name.
        let current = std::thread::current();
        let name = current.name().unwrap();
        let mut again = std::process::Command::new("unshare");
        again.args(["--net", "sh", "-c", networks, "sh"]).arg(test).args(["--exact", name, "--nocapture"]);
        let Ok(output) = again.env(INSIDE, "1").output() else {
            eprintln!("skipped: no `unshare` here");
            return false;
        };
        let told = String::from_utf8_lossy(&output.stderr);
        if told.contains("Operation not permitted") && std::env::var_os("CI").is_none() {
            eprintln!("skipped: a network namespace needs root");
            return false;
        }
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{told}");
        false
    }

    #[test]
    fn a_host_in_two_networks_faces_each_board_from_its_own() {
        if !is_inside() {
            return;
        }
        let check = |board: &str, faces: &str| {
            let found = facing("0.0.0.0:69".parse().unwrap(), board.parse().unwrap()).unwrap();
            assert_eq!(found, faces.parse().unwrap());
        };
        check("10.1.0.9", "10.1.0.1:69");
        check("10.2.0.9", "10.2.0.1:69");
        let lost = facing("0.0.0.0:69".parse().unwrap(), "10.3.0.9".parse().unwrap()).unwrap_err();
        assert_eq!(lost.to_string(), "no route from this machine to the board at 10.3.0.9");
    }
}
