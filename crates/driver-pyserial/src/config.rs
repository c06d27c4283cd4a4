//! What an exporter YAML says about a serial line, and what its URL means.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::ConfigError;

/// `config:` of a `serial` node.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A device path (`/dev/serial/by-id/…`, `/dev/ttyUSB0`), `socket://HOST:PORT`, or `loop://` for an echo.
    pub url: String,
    /// Bits a second; 8 data bits, no parity, 1 stop bit, no flow control.
    #[serde(default = "default_baudrate")]
    pub baudrate: u32,
    /// Look for the port before a job begins.
    #[serde(default = "default_check_present")]
    pub check_present: bool,
    /// Most characters a second that are sent, for boards that drop what comes faster; 0 or nothing is no limit.
    #[serde(default)]
    pub cps: Option<f64>,
    /// Leave DTR as it is when the port is closed, for boards that reset when it drops.
    #[serde(default)]
    pub disable_hupcl: bool,
}

fn default_baudrate() -> u32 {
    115_200
}

fn default_check_present() -> bool {
    true
}

impl Config {
    /// The pause after each byte that is sent; none without a limit.
    pub(crate) fn pause(&self) -> Result<Option<Duration>, ConfigError> {
        let Some(cps) = self.cps.filter(|cps| *cps != 0.0) else { return Ok(None) };
        let pause = Duration::try_from_secs_f64(1.0 / cps).ok().filter(|pause| *pause <= LONGEST_PAUSE);
        pause.map(Some).ok_or(ConfigError::Pace { cps })
    }
}

/// Longest pause between two bytes that makes sense.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// A device, or a link to one.
    Device(PathBuf),
    /// A private echo for each opening.
    Loop,
    /// Raw TCP; IPv6 hosts without brackets.
    Socket {
        /// Name or address.
        host: String,
        /// TCP port.
        port: u16,
    },
}

/// Schemes of pyserial that this build knows of but does not speak.
const NOT_SPOKEN: &[&str] = &["rfc2217", "spy", "alt", "hwgrep"];

impl Address {
    /// Reads a URL as pyserial does: what has no scheme is a device path.
    pub(crate) fn parse(url: &str) -> Result<Self, ConfigError> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return if url.is_empty() { Err(ConfigError::Empty) } else { Ok(Self::Device(url.into())) };
        };
        let url = url.to_owned();
        match scheme {
            "loop" => Ok(Self::Loop),
            "socket" => socket(rest).ok_or(ConfigError::Socket { url }),
            known if NOT_SPOKEN.contains(&known) => Err(ConfigError::NotSpoken { scheme: known.to_owned() }),
            other => Err(ConfigError::Scheme { scheme: other.to_owned() }),
        }
    }
}

fn socket(rest: &str) -> Option<Address> {
    let (host, port) = rest.strip_suffix('/').unwrap_or(rest).rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_plain = |host: &&str| !host.contains([':', '/', '@']);
    let host = bare.or(Some(host).filter(is_plain)).filter(|host| !host.is_empty())?.to_owned();
    let port = port.parse().ok().filter(|port| *port != 0)?;
    Some(Address::Socket { host, port })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(path) => write!(f, "{}", path.display()),
            Self::Loop => f.write_str("loop://"),
            Self::Socket { host, port } if host.contains(':') => write!(f, "socket://[{host}]:{port}"),
            Self::Socket { host, port } => write!(f, "socket://{host}:{port}"),
        }
    }
}
