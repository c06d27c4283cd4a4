//! How a command fails, and what its exit code is.

use std::io;

use exporter_yaml::Findings;
use flasher_core::{Class, Error};

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Problems of a file, each with its position.
    Findings(Findings),
    /// Anything with a class.
    Error(Error),
    /// Standard output (or the runtime) gave way.
    Output(io::Error),
}

impl Failure {
    /// The exit code; a reader that is gone is no failure.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Findings(_) => Class::Config.exit_code(),
            Self::Error(error) => error.class().exit_code(),
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Output(_) => Class::Infrastructure.exit_code(),
        }
    }
}

impl From<Findings> for Failure {
    fn from(findings: Findings) -> Self {
        Self::Findings(findings)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_success_and_a_full_disk_is_not() {
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).exit_code(), 0);
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::StorageFull)).exit_code(), 4);
        assert_eq!(Failure::from(Error::new(Class::Medium, "worn out")).exit_code(), 6);
        assert_eq!(Failure::from(Findings(Vec::new())).exit_code(), 2);
    }
}
