//! What goes wrong with a serial line, and what to do next.

use std::io;

use flasher_core::Error;
use thiserror::Error as ThisError;

/// A config value that makes no sense.
#[derive(Clone, Debug, PartialEq, ThisError)]
pub enum ConfigError {
    /// The URL is empty.
    #[error("`url` is empty, expected a device path, `socket://HOST:PORT` or `loop://`")]
    Empty,
    /// The scheme is nobody's.
    #[error(
        "`{scheme}://` is no kind of serial port, expected a device path, `socket://HOST:PORT` or `loop://`"
    )]
    Scheme {
        /// What stands before `://`.
        scheme: String,
    },
    /// The scheme is pyserial's, but not ours.
    #[error(
        "this build does not speak `{scheme}://`, expected a device path, `socket://HOST:PORT` or `loop://`"
    )]
    NotSpoken {
        /// What stands before `://`.
        scheme: String,
    },
    /// A socket without host or port.
    #[error("`{url}` does not name a host and a port, expected `socket://HOST:PORT`")]
    Socket {
        /// The URL.
        url: String,
    },
    /// 0 baud would hang up.
    #[error("`baudrate` is 0, expected bits a second, for example 115200")]
    Baudrate,
    /// Negative, not finite, or slower than a byte a minute.
    #[error("`cps` is {cps}, expected characters a second, at least one a minute (0.0167)")]
    Pace {
        /// The value.
        cps: f64,
    },
}

impl ConfigError {
    fn key(&self) -> &'static str {
        match self {
            Self::Empty | Self::Scheme { .. } | Self::NotSpoken { .. } | Self::Socket { .. } => "url",
            Self::Baudrate => "baudrate",
            Self::Pace { .. } => "cps",
        }
    }

    fn next_step(&self) -> &'static str {
        match self {
            Self::Empty | Self::Scheme { .. } => "`ls -l /dev/serial/by-id` shows the ports of this machine",
            Self::NotSpoken { .. } => "let the port server offer raw TCP and use `socket://HOST:PORT`",
            Self::Socket { .. } => "an IPv6 address goes in brackets: `socket://[::1]:4000`",
            Self::Baudrate => "most boards talk at 115200",
            Self::Pace { .. } => "leave `cps` out to send without pauses",
        }
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::config(error.to_string()).with("key", error.key()).help(error.next_step())
    }
}

/// A port that cannot be had.
#[derive(Debug, ThisError)]
pub enum PortError {
    /// No such device.
    #[error("there is no serial port `{port}`")]
    Missing {
        /// The port as the config names it.
        port: String,
        /// The ports there are.
        others: Vec<String>,
    },
    /// No permission.
    #[error("no permission to open `{port}`")]
    Denied {
        /// The port as the config names it.
        port: String,
        /// The group that may open it, when one may.
        group: Option<String>,
    },
    /// Somebody else has it.
    #[error("port is in use: `{port}`{}", by(.holder))]
    Busy {
        /// The port as the config names it.
        port: String,
        /// Who has it, when that could be found out.
        holder: Option<String>,
    },
    /// A file, a folder or another kind of device.
    #[error("`{port}` is no serial port")]
    NotSerial {
        /// The port as the config names it.
        port: String,
    },
    /// Any other refusal of the system.
    #[error("cannot open `{port}`: {reason}")]
    System {
        /// The port as the config names it.
        port: String,
        /// What the system said.
        reason: String,
    },
    /// The TCP connection failed.
    #[error("cannot connect to `{url}`: {source}")]
    Connect {
        /// The URL.
        url: String,
        /// Why.
        source: io::Error,
    },
    /// It took too long.
    #[error("`{url}` did not open within {seconds} s")]
    Deadline {
        /// The port or URL.
        url: String,
        /// How long was waited, seconds.
        seconds: u64,
    },
}

fn by(holder: &Option<String>) -> String {
    holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default()
}

impl PortError {
    fn next_step(&self) -> String {
        match self {
            Self::Missing { others, .. } if others.is_empty() => {
                "this machine has no serial port: plug in the adapter, then look at `dmesg | tail`".to_owned()
            }
            Self::Missing { others, .. } => {
                let named: Vec<String> = others.iter().map(|port| format!("`{port}`")).collect();
                format!("this machine has: {}", named.join(", "))
            }
            Self::Denied { group: Some(group), .. } => {
                format!("the group `{group}` may: `sudo usermod -aG {group} $USER`, then log in again")
            }
            Self::Denied { group: None, .. } => {
                "no group may: ask who set the permissions of this device".to_owned()
            }
            Self::Busy { holder: Some(_), .. } => "end it, or use another port".to_owned(),
            Self::Busy { holder: None, .. } => "`sudo fuser -v PORT` shows who has it".to_owned(),
            Self::NotSerial { .. } => "`ls -l /dev/serial/by-id` shows the ports of this machine".to_owned(),
            Self::System { .. } => "unplug and plug the adapter, then look at `dmesg | tail`".to_owned(),
            Self::Connect { .. } | Self::Deadline { .. } => {
                "is the port server running, and is its port free? most serve one connection at a time"
                    .to_owned()
            }
        }
    }
}

impl From<PortError> for Error {
    fn from(error: PortError) -> Self {
        let help = error.next_step();
        // Waiting changes nothing about these; a busy or missing port may come back.
        let hopeless = matches!(error, PortError::Denied { .. } | PortError::NotSerial { .. });
        let converted = Self::infrastructure(error.to_string()).help(help);
        if hopeless { converted.retryable(false) } else { converted }
    }
}
