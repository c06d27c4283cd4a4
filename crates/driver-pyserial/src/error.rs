//! What goes wrong with a serial line, and what to do next.

use std::io;

use flasher_core::{Blame, Blamed, RootCause};
use thiserror::Error as ThisError;

/// A config value that makes no sense.
#[derive(Clone, Debug, PartialEq, ThisError)]
pub enum ConfigError {
    /// The URL is empty.
    #[error(
        "`url` is empty, expected a device path, `socket://HOST:PORT`, `rfc2217://HOST:PORT`, `spy://FILE?URL` or `loop://`"
    )]
    Empty,
    /// The scheme is nobody's.
    #[error(
        "`{scheme}://` is no kind of serial port, expected a device path, `socket://HOST:PORT`, `rfc2217://HOST:PORT`, `spy://FILE?URL` or `loop://`"
    )]
    Scheme {
        /// What stands before `://`.
        scheme: String,
    },
    /// The scheme is pyserial's, but not ours.
    #[error(
        "this build does not speak `{scheme}://`, expected a device path, `socket://HOST:PORT`, `rfc2217://HOST:PORT`, `spy://FILE?URL` or `loop://`"
    )]
    NotSpoken {
        /// What stands before `://`.
        scheme: String,
    },
    /// A server without host or port.
    #[error("`{url}` does not name a host and a port, expected `{scheme}://HOST:PORT`")]
    Host {
        /// What stands before `://`.
        scheme: &'static str,
        /// The URL.
        url: String,
    },
    /// A spy without file or line.
    #[error("`{url}` does not name a file and a line, expected `spy://FILE?URL`")]
    Spy {
        /// The URL.
        url: String,
    },
    /// An unknown option of a URL.
    #[error("`{option}` in `{url}` is no option of such a URL")]
    Option {
        /// The option.
        option: String,
        /// The URL.
        url: String,
    },
    /// 0 baud would hang up.
    #[error("`baudrate` is 0, expected bits a second, for example 115200")]
    Baudrate,
    /// A count of bits that no port has.
    #[error("`{key}` is {bits}, expected {expected}")]
    Bits {
        /// The key.
        key: &'static str,
        /// The value.
        bits: u8,
        /// What ports have.
        expected: &'static str,
    },
    /// Not a sensible time.
    #[error("`reopen_seconds` is {seconds}, expected 0 to 600")]
    Away {
        /// The value.
        seconds: f64,
    },
    /// Not a sensible size.
    #[error("`part_mib` is {mib}, expected 1 to 4096")]
    Part {
        /// The value.
        mib: u64,
    },
    /// Negative, not finite, or slower than a byte a minute.
    #[error("`cps` is {cps}, expected characters a second, at least one a minute (0.0167)")]
    Pace {
        /// The value.
        cps: f64,
    },
}

