//! How errors look on the wire: a status code, which decides the Python exception, and a text.
//!
//! The codes are those of docs/wire.md, Calls. NOT_FOUND and UNIMPLEMENTED mean a missing method to a client, and
//! FAILED_PRECONDITION an exporter that is not ready, so nothing else may use them.

use std::io;

use flasher_core::{Class, Error};
use tonic::{Code, Status};

/// Longest text of an error, bytes; headers of a response are bounded.
const LONGEST: usize = 2048;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallFailure {
    pub(crate) code: Code,
    pub(crate) text: String,
}

pub(crate) type CallResult<T> = Result<T, CallFailure>;

impl CallFailure {
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// An argument that makes no sense: `DriverInvalidArgument`, a `ValueError`.
    pub(crate) fn argument(text: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, text)
    }

    /// Another client or job has it.
    pub(crate) fn taken(text: impl Into<String>) -> Self {
        Self::new(Code::Aborted, text)
    }

    /// A job in another process has it; `error` names the job.
    pub(crate) fn held(error: &Error) -> Self {
        Self::taken(format!("{}; wait for it to end, or stop it", error.cause()))
    }

    /// A bound of ours.
    pub(crate) fn too_much(text: impl Into<String>) -> Self {
        Self::new(Code::ResourceExhausted, text)
    }

    /// The client went away meanwhile.
    pub(crate) fn gone() -> Self {
        Self::new(Code::Cancelled, "the client went away")
    }

    /// A failed operation on what the client calls `what`.
    pub(crate) fn io(action: &str, what: &str, error: &io::Error) -> Self {
        let text = format!("cannot {action} `{what}`: {error}");
        match error.kind() {
            io::ErrorKind::InvalidInput => Self::argument(text),
            io::ErrorKind::TimedOut => Self::new(Code::DeadlineExceeded, text),
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::new(Code::Unavailable, text),
            // A missing file is no missing method: `DriverError`, as from opendal.
            io::ErrorKind::NotFound => Self::new(Code::Unknown, text),
            _ => Self::new(Code::Internal, text),
        }
    }
}

impl From<Error> for CallFailure {
    fn from(error: Error) -> Self {
        let code = match error.class() {
            Class::Config => Code::InvalidArgument,
            Class::Infrastructure => Code::Unavailable,
            Class::Source | Class::Board | Class::Medium => Code::Unknown,
            Class::Internal => Code::Internal,
            Class::Interrupted => Code::Aborted,
        };
        let help = error.next_step().map(|help| format!("; {help}")).unwrap_or_default();
        Self::new(code, format!("{}{help}", error.cause()))
    }
}

impl From<CallFailure> for Error {
    /// For this process itself: the text has the next step in it.
    fn from(failure: CallFailure) -> Self {
        let class = match failure.code {
            Code::InvalidArgument | Code::Unimplemented | Code::NotFound => Class::Config,
            Code::Internal => Class::Internal,
            _ => Class::Infrastructure,
        };
        Self::new(class, failure.text).retryable(false)
    }
}

impl From<CallFailure> for Status {
    fn from(failure: CallFailure) -> Self {
        let mut text = failure.text;
        if text.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(end);
            text.push('…');
        }
        Self::new(failure.code, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_code_and_the_next_step_is_told() {
        let cases = [
            (Class::Config, Code::InvalidArgument),
            (Class::Source, Code::Unknown),
            (Class::Infrastructure, Code::Unavailable),
            (Class::Board, Code::Unknown),
            (Class::Medium, Code::Unknown),
            (Class::Internal, Code::Internal),
            (Class::Interrupted, Code::Aborted),
        ];
        for (class, code) in cases {
            let failure = CallFailure::from(Error::new(class, "it broke").help("mend it"));
            assert_eq!(failure, CallFailure::new(code, "it broke; mend it"), "{class}");
        }
    }

    #[test]
    fn a_failed_file_operation_never_looks_like_a_missing_method() {
        let cases = [
            (io::ErrorKind::NotFound, Code::Unknown),
            (io::ErrorKind::PermissionDenied, Code::Internal),
            (io::ErrorKind::TimedOut, Code::DeadlineExceeded),
            (io::ErrorKind::ConnectionRefused, Code::Unavailable),
            (io::ErrorKind::InvalidInput, Code::InvalidArgument),
        ];
        for (kind, code) in cases {
            let failure = CallFailure::io("open", "a.img", &kind.into());
            assert_eq!(failure.code, code);
            assert_eq!(failure.text, format!("cannot open `a.img`: {}", io::Error::from(kind)));
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let status = Status::from(CallFailure::argument("ü".repeat(4000)));
        assert_eq!(status.message(), format!("{}…", "ü".repeat(LONGEST / 2)));
    }
}
