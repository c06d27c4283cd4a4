//! What this machine fetches for clients at other machines, as an exporter does: it can reach networks that they may
//! not have, to services of its own and to secrets that clouds give to it alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv6Net};

/// Largest body when nothing else is said, bytes: no medium of a board that is common is larger.
pub const LARGEST: u64 = 256 << 30;

/// The registry of Jumpstarter's bundles, which its clients may always name.
pub const BUNDLES: &str = "quay.io";

/// Where clouds give a machine its credentials: Amazon, Google, Azure, Oracle, Alibaba. Those that are link-local are refused as
/// such. From their manuals on instance metadata.
const METADATA: [IpAddr; 6] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// The prefix of IPv4 addresses behind a translator (RFC 6052 section 2.1).
const TRANSLATED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// A network as `192.168.7.0/24`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let wrong = |_| format!("`{text}` is no network; expected one like `192.168.7.0/24`, or an address");
        network.map(Self).map_err(wrong)
    }
}

/// What may be fetched. By default http and https, from every address but those that only this machine should reach: images for
/// labs lie on servers of private networks, so these are fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRules {
    /// Only from these networks, and from all of them; without any, as the default says.
    pub networks: Vec<Network>,
    /// Only https.
    pub https_only: bool,
    /// Most bytes of one body.
    pub largest: u64,
    /// Registries that bundles may come from, as `host` or `host:port`, besides [`BUNDLES`] and that of the exporter YAML.
    pub registries: Vec<String>,
    /// The client is at this machine, and reaches its loopback addresses anyway.
    pub is_local: bool,
}

impl Default for FetchRules {
    fn default() -> Self {
        Self {
            networks: Vec::new(),
            https_only: false,
            largest: LARGEST,
            registries: Vec::new(),
            is_local: false,
        }
    }
}

impl FetchRules {
    /// Whether a URL with TLS, or without, may be fetched.
    ///
    /// # Errors
    /// Why not, for people.
    pub fn check_scheme(&self, is_https: bool) -> Result<(), String> {
        match self.https_only && !is_https {
            true => Err("only https is fetched here".to_owned()),
            false => Ok(()),
        }
    }

    /// Whether a bundle may come from a registry (`host` or `host:port`): a registry leads on to servers of its choice, so only
    /// those are asked that the user of this machine trusts. `own` is that of the exporter YAML.
    ///
    /// # Errors
    /// Why not, for people.
    pub fn check_registry(&self, registry: &str, own: Option<&str>) -> Result<(), String> {
        let mut known = self.registries.iter().map(String::as_str).chain(own).chain([BUNDLES]);
        match self.is_local || known.any(|known| known.eq_ignore_ascii_case(registry)) {
            true => Ok(()),
            false => Err(format!("`{registry}` is no registry that bundles are fetched from here")),
        }
    }

    /// Whether something may be fetched from a server at `address`.
    ///
    /// # Errors
    /// Why not, for people.
    pub fn check_address(&self, address: IpAddr) -> Result<(), String> {
        let address = embedded(address);
        if !self.networks.is_empty() {
            return match self.networks.iter().any(|network| network.0.contains(&address)) {
                true => Ok(()),
                false => Err(format!("{address} is in no network that is fetched from here")),
            };
        }
        let kind = match address {
            _ if address.is_loopback() || is_this_network(address) => match self.is_local {
                true => return Ok(()),
                false => "of this machine itself, which is for its own users",
            },
            _ if METADATA.contains(&address) => "where clouds keep the credentials of a machine",
            _ if is_link_local(address) => "link-local",
            _ if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) => {
                "of no single machine"
            }
            _ => return Ok(()),
        };
        Err(format!("{address} is an address {kind}"))
    }

    /// Those addresses of a server that may be asked.
    ///
    /// # Errors
    /// Why none of them may, for people.
    pub fn allowed(&self, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, String> {
        let (mut allowed, mut refusal) = (Vec::new(), None);
        for address in found {
            match self.check_address(address.ip()) {
                Ok(()) => allowed.push(address),
                Err(reason) => refusal = refusal.or(Some(reason)),
            }
        }
        match (allowed.is_empty(), refusal) {
            (true, Some(reason)) => Err(reason),
            (true, None) => Err("the server's name has no address".to_owned()),
            (false, _) => Ok(allowed),
        }
    }
}

/// An IPv4 address also where it is written as an IPv6 one.
fn embedded(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) if TRANSLATED.contains(&six) => {
            let [.., a, b, c, d] = six.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        address => address,
    }
}

