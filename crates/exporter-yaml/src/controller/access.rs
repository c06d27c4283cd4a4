//! Where a controller is, and as whom an exporter or a client is known there.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::prelude::BASE64_STANDARD;
use base64::{DecodeError, Engine as _};
use strict_yaml::{Problem, YamlNode};

use super::shape::{Metadata, OptionValue, Tls};
use crate::path::below;

/// Options of gRPC that are honoured, in milliseconds; and those that have no meaning where pings are not bounded.
const KEEPALIVE: &str = "grpc.keepalive_time_ms";
const KEEPALIVE_TIMEOUT: &str = "grpc.keepalive_timeout_ms";
const NO_MEANING: [&str; 3] =
    ["grpc.keepalive_permit_without_calls", "grpc.http2.max_pings_without_data", "grpc.lb_policy_name"];
/// Variables that stand for `tls.insecure`.
const UNVERIFIED: [&str; 2] = ["JMP_GRPC_INSECURE", "JUMPSTARTER_GRPC_INSECURE"];

/// A controller, and as whom an exporter or a client is known there.
#[derive(Clone, Debug)]
pub struct ControllerAccess {
    /// Where the controller is, `host:port`.
    pub endpoint: String,
    /// The namespace there.
    pub namespace: String,
    /// The name there.
    pub name: String,
    /// What proves it.
    pub token: ControllerToken,
    /// PEM of the authority that signs the certificates of controller and router; none for the system's own.
    pub authority: Option<Vec<u8>>,
    /// Whether any certificate will do.
    pub insecure: bool,
    /// How often a silent connection is asked for a sign of life, and how long that may take.
    pub keepalive: (Duration, Duration),
    /// Options of gRPC that have no effect here.
    pub unused_options: Vec<String>,
}

/// The token of an exporter or a client. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ControllerToken(String);

impl ControllerToken {
    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ControllerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ControllerToken(_)")
    }
}

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Exporter,
    Client,
}

impl Role {
    /// What to do about a key that is missing.
    fn help(self, key: &str) -> &'static str {
        match (self, key) {
            (_, "namespace") => "the lab's administrator knows it, or set JMP_NAMESPACE",
            (Self::Exporter, "name") => "give the name of the exporter in the lab, or set JMP_NAME",
            (Self::Client, "name") => "give the name of the client in the lab, or set JMP_NAME",
            (_, "endpoint") => "give the controller's address as HOST:PORT",
            (Self::Exporter, _) => "the lab's administrator has it: it is in the secret `NAME-exporter`",
            (Self::Client, _) => {
                "`jmp login` gets one, and the lab's administrator has one: it is in the secret `NAME-client`"
            }
        }
    }

    /// The variable that stands in for a key that is missing.
    fn variable(self, key: &str) -> Option<&'static str> {
        match (self, key) {
            (_, "namespace") => Some("JMP_NAMESPACE"),
            (_, "name") => Some("JMP_NAME"),
            (Self::Client, "endpoint") => Some("JMP_ENDPOINT"),
            (Self::Client, "token") => Some("JMP_TOKEN"),
            _ => None,
        }
    }
}

/// The keys about it, as written.
pub(super) struct WrittenAccess {
    pub(super) metadata: Option<Metadata>,
    pub(super) endpoint: Option<String>,
    pub(super) token: Option<String>,
    pub(super) tls: Option<Tls>,
    pub(super) grpc_options: Option<BTreeMap<String, OptionValue>>,
}

