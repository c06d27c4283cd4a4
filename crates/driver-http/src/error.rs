//! What can go wrong before the first request: binding, the folder, a published path.

use flasher_core::{Blame, Blamed};

/// Why the server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address or the folder cannot be used.
    #[error(transparent)]
    Serve(#[from] server_kit::Error),
    /// Content cannot be published there, or an upload taken.
    #[error(
        "cannot publish under `{0}`: expected a relative path like `images/disk.img`, without `.`, `..` or control characters"
    )]
    Path(String),
}

impl Blamed for Error {
    fn blame(&self) -> Blame {
        match self {
            Self::Serve(error) => error.blame(),
            Self::Path(_) => Blame::CONFIG.advise("publish under another path"),
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
        let address = std::net::SocketAddr::from(([10, 0, 0, 1], 80));
        let bind =
            |kind: std::io::ErrorKind| server_kit::Error::bind(Service::Http, address, kind.into()).into();
        let cases = [
            (
                bind(std::io::ErrorKind::OutOfMemory),
                Class::Infrastructure,
                "cannot serve http on 10.0.0.1:80: out of memory",
                "check `host:` and `port:` in the config",
            ),
            (
                bind(std::io::ErrorKind::AddrNotAvailable),
                Class::Infrastructure,
                "cannot serve http on 10.0.0.1:80: this machine has no such address",
                "`ip address` lists the addresses of this machine; give one of them as `host:`, or none",
            ),
            (
                Error::Path("../x".into()),
                Class::Config,
                "cannot publish under `../x`: expected a relative path like `images/disk.img`, without `.`, `..` or control characters",
                "publish under another path",
            ),
        ];
        for (error, class, text, help) in cases {
            let core = flasher_core::Error::from(error);
            assert_eq!((core.class(), core.cause().as_str(), core.next_step()), (class, text, Some(help)));
        }
    }
}
