//! Whether this machine and the board are in one network, found out before anything is switched on.

use std::net::Ipv4Addr;

use flasher_core::{Error, Result};

use crate::config::StaticNetwork;

/// An address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) interface: String,
    pub(crate) address: Ipv4Addr,
}

/// The IPv4 addresses of this machine but for loopback, on interfaces that are up (getifaddrs(3)).
pub(crate) fn own_addresses() -> Result<Vec<Own>> {
    let all = nix::ifaddrs::getifaddrs().map_err(|error| {
        Error::infrastructure("the network interfaces of this machine cannot be listed").because(error)
    })?;
    let up = nix::net::if_::InterfaceFlags::IFF_UP;
    let own = all.filter(|it| it.flags.contains(up)).filter_map(|it| {
        let address = it.address?.as_sockaddr_in()?.ip();
        (!address.is_loopback()).then_some(Own { interface: it.interface_name, address })
    });
    Ok(own.collect())
}

/// How the board will reach this machine, which has the addresses `own`.
///
/// # Errors
/// When it cannot: no network at all, or none that is the board's.
pub(crate) fn tell(own: &[Own], board: Option<&StaticNetwork>) -> Result<String> {
    let listed =
        own.iter().map(|it| format!("{} {}", it.interface, it.address)).collect::<Vec<_>>().join(", ");
    if own.is_empty() {
        return Err(Error::infrastructure(
            "no network interface but loopback has an address, so no board reaches this machine",
        )
        .help("plug the board's network in, and give this machine an address there: `ip addr`"));
    }
    let Some(board) = board else {
        return Ok(format!("the board's address comes by DHCP; this machine has {listed}"));
    };
    let network = |address: Ipv4Addr| address.to_bits() & board.netmask.to_bits();
    if let Some(near) = own.iter().find(|it| network(it.address) == network(board.address)) {
        return Ok(format!(
            "the board at {} is reached from {} on {}",
            board.address, near.address, near.interface
        ));
    }
    match board.gateway {
        Some(gateway) => Ok(format!("the board at {} is reached through its gateway {gateway}; this machine has {listed}", board.address)),
        None => Err(Error::infrastructure(format!(
            "no address of this machine is in the board's network {}/{}: it has {listed}",
            Ipv4Addr::from_bits(network(board.address)),
            crate::network::prefix(board.netmask)
        ))
        .help("give this machine an address there, or say in the flasher's `network:` which `gateway:` the board has")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(own: &[(&str, &str)], board: Option<(&str, Option<&str>)>, expected: Result<&str, &str>) {
        let own = own
            .iter()
            .map(|(name, address)| Own { interface: (*name).to_owned(), address: address.parse().unwrap() });
        let board = board.map(|(address, gateway)| StaticNetwork {
            address: address.parse().unwrap(),
            netmask: "255.255.255.0".parse().unwrap(),
            gateway: gateway.map(|it| it.parse().unwrap()),
        });
        let told = tell(&own.collect::<Vec<_>>(), board.as_ref()).map_err(|error| error.to_string());
        assert_eq!(told, expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn a_machine_that_no_board_reaches_is_told_before_power_on() {
        let lab = [("eth0", "192.0.2.10"), ("eth1", "198.51.100.1")];
        check(
            &lab,
            Some(("198.51.100.7", None)),
            Ok("the board at 198.51.100.7 is reached from 198.51.100.1 on eth1"),
        );
        check(
            &lab,
            None,
            Ok("the board's address comes by DHCP; this machine has eth0 192.0.2.10, eth1 198.51.100.1"),
        );
        check(
            &lab,
            Some(("203.0.113.7", Some("203.0.113.1"))),
            Ok(
                "the board at 203.0.113.7 is reached through its gateway 203.0.113.1; this machine has eth0 192.0.2.10, eth1 198.51.100.1",
            ),
        );
        check(
            &lab,
            Some(("203.0.113.7", None)),
            Err(
                "no address of this machine is in the board's network 203.0.113.0/24: it has eth0 192.0.2.10, eth1 198.51.100.1",
            ),
        );
        check(
            &[],
            None,
            Err("no network interface but loopback has an address, so no board reaches this machine"),
        );
    }
}
