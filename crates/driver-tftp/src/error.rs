//! What can go wrong before the first request: the config, binding, the folder.

use flasher_core::{Blame, Blamed};

/// Why the server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address or the folder cannot be used.
    #[error(transparent)]
    Serve(#[from] server_kit::Error),
    /// The block size limit makes no sense.
    #[error("`blksize_limit` is {0}, expected 8 to 65464 bytes")]
    BlksizeLimit(u16),
    /// No client can be let send a file of this name.
    #[error(
        "cannot take `{0}` from a client: expected a relative path without `.`, `..` or control characters, and 64 files at most"
    )]
    Announced(String),
}

impl Blamed for Error {
    fn blame(&self) -> Blame {
        match self {
            Self::Serve(error) => error.blame(),
            Self::BlksizeLimit(_) => Blame::CONFIG
                .at("blksize_limit")
                .advise("leave `blksize_limit` out to fit blocks to the network"),
            Self::Announced(_) => Blame::CONFIG.advise("announce it under another name"),
        }
    }
}

#[cfg(test)]
mod tests {
    use flasher_core::Class;
    use server_kit::Service;

    use super::*;

    #[test]
    fn every_error_says_who_is_to_blame_and_what_next() {
        let address = std::net::SocketAddr::from(([10, 0, 0, 1], 69));
        let bind =
            |kind: std::io::ErrorKind| server_kit::Error::bind(Service::Tftp, address, kind.into()).into();
        let cases = [
            (
                bind(std::io::ErrorKind::OutOfMemory),
                Class::Infrastructure,
                "cannot serve tftp on 10.0.0.1:69: out of memory",
                "check `host:` and `port:` in the config",
            ),
            (
                bind(std::io::ErrorKind::AddrNotAvailable),
                Class::Infrastructure,
                "cannot serve tftp on 10.0.0.1:69: this machine has no such address",
                "`ip address` lists the addresses of this machine; give one of them as `host:`, or none",
            ),
            (
                Error::BlksizeLimit(7),
                Class::Config,
                "`blksize_limit` is 7, expected 8 to 65464 bytes",
                "leave `blksize_limit` out to fit blocks to the network",
            ),
        ];
        let announced = (
            Error::Announced("../x".into()),
            Class::Config,
            "cannot take `../x` from a client: expected a relative path without `.`, `..` or control characters, and 64 files at most",
            "announce it under another name",
        );
        for (error, class, text, help) in cases.into_iter().chain([announced]) {
            let core = flasher_core::Error::from(error);
            assert_eq!((core.class(), core.cause().as_str(), core.next_step()), (class, text, Some(help)));
        }
    }
}
