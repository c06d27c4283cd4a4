//! The address a server binds, and why it cannot.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use flasher_base::blame::{Blame, Blamed};
use flasher_base::root_cause::RootCause;

/// What is to be served; the remedies differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// TFTP, on UDP.
    Tftp,
    /// HTTP, on TCP.
    Http,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tftp => "tftp",
            Self::Http => "http",
        })
    }
}

/// Why a server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port is in use.
    #[error("cannot serve {0} on {1}: the port is in use")]
    PortInUse(Service, SocketAddr),
    /// The port needs a privilege this process does not have.
    #[error("cannot serve {0} on {1}: ports below 1024 need a privilege")]
    Privilege(Service, SocketAddr),
    /// The address belongs to another machine.
    #[error("cannot serve {0} on {1}: this machine has no such address")]
    NotLocal(Service, SocketAddr),
    /// Binding failed for another reason.
    #[error("cannot serve {0} on {1}")]
    Bind(Service, SocketAddr, #[source] io::Error),
    /// The host name has no address.
    #[error("cannot find the address of the host `{0}`")]
    Host(String, #[source] io::Error),
    /// The folder cannot be used.
    #[error("cannot serve the folder `{}`", .0.display())]
    Root(PathBuf, #[source] io::Error),
    /// What is to be the folder is a file.
    #[error("cannot serve the folder `{}`: it is a file", .0.display())]
    IsFile(PathBuf),
}

impl Error {
    /// The error for a failed bind of `address`.
    pub fn bind(service: Service, address: SocketAddr, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse(service, address),
            io::ErrorKind::PermissionDenied if address.port() < 1024 => Self::Privilege(service, address),
            io::ErrorKind::AddrNotAvailable => Self::NotLocal(service, address),
            _ => Self::Bind(service, address, error),
        }
    }

    /// The error for a folder that cannot be used.
    pub fn root(path: impl Into<PathBuf>, error: io::Error) -> Self {
        match error.kind() {
            // The first when the folder is to be made, the second when it is to be read.
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => Self::IsFile(path.into()),
            _ => Self::Root(path.into(), error),
        }
    }
}

impl Blamed for Error {
    /// A name server may answer later, a system may have room again. A port that is in use stays so.
    fn blame(&self) -> Blame {
        match self {
            Self::PortInUse(..) => self.who().caused_by(RootCause::PortTaken),
            Self::Privilege(..) => self.who().caused_by(RootCause::PortForbidden),
            _ => self.who(),
        }
    }
}

impl Error {
    fn who(&self) -> Blame {
        match self {
            Self::PortInUse(Service::Tftp, address) => Blame::LASTING.advise(format!(
                "`ss -lunp 'sport = :{port}'` shows who has it, often dnsmasq, tftpd-hpa or atftpd; stop that, or give another \
                 `port:` in the config and set U-Boot's `tftpdstp` to it",
                port = address.port()
            )),
            Self::PortInUse(Service::Http, address) => Blame::LASTING.advise(format!(
                "`ss -ltnp 'sport = :{port}'` shows who has it; stop that, or give another `port:` in the config (0 takes a free one)",
                port = address.port()
            )),
            Self::Privilege(service, _) => {
                let more = if *service == Service::Tftp { " and set U-Boot's `tftpdstp` to it" } else { "" };
                Blame::LASTING.advise(format!(
                    "run once: sudo setcap cap_net_bind_service=+ep $(command -v flasher); or give a `port:` \
                     of 1024 or more in the config{more}"
                ))
            }
            Self::NotLocal(..) => Blame::LASTING.advise(
                "`ip address` lists the addresses of this machine; give one of them as `host:`, or none",
            ),
            Self::Bind(..) => Blame::PASSING.advise("check `host:` and `port:` in the config"),
            Self::Host(..) => Blame::PASSING.advise("give `host:` as an address of this machine, or leave it out"),
            Self::Root(..) | Self::IsFile(_) => Blame::LASTING.advise("give a folder this user may read as `root_dir:`"),
        }
    }
}

/// The address of `host` (a name, an address, or none for every IPv4 address of this machine) with this port.
///
/// # Errors
/// [`Error::Host`] when the name has no address.
pub async fn address(host: Option<&str>, port: u16) -> Result<SocketAddr, Error> {
    let host = match host {
        None | Some("") => return Ok((Ipv4Addr::UNSPECIFIED, port).into()),
        Some(host) => host,
    };
    let failed = |error| Error::Host(host.to_owned(), error);
    let mut found = tokio::net::lookup_host((host, port)).await.map_err(failed)?;
    found.next().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}

/// An IPv4 peer of a socket of both families as what it is; anything else, and the scope of a link-local address, as given.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ std::net::IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        std::net::IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: Error, text: &str, help: &str) {
        assert_eq!((error.to_string().as_str(), error.blame().next_step.as_deref()), (text, Some(help)));
    }

    #[test]
    fn every_error_says_what_and_what_next() {
        let refused = || io::Error::from(io::ErrorKind::PermissionDenied);
        let port = |port| SocketAddr::from(([10, 0, 0, 1], port));
        check(
            Error::bind(Service::Tftp, port(69), io::ErrorKind::AddrInUse.into()),
            "cannot serve tftp on 10.0.0.1:69: the port is in use",
            "`ss -lunp 'sport = :69'` shows who has it, often dnsmasq, tftpd-hpa or atftpd; stop that, or give another `port:` in the config and set U-Boot's `tftpdstp` to it",
        );
        check(
            Error::bind(Service::Http, port(80), io::ErrorKind::AddrInUse.into()),
            "cannot serve http on 10.0.0.1:80: the port is in use",
            "`ss -ltnp 'sport = :80'` shows who has it; stop that, or give another `port:` in the config (0 takes a free one)",
        );
        check(
            Error::bind(Service::Tftp, port(69), refused()),
            "cannot serve tftp on 10.0.0.1:69: ports below 1024 need a privilege",
            "run once: sudo setcap cap_net_bind_service=+ep $(command -v flasher); or give a `port:` of 1024 or more in the config and set U-Boot's `tftpdstp` to it",
        );
        check(
            Error::bind(Service::Http, port(80), refused()),
            "cannot serve http on 10.0.0.1:80: ports below 1024 need a privilege",
            "run once: sudo setcap cap_net_bind_service=+ep $(command -v flasher); or give a `port:` of 1024 or more in the config",
        );
        check(
            Error::bind(Service::Http, port(80), io::ErrorKind::AddrNotAvailable.into()),
            "cannot serve http on 10.0.0.1:80: this machine has no such address",
            "`ip address` lists the addresses of this machine; give one of them as `host:`, or none",
        );
        check(
            Error::bind(Service::Tftp, port(6969), refused()),
            "cannot serve tftp on 10.0.0.1:6969",
            "check `host:` and `port:` in the config",
        );
        check(
            Error::Host("nowhere".into(), io::ErrorKind::NotFound.into()),
            "cannot find the address of the host `nowhere`",
            "give `host:` as an address of this machine, or leave it out",
        );
        for kind in [io::ErrorKind::AlreadyExists, io::ErrorKind::NotADirectory] {
            check(
                Error::root("/srv/x", kind.into()),
                "cannot serve the folder `/srv/x`: it is a file",
                "give a folder this user may read as `root_dir:`",
            );
        }
        check(
            Error::root("/srv/x", refused()),
            "cannot serve the folder `/srv/x`",
            "give a folder this user may read as `root_dir:`",
        );
    }

    #[test]
    fn only_what_the_system_may_grant_later_is_tried_again() {
        let address = SocketAddr::from(([10, 0, 0, 1], 69));
        for (kind, is_retryable, root) in [
            (io::ErrorKind::AddrInUse, false, Some(RootCause::PortTaken)),
            (io::ErrorKind::PermissionDenied, false, Some(RootCause::PortForbidden)),
            (io::ErrorKind::AddrNotAvailable, false, None),
            (io::ErrorKind::OutOfMemory, true, None),
        ] {
            let blame = Error::bind(Service::Tftp, address, kind.into()).blame();
            assert_eq!((blame.is_retryable, blame.root), (is_retryable, root), "{kind}");
        }
    }

    #[tokio::test]
    async fn a_host_is_a_name_an_address_or_every_address() {
        for (host, expected) in [
            (None, "0.0.0.0:7"),
            (Some(""), "0.0.0.0:7"),
            (Some("127.0.0.1"), "127.0.0.1:7"),
            (Some("::1"), "[::1]:7"),
        ] {
            assert_eq!(address(host, 7).await.unwrap(), expected.parse().unwrap(), "{host:?}");
        }
        assert!(matches!(address(Some("no such host"), 7).await, Err(Error::Host(..))));
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_one() {
        for (peer, expected) in [
            ("[::ffff:10.0.0.1]:9", "10.0.0.1:9"),
            ("10.0.0.1:9", "10.0.0.1:9"),
            ("[fe80::1%3]:9", "[fe80::1%3]:9"),
        ] {
            assert_eq!(canonical(peer.parse().unwrap()), expected.parse().unwrap());
        }
    }
}
