//! What can go wrong before the first request: the config, binding, the folder.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why the server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port is in use.
    #[error("cannot serve tftp on {0}: the port is in use")]
    PortInUse(SocketAddr),
    /// The port needs a privilege this process does not have.
    #[error("cannot serve tftp on {0}: ports below 1024 need a privilege")]
    Privilege(SocketAddr),
    /// The address belongs to another machine.
    #[error("cannot serve tftp on {0}: this machine has no such address")]
    NotLocal(SocketAddr),
    /// Binding failed for another reason.
    #[error("cannot serve tftp on {0}")]
    Bind(SocketAddr, #[source] io::Error),
    /// The host name has no address.
    #[error("cannot find the address of the host `{0}`")]
    Host(String, #[source] io::Error),
    /// The folder cannot be used.
    #[error("cannot serve the folder `{}`", .0.display())]
    Root(PathBuf, #[source] io::Error),
    /// The block size limit makes no sense.
    #[error("`blksize_limit` is {0}, expected 8 to 65464 bytes")]
    BlksizeLimit(u16),
}

impl Error {
    /// The error for a failed bind of `address`.
    pub(crate) fn bind(address: SocketAddr, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse(address),
            io::ErrorKind::PermissionDenied if address.port() < 1024 => Self::Privilege(address),
            io::ErrorKind::AddrNotAvailable => Self::NotLocal(address),
            _ => Self::Bind(address, error),
        }
    }

    /// The error for a folder that cannot be used.
    pub(crate) fn root(path: &Path, error: io::Error) -> Self {
        Self::Root(path.to_owned(), error)
    }

    /// What the user can do next.
    pub fn help(&self) -> String {
        match self {
            Self::PortInUse(address) => format!(
                "`ss -lunp 'sport = :{port}'` shows who has it, often dnsmasq, tftpd-hpa or atftpd; stop that, or give another \
                 `port:` in the config and set U-Boot's `tftpdstp` to it",
                port = address.port()
            ),
            Self::Privilege(_) => {
                "run once: sudo setcap cap_net_bind_service=+ep $(command -v flasher); or give a `port:` \
                 of 1024 or more in the config and set U-Boot's `tftpdstp` to it"
                    .into()
            }
            Self::NotLocal(_) => {
                "`ip address` lists the addresses of this machine; give one of them as `host:`, or none"
                    .into()
            }
            Self::Bind(..) => "check `host:` and `port:` in the config".into(),
            Self::Host(..) => "give `host:` as an address of this machine, or leave it out".into(),
            Self::Root(..) => "give a folder this user may read as `root_dir:`".into(),
            Self::BlksizeLimit(_) => "leave `blksize_limit` out to fit blocks to the network".into(),
        }
    }
}

impl From<Error> for flasher_core::Error {
    fn from(error: Error) -> Self {
        let help = error.help();
        let core = match error {
            Error::BlksizeLimit(_) => Self::config(error.to_string()),
            Error::Privilege(_) | Error::NotLocal(_) => {
                Self::infrastructure(error.to_string()).retryable(false)
            }
            _ => Self::infrastructure(error.to_string()),
        };
        let core = core.help(help);
        match error {
            Error::Bind(_, source) | Error::Host(_, source) | Error::Root(_, source) => core.because(source),
            _ => core,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> io::Error {
        io::Error::from(io::ErrorKind::PermissionDenied)
    }

    #[test]
    fn every_error_says_what_and_what_next() {
        let address = SocketAddr::from(([10, 0, 0, 1], 69));
        let cases = [
            (
                Error::bind(address, io::ErrorKind::AddrInUse.into()),
                "cannot serve tftp on 10.0.0.1:69: the port is in use",
                "`ss -lunp 'sport = :69'` shows who has it, often dnsmasq, tftpd-hpa or atftpd; stop that, or give another `port:` in the config and set U-Boot's `tftpdstp` to it",
            ),
            (
                Error::bind(address, refused()),
                "cannot serve tftp on 10.0.0.1:69: ports below 1024 need a privilege",
                "run once: sudo setcap cap_net_bind_service=+ep $(command -v flasher); or give a `port:` of 1024 or more in the config and set U-Boot's `tftpdstp` to it",
            ),
            (
                Error::bind(address, io::ErrorKind::AddrNotAvailable.into()),
                "cannot serve tftp on 10.0.0.1:69: this machine has no such address",
                "`ip address` lists the addresses of this machine; give one of them as `host:`, or none",
            ),
            (
                Error::bind(SocketAddr::from(([10, 0, 0, 1], 6969)), refused()),
                "cannot serve tftp on 10.0.0.1:6969: permission denied",
                "check `host:` and `port:` in the config",
            ),
            (
                Error::Host("nowhere".into(), io::ErrorKind::NotFound.into()),
                "cannot find the address of the host `nowhere`: entity not found",
                "give `host:` as an address of this machine, or leave it out",
            ),
            (
                Error::root(Path::new("/srv/x"), refused()),
                "cannot serve the folder `/srv/x`: permission denied",
                "give a folder this user may read as `root_dir:`",
            ),
            (
                Error::BlksizeLimit(7),
                "`blksize_limit` is 7, expected 8 to 65464 bytes",
                "leave `blksize_limit` out to fit blocks to the network",
            ),
        ];
        for (error, text, help) in cases {
            let core = flasher_core::Error::from(error);
            assert_eq!((core.cause().as_str(), core.next_step()), (text, Some(help)));
        }
    }
}
