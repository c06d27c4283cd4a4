//! What goes wrong with a switch in the network, and what to do next. URLs are shown without user and query.

use flasher_core::{Blame, Blamed};
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

impl Blamed for Error {
    /// A switch restarts, a network recovers; nothing else changes by waiting.
    fn blame(&self) -> Blame {
        match self {
            Self::Lacking { key } => {
                Blame::CONFIG.at(key).advise("`flasher drivers power-http` shows an example")
            }
            Self::Host => Blame::CONFIG.at("host").advise("for example `host: 192.168.1.20`"),
            Self::NoHost => Blame::CONFIG
                .at("host")
                .advise("for example `host: 192.168.1.20`, without `http://` and path"),
            Self::Idle { key } => {
                Blame::CONFIG.at(key).advise("add `user:` with the name that the device's web page asks for")
            }
            Self::Url { key } => {
                Blame::CONFIG.at(key).advise("for example `http://{host}/relay/{outlet}?turn=on`")
            }
            Self::Value { key, .. } => {
                Blame::CONFIG.at(key).advise("`flasher drivers power-http` explains each key")
            }
            Self::File { key, .. } => {
                Blame::LASTING.at(key).advise("it must be a file that this user may read")
            }
            Self::Reach { .. } => Blame::PASSING.advise("is it plugged in, and is this its address?"),
            Self::Late { .. } => {
                Blame::PASSING.advise("is this its address? raise `timeout_seconds` if it is only slow")
            }
            Self::User { .. } | Self::Refused { of_the_user: true, .. } => {
                Blame::LASTING.advise("set `user` and `password_file` to what its web page takes")
            }
            Self::Login { .. } => Blame::LASTING.advise("try `auth: basic`"),
            Self::Status { status: 404, .. } => {
                Blame::LASTING.advise("is `preset` the right one, and does it have this outlet?")
            }
            Self::Status { status: 429 | 500.., .. } => {
                Blame::PASSING.advise("look at its web page; some need a restart")
            }
            Self::Status { .. } => Blame::LASTING.advise("look at its web page; some need a restart"),
            Self::Refused { .. } | Self::Unclear { by_preset: true, .. } => {
                Blame::LASTING.advise("is `preset` the right one, and does it have this `outlet`?")
            }
            Self::Unclear { .. } => {
                Blame::LASTING.advise("set `status_on` and `status_off` to what it answers")
            }
            Self::Reading { .. } => {
                Blame::LASTING.advise("set `voltage` and `current` to JSON pointers into its answer")
            }
        }
    }
}
