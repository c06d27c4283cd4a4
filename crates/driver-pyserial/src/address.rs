//! What a URL names.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::ConfigError;

/// What a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// A device, or a link to one.
    Device(PathBuf),
    /// A private echo for each opening.
    Loop,
    /// Raw TCP.
    Socket(Host),
    /// A port server that takes settings and control lines as RFC 2217 says.
    Rfc2217 {
        /// Where it is.
        host: Host,
        /// Whether control lines are left alone (pyserial's `ign_set_control`).
        leave_lines: bool,
    },
    /// Another line, whose traffic is written to a file.
    Spy {
        /// The file.
        file: PathBuf,
        /// The line.
        line: Box<Address>,
    },
}

/// Host and TCP port; IPv6 addresses without brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// Name or address.
    pub(crate) name: String,
    /// TCP port.
    pub(crate) port: u16,
}

/// Schemes of pyserial that this build knows of but does not speak.
const NOT_SPOKEN: &[&str] = &["alt", "hwgrep", "cp2110"];
/// Options of pyserial's `spy://` other than `file`; they say how it looks there.
const SPY_LOOKS: &[&str] = &["color", "raw", "all"];
/// Options of pyserial's `rfc2217://` that change nothing here: answers have a deadline anyway.
const RFC2217_LOOKS: &[&str] = &["logging", "poll_modem", "timeout"];

impl Address {
    /// Reads a URL as pyserial does: what has no scheme is a device path.
    pub(crate) fn parse(url: &str) -> Result<Self, ConfigError> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return if url.is_empty() { Err(ConfigError::Empty) } else { Ok(Self::Device(url.into())) };
        };
        let url = url.to_owned();
        match scheme {
            "loop" => Ok(Self::Loop),
            "socket" => {
                Host::parse(rest).map(Self::Socket).ok_or(ConfigError::Host { scheme: "socket", url })
            }
            "rfc2217" => rfc2217(rest, url),
            "spy" => spy(rest, url),
            known if NOT_SPOKEN.contains(&known) => Err(ConfigError::NotSpoken { scheme: known.to_owned() }),
            other => Err(ConfigError::Scheme { scheme: other.to_owned() }),
        }
    }

    /// The same with relative paths taken from a folder.
    pub(crate) fn within(self, folder: impl Fn(&Path) -> PathBuf + Copy) -> Self {
        match self {
            Self::Device(path) => Self::Device(folder(&path)),
            Self::Spy { file, line } => {
                Self::Spy { file: folder(&file), line: Box::new(line.within(folder)) }
            }
            other => other,
        }
    }

    /// The files that the traffic is written to.
    pub(crate) fn spies(&self) -> Vec<PathBuf> {
        match self {
            Self::Spy { file, line } => std::iter::once(file.clone()).chain(line.spies()).collect(),
            _ => Vec::new(),
        }
    }

    /// The line itself, without what is wrapped around it.
    pub(crate) fn innermost(&self) -> &Self {
        match self {
            Self::Spy { line, .. } => line.innermost(),
            other => other,
        }
    }
}

impl Host {
    fn parse(rest: &str) -> Option<Self> {
        let (host, port) = rest.strip_suffix('/').unwrap_or(rest).rsplit_once(':')?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_plain = |host: &&str| !host.contains([':', '/', '@']);
        let name = bare.or(Some(host).filter(is_plain)).filter(|host| !host.is_empty())?.to_owned();
        let port = port.parse().ok().filter(|port| *port != 0)?;
        Some(Self { name, port })
    }
}

fn rfc2217(rest: &str, url: String) -> Result<Address, ConfigError> {
    let (host, options) = rest.split_once('?').unwrap_or((rest, ""));
    let host = Host::parse(host).ok_or(ConfigError::Host { scheme: "rfc2217", url: url.clone() })?;
    let mut leave_lines = false;
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split('=').next().unwrap_or_default() {
            "ign_set_control" => leave_lines = true,
            known if RFC2217_LOOKS.contains(&known) => {}
            _ => return Err(ConfigError::Option { option: option.to_owned(), url }),
        }
    }
    Ok(Address::Rfc2217 { host, leave_lines })
}

/// `spy://FILE?URL`, or pyserial's `spy://URL?file=FILE`.
fn spy(rest: &str, url: String) -> Result<Address, ConfigError> {
    let (first, second) = rest.split_once('?').ok_or(ConfigError::Spy { url: url.clone() })?;
    let options: Vec<&str> = second.split('&').collect();
    let named = options.iter().find_map(|option| option.strip_prefix("file="));
    let (file, line) = match named {
        Some(file) => {
            let odd = options.iter().find(|it| !it.starts_with("file=") && !SPY_LOOKS.contains(it));
            if let Some(odd) = odd {
                return Err(ConfigError::Option { option: (*odd).to_owned(), url });
            }
            (file, first)
        }
        None => (first, second),
    };
    if file.is_empty() || line.is_empty() {
        return Err(ConfigError::Spy { url });
    }
    Ok(Address::Spy { file: file.into(), line: Box::new(Address::parse(line)?) })
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, port) = (&self.name, self.port);
        if name.contains(':') { write!(f, "[{name}]:{port}") } else { write!(f, "{name}:{port}") }
    }
}

/// The line itself: what a message is about, whatever is wrapped around it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(path) => write!(f, "{}", path.display()),
            Self::Loop => f.write_str("loop://"),
            Self::Socket(host) => write!(f, "socket://{host}"),
            Self::Rfc2217 { host, .. } => write!(f, "rfc2217://{host}"),
            Self::Spy { line, .. } => line.fmt(f),
        }
    }
}