impl WrittenAccess {
    /// What was written, with what stands in for what was not; none when a problem was found.
    pub(super) fn settings(
        self,
        role: Role,
        root: &YamlNode,
        variable: impl Fn(&str) -> Option<String>,
        problems: &mut Vec<Problem>,
    ) -> Option<ControllerAccess> {
        let is_said = |text: &String| !text.is_empty();
        let metadata = self.metadata.unwrap_or_default();
        let mut needed = |above: Option<&str>, key: &str, value: Option<String>| {
            let stands_in = || role.variable(key).and_then(&variable).filter(is_said);
            let value = value.filter(is_said).or_else(stands_in);
            if value.is_none() {
                problems.push(missing(above, key, root).help(role.help(key)));
            }
            value
        };
        let namespace = needed(Some("metadata"), "namespace", metadata.namespace);
        let name = needed(Some("metadata"), "name", metadata.name);
        let endpoint = needed(None, "endpoint", self.endpoint);
        let token = needed(None, "token", self.token);
        let endpoint = endpoint.filter(|it| is_address(it, problems));
        let tls = self.tls.unwrap_or_default();
        let authority = tls.ca.filter(is_said).and_then(|ca| authority(&ca, problems));
        let (keepalive, unused_options) = options(self.grpc_options.unwrap_or_default());
        let is_unverified = UNVERIFIED.iter().any(|it| variable(it).as_deref() == Some("1"));
        Some(ControllerAccess {
            endpoint: endpoint?,
            namespace: namespace?,
            name: name?,
            token: ControllerToken(token?.trim().to_owned()),
            authority,
            insecure: tls.insecure.unwrap_or(false) || is_unverified,
            keepalive,
            unused_options,
        })
    }
}

/// The problem of a key that is missing, at the nearest place above it.
fn missing(above: Option<&str>, key: &str, root: &YamlNode) -> Problem {
    let path: Vec<String> = above.into_iter().chain([key]).map(str::to_owned).collect();
    let message = format!("`{}` is missing, which a controller needs", path.join("."));
    let at = if root.get(&path[0]).is_some() { &path[..1] } else { &[] };
    Problem::key(at, message)
}

/// Whether `text` is `host:port`.
fn is_address(text: &str, problems: &mut Vec<Problem>) -> bool {
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !host.contains('/'));
    if port.is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        return true;
    }
    let message = format!("`{text}` is no address of a controller");
    let at = below(&[], "endpoint");
    problems
        .push(Problem::value(&at, message).help("give HOST:PORT, for example `controller.example.org:8082`"));
    false
}

fn authority(text: &str, problems: &mut Vec<Problem>) -> Option<Vec<u8>> {
    let packed: String = text.split_whitespace().collect();
    let refused = match BASE64_STANDARD.decode(&packed) {
        Ok(pem) => return Some(pem),
        Err(refused) => refused,
    };
    let why = match refused {
        _ if packed.starts_with("-----BEGIN") => "it is the PEM itself".to_owned(),
        DecodeError::InvalidByte(at, byte) => {
            format!("it has `{}` as its character {}", char::from(byte).escape_default(), at + 1)
        }
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => {
            format!("it was cut: {} characters are no whole number of bytes", packed.len())
        }
        DecodeError::InvalidLastSymbol(at, _) => format!("it was cut or changed at its character {}", at + 1),
    };
    let at = ["tls".to_owned(), "ca".to_owned()];
    let help = "give the PEM file of the authority in base64, as `base64 -w0 ca.pem` prints it";
    problems.push(Problem::value(&at, format!("`tls.ca` is no base64: {why}")).help(help));
    None
}

/// How often a connection is asked for a sign of life, and the names of the options that have no effect here.
fn options(written: BTreeMap<String, OptionValue>) -> ((Duration, Duration), Vec<String>) {
    let mut keepalive = (Duration::from_secs(20), Duration::from_secs(180));
    let mut unused = Vec::new();
    for (name, value) in written {
        let milliseconds = match &value {
            OptionValue::Whole(number) => u64::try_from(*number).ok(),
            OptionValue::Text(text) => text.parse().ok(),
        };
        let duration = milliseconds.filter(|it| *it > 0).map(Duration::from_millis);
        match (name.as_str(), duration) {
            (KEEPALIVE, Some(duration)) => keepalive.0 = duration,
            (KEEPALIVE_TIMEOUT, Some(duration)) => keepalive.1 = duration,
            (known, _) if NO_MEANING.contains(&known) => {}
            _ => unused.push(name),
        }
    }
    (keepalive, unused)
}