impl Blamed for ConfigError {
    fn blame(&self) -> Blame {
        let (key, next_step) = match self {
            Self::Empty | Self::Scheme { .. } => {
                ("url", "`ls -l /dev/serial/by-id` shows the ports of this machine")
            }
            Self::NotSpoken { .. } => {
                ("url", "let the port server offer raw TCP and use `socket://HOST:PORT`")
            }
            Self::Host { .. } => ("url", "an IPv6 address goes in brackets: `[::1]:4000`"),
            Self::Spy { .. } => ("url", "for example `spy:///tmp/uart.log?/dev/ttyUSB0`"),
            Self::Option { .. } => ("url", "leave it out"),
            Self::Baudrate => ("baudrate", "most boards talk at 115200"),
            Self::Bits { key, .. } => (*key, "most boards talk 8 data bits, no parity, 1 stop bit"),
            Self::Away { .. } => {
                ("reopen_seconds", "leave it out: ports under /dev/serial/by-id are waited for")
            }
            Self::Part { .. } => ("part_mib", "leave it out for 16"),
            Self::Pace { .. } => ("cps", "leave `cps` out to send without pauses"),
        };
        Blame::CONFIG.at(key).advise(next_step)
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
    /// Another process has it.
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
    /// The line does not run as asked.
    #[error("`{port}` does not take {asked}{}", instead(.got))]
    Setting {
        /// The port or URL.
        port: String,
        /// For example `3000000 baud`.
        asked: String,
        /// What it runs at instead, when it says so.
        got: Option<String>,
    },
    /// The server speaks something else.
    #[error("`{url}` does not speak RFC 2217: {reason}")]
    NotRfc2217 {
        /// The URL.
        url: String,
        /// What it did.
        reason: String,
    },
    /// The device is gone, and did not come back.
    #[error("the serial port `{port}` vanished{}", waited(.seconds))]
    Vanished {
        /// The port as the config names it.
        port: String,
        /// How long was waited, seconds.
        seconds: f64,
    },
    /// A file beside the line cannot be written.
    #[error("cannot write `{file}`: {reason}")]
    File {
        /// The file.
        file: String,
        /// What the system said.
        reason: String,
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

fn instead(got: &Option<String>) -> String {
    got.as_ref().map(|got| format!(", it runs at {got}")).unwrap_or_default()
}

fn waited(seconds: &f64) -> String {
    if *seconds == 0.0 { String::new() } else { format!(" and did not come back within {seconds} s") }
}

fn by(holder: &Option<String>) -> String {
    holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default()
}

impl PortError {
    /// Whether a server took the connection and ended it.
    pub(crate) fn is_hang_up(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        let kinds = [BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof];
        matches!(self, Self::Connect { source, .. } if kinds.contains(&source.kind()))
    }
}

impl Blamed for PortError {
    /// Most of these do not change by waiting; a port that is missing may come back, and a server may answer. A port that is just being
    /// closed was waited for.
    fn blame(&self) -> Blame {
        let root = match self {
            Self::Busy { .. } => RootCause::LineTaken,
            Self::Vanished { .. } => RootCause::LineGone,
            Self::File { .. } => return self.who(),
            _ => RootCause::LineMissing,
        };
        self.who().caused_by(root)
    }
}

impl PortError {
    fn who(&self) -> Blame {
        match self {
            Self::Missing { others, .. } if others.is_empty() => Blame::PASSING
                .advise("this machine has no serial port: plug in the adapter, then look at `dmesg | tail`"),
            Self::Missing { others, .. } => {
                let named: Vec<String> = others.iter().map(|port| format!("`{port}`")).collect();
                Blame::PASSING.advise(format!("this machine has: {}", named.join(", ")))
            }
            Self::Denied { group: Some(group), .. } => Blame::LASTING
                .advise(format!("the group `{group}` may: `sudo usermod -aG {group} $USER`, then log in again")),
            Self::Denied { group: None, .. } => {
                Blame::LASTING.advise("no group may: ask who set the permissions of this device")
            }
            Self::Busy { holder: Some(_), .. } => Blame::LASTING.advise(
                "end it, or use another port; `flasher console --watch` shows what another flasher hears",
            ),
            Self::Busy { holder: None, .. } => Blame::LASTING.advise("`sudo fuser -v PORT` shows who has it"),
            Self::Setting { .. } => {
                Blame::LASTING.advise("use what board and adapter can both do; most boards talk at 115200 8N1")
            }
            Self::NotRfc2217 { .. } => Blame::LASTING.advise("for raw TCP use `socket://HOST:PORT`"),
            Self::Vanished { .. } => Blame::PASSING.advise(
                "is the adapter plugged in, and powered by something other than the board? look at `dmesg | tail`",
            ),
            Self::File { .. } => Blame::LASTING.advise("choose a folder that this user may write"),
            Self::NotSerial { .. } => {
                Blame::LASTING.advise("`ls -l /dev/serial/by-id` shows the ports of this machine")
            }
            Self::System { .. } => Blame::PASSING.advise("unplug and plug the adapter, then look at `dmesg | tail`"),
            Self::Connect { .. } | Self::Deadline { .. } => Blame::PASSING.advise(
                "is the port server running, and is its port free? most serve one connection at a time",
            ),
        }
    }
}
