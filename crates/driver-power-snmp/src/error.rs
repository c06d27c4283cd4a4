//! What goes wrong with a PDU, and what to do next. The community is never shown.

use flasher_core::{Blame, Blamed};
use thiserror::Error as ThisError;

/// A config that makes no sense, or a PDU that did not do its work.
#[derive(Clone, Debug, PartialEq, ThisError)]
pub enum Error {
    /// Neither given nor known by a preset.
    #[error("`{key}` is missing, expected it or a `preset`")]
    Lacking {
        /// The key.
        key: &'static str,
    },
    /// A preset without its outlet.
    #[error("`outlet` is missing, expected the number printed beside it, from 1")]
    Outlet,
    /// A URL, or something else that is no host.
    #[error("`host` is no host, expected the name or the address of the PDU and nothing else")]
    Host,
    /// Not an object identifier.
    #[error("`{key}` is `{text}`, expected numbers with dots between")]
    Oid {
        /// The key.
        key: &'static str,
        /// The value.
        text: String,
    },
    /// The file with the community cannot be read.
    #[error("`community_file` cannot be used: {reason}")]
    File {
        /// Why.
        reason: String,
    },
    /// No such host, or no way there.
    #[error("the PDU `{pdu}` cannot be reached: {reason}")]
    Reach {
        /// Host and port.
        pdu: String,
        /// Why.
        reason: String,
    },
    /// A wrong community is not answered either.
    #[error("the PDU `{pdu}` did not answer within {seconds} s")]
    Late {
        /// Host and port.
        pdu: String,
        /// How long it had, seconds.
        seconds: f64,
    },
    /// It answered that it will not.
    #[error("the PDU `{pdu}` refuses to {what}: {reason}")]
    Refused {
        /// Host and port.
        pdu: String,
        /// `set` or `tell`, and what.
        what: &'static str,
        /// Its error status in words.
        reason: String,
    },
    /// The state is another value.
    #[error("the PDU `{pdu}` reports the state {said}, expected {on} for on or {off} for off")]
    Unclear {
        /// Host and port.
        pdu: String,
        /// What it said.
        said: String,
        /// Value for on.
        on: i64,
        /// Value for off.
        off: i64,
    },
    /// The answer is no SNMP.
    #[error("the PDU `{pdu}` answered with what is no SNMP: {reason}")]
    Broken {
        /// Host and port.
        pdu: String,
        /// What the parser said.
        reason: String,
    },
}

impl Blamed for Error {
    fn blame(&self) -> Blame {
        match self {
            Self::Lacking { key } => {
                Blame::CONFIG.at(key).advise("`flasher drivers power-snmp` shows an example")
            }
            Self::Host => {
                Blame::CONFIG.at("host").advise("for example `host: pdu.lab.example`; the port is `port:`")
            }
            Self::Outlet => Blame::CONFIG.at("outlet").advise("for example `outlet: 3`"),
            Self::Oid { key, .. } => {
                Blame::CONFIG.at(key).advise("for example `1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.3`")
            }
            Self::File { .. } => {
                Blame::LASTING.at("community_file").advise("it must be a file that this user may read")
            }
            Self::Reach { .. } => Blame::PASSING.advise("is this its name, and is there a route to it?"),
            Self::Late { .. } => Blame::PASSING
                .advise("is SNMP switched on there, and does `community` match? a wrong one is not answered"),
            Self::Refused { .. } => {
                Blame::LASTING.advise("may this community write, and does the PDU have this outlet?")
            }
            Self::Unclear { .. } => {
                Blame::LASTING.advise("set `status_on` and `status_off` to what it reports")
            }
            Self::Broken { .. } => Blame::PASSING.advise("is it a PDU that speaks SNMP v1 or v2c?"),
        }
    }
}
