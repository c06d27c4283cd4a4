//! What goes wrong with a switch in the network, and what to do next. URLs are shown without user and query.

use flasher_core::switch::SwitchFailure;
use thiserror::Error as ThisError;

/// A config that makes no sense, or a switch that did not do its work.
#[derive(Clone, Debug, PartialEq, ThisError)]
pub enum Error {
    /// Neither a request nor a preset that has one.
    #[error("`{key}` is missing, expected a URL")]
    Lacking {
        /// The key.
        key: &'static str,
    },
    /// A preset, or a URL with `{host}`, without its host.
    #[error("`host` is missing, expected the name or address of the switch")]
    Host,
    /// A URL, or something else that is no host.
    #[error(
        "`host` is no host, expected a name or an address, with a port when it is not 80, and nothing else"
    )]
    NoHost,
    /// Something for a login without the user who is to log in.
    #[error("`{key}` has no effect without `user`: no login would be sent")]
    Idle {
        /// The key.
        key: &'static str,
    },
    /// Not a URL this driver can ask.
    #[error("`{key}` is no http or https URL")]
    Url {
        /// The key.
        key: &'static str,
    },
    /// A pattern, pointer or number that makes no sense.
    #[error("`{key}`: {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// Why.
        reason: String,
    },
    /// The password or the CA cannot be had.
    #[error("`{key}` cannot be used: {reason}")]
    File {
        /// The key.
        key: &'static str,
        /// Why.
        reason: String,
    },
    /// No connection.
    #[error("the power switch at `{url}` cannot be reached: {reason}")]
    Reach {
        /// The URL, shortened.
        url: String,
        /// Why.
        reason: String,
    },
    /// No answer in time.
    #[error("the power switch at `{url}` did not answer within {seconds} s")]
    Late {
        /// The URL, shortened.
        url: String,
        /// How long it had, seconds.
        seconds: f64,
    },
    /// User or password are wrong or missing.
    #[error("the power switch at `{url}` refuses the user: status {status}")]
    User {
        /// The URL, shortened.
        url: String,
        /// 401 or 403.
        status: u16,
    },
    /// The device asks for a login of another kind.
    #[error(
        "the power switch at `{url}` asks for a login that is not `Digest` with SHA-256 and `qop=\"auth\"`"
    )]
    Login {
        /// The URL, shortened.
        url: String,
    },
    /// Any other status that is no success.
    #[error("the power switch at `{url}` answered with status {status}")]
    Status {
        /// The URL, shortened.
        url: String,
        /// The status.
        status: u16,
    },
    /// It answered with a success, and said that it did nothing.
    #[error("the power switch at `{url}` does not take the order: `{said}`")]
    Refused {
        /// The URL, shortened.
        url: String,
        /// The beginning of the answer.
        said: String,
        /// Whether it asks for a login.
        of_the_user: bool,
    },
    /// The answer does not show the state.
    #[error("the power switch at `{url}` says neither on nor off, or both: `{said}`")]
    Unclear {
        /// The URL, shortened.
        url: String,
        /// The beginning of the answer.
        said: String,
        /// Whether a preset knows what it should answer.
        by_preset: bool,
    },
    /// The answer has no reading.
    #[error("the answer of `{url}` has no number at `{pointer}`")]
    Reading {
        /// The URL, shortened.
        url: String,
        /// The JSON pointer.
        pointer: String,
    },
}

impl SwitchFailure for Error {
    fn key(&self) -> Option<&'static str> {
        match self {
            Self::Lacking { key } | Self::Url { key } | Self::Value { key, .. } => Some(key),
            Self::Host | Self::NoHost => Some("host"),
            Self::Idle { key } => Some(key),
            _ => None,
        }
    }

    fn next_step(&self) -> String {
        self.help().to_owned()
    }

    /// Whether the same again may end otherwise: a switch restarts, a network recovers.
    fn may_pass(&self) -> bool {
        match self {
            Self::Reach { .. } | Self::Late { .. } => true,
            Self::Status { status, .. } => *status >= 500 || *status == 429,
            _ => false,
        }
    }

    fn file_key(&self) -> Option<&'static str> {
        match self {
            Self::File { key, .. } => Some(key),
            _ => None,
        }
    }
}

impl Error {
    fn help(&self) -> &'static str {
        match self {
            Self::Lacking { .. } => "`flasher drivers power-http` shows an example",
            Self::Host => "for example `host: 192.168.1.20`",
            Self::NoHost => "for example `host: 192.168.1.20`, without `http://` and path",
            Self::Idle { .. } => "add `user:` with the name that the device's web page asks for",
            Self::Url { .. } => "for example `http://{host}/relay/{outlet}?turn=on`",
            Self::Value { .. } => "`flasher drivers power-http` explains each key",
            Self::File { .. } => "it must be a file that this user may read",
            Self::Reach { .. } => "is it plugged in, and is this its address?",
            Self::Late { .. } => "is this its address? raise `timeout_seconds` if it is only slow",
            Self::User { .. } => "set `user` and `password_file` to what its web page takes",
            Self::Login { .. } => "try `auth: basic`",
            Self::Status { status: 404, .. } => "is `preset` the right one, and does it have this outlet?",
            Self::Status { .. } => "look at its web page; some need a restart",
            Self::Refused { of_the_user: true, .. } => {
                "set `user` and `password_file` to what its web page takes"
            }
            Self::Refused { .. } | Self::Unclear { by_preset: true, .. } => {
                "is `preset` the right one, and does it have this `outlet`?"
            }
            Self::Unclear { .. } => "set `status_on` and `status_off` to what it answers",
            Self::Reading { .. } => "set `voltage` and `current` to JSON pointers into its answer",
        }
    }
}