/// `0.0.0.0/8` and `::`: Linux takes them for this machine.
fn is_this_network(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[0] == 0,
        IpAddr::V6(address) => address.is_unspecified(),
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(rules: &FetchRules, address: &str) -> Result<(), String> {
        rules.check_address(address.parse().unwrap())
    }

    #[test]
    fn fetch_rules_of_a_lab() {
        let rules = FetchRules::default();
        for address in
            ["192.168.7.1", "10.1.2.3", "172.16.0.9", "100.64.1.1", "93.184.215.14", "fd12::7", "2001:db8::1"]
        {
            assert_eq!(may(&rules, address), Ok(()), "{address}");
        }
        for (address, kind) in [
            ("127.0.0.1", "of this machine itself, which is for its own users"),
            ("127.9.9.9", "of this machine itself, which is for its own users"),
            ("0.0.0.0", "of this machine itself, which is for its own users"),
            ("::1", "of this machine itself, which is for its own users"),
            ("::", "of this machine itself, which is for its own users"),
            ("169.254.169.254", "where clouds keep the credentials of a machine"),
            ("100.100.100.200", "where clouds keep the credentials of a machine"),
            ("168.63.129.16", "where clouds keep the credentials of a machine"),
            ("fd00:ec2::254", "where clouds keep the credentials of a machine"),
            ("169.254.1.1", "link-local"),
            ("fe80::1", "link-local"),
            ("224.0.0.1", "of no single machine"),
            ("255.255.255.255", "of no single machine"),
            ("ff02::1", "of no single machine"),
        ] {
            assert_eq!(may(&rules, address), Err(format!("{address} is an address {kind}")));
        }
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        for address in
            ["::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
        {
            assert!(may(&FetchRules::default(), address).is_err(), "{address}");
        }
    }

    #[test]
    fn who_is_at_this_machine_may_have_what_it_reaches_by_itself() {
        let rules = FetchRules { is_local: true, ..FetchRules::default() };
        assert_eq!((may(&rules, "127.0.0.1"), may(&rules, "::1")), (Ok(()), Ok(())));
        assert!(may(&rules, "169.254.169.254").is_err() && may(&rules, "fe80::1").is_err());
    }

    #[test]
    fn networks_that_are_named_are_all_there_is() {
        let networks =
            ["192.168.7.0/24", "169.254.1.1", "fd12::/64"].map(|text| text.parse().unwrap()).to_vec();
        let rules = FetchRules { networks, is_local: true, ..FetchRules::default() };
        for address in ["192.168.7.255", "169.254.1.1", "fd12::9"] {
            assert_eq!(may(&rules, address), Ok(()), "{address}");
        }
        for address in ["192.168.8.1", "169.254.1.2", "127.0.0.1", "fd12:0:0:1::9"] {
            assert_eq!(
                may(&rules, address),
                Err(format!("{address} is in no network that is fetched from here"))
            );
        }
        assert_eq!(
            "lab".parse::<Network>(),
            Err("`lab` is no network; expected one like `192.168.7.0/24`, or an address".to_owned())
        );
    }

    #[test]
    fn plain_http_is_fetched_unless_only_https_is() {
        let rules = FetchRules { https_only: true, ..FetchRules::default() };
        assert_eq!(FetchRules::default().check_scheme(false), Ok(()));
        assert_eq!(rules.check_scheme(true), Ok(()));
        assert_eq!(rules.check_scheme(false), Err("only https is fetched here".to_owned()));
    }

    #[test]
    fn bundles_come_from_registries_that_are_trusted() {
        let rules = FetchRules { registries: vec!["reg.lab:5000".to_owned()], ..FetchRules::default() };
        let own = Some("ghcr.io");
        for registry in ["quay.io", "QUAY.IO", "ghcr.io", "reg.lab:5000"] {
            assert_eq!(rules.check_registry(registry, own), Ok(()), "{registry}");
        }
        for registry in ["reg.lab", "reg.lab:5001", "127.0.0.1:5000", "localhost", "quay.io.evil.example", ""]
        {
            let refusal = format!("`{registry}` is no registry that bundles are fetched from here");
            assert_eq!(rules.check_registry(registry, own), Err(refusal));
        }
        assert!(rules.check_registry("ghcr.io", None).is_err());
        let local = FetchRules { is_local: true, ..FetchRules::default() };
        assert_eq!(local.check_registry("127.0.0.1:5000", None), Ok(()));
    }
}
