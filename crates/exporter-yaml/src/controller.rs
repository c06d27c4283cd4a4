//! What a file says of the controller of a lab: where it is, who this exporter is there, and what runs around a lease.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use strict_yaml::{Problem, YamlNode, read};

use crate::document::Document;
use crate::finding::Findings;
use crate::path::below;

/// Keys of the file that are not about the controller.
const OTHERS: &[&str] =
    &["apiVersion", "kind", "description", "motd", "python", "export", "grpcConfig", "failureDetection"];
/// Options of gRPC that are honoured, in milliseconds; and one that has no meaning where pings are not bounded.
const KEEPALIVE: &str = "grpc.keepalive_time_ms";
const KEEPALIVE_TIMEOUT: &str = "grpc.keepalive_timeout_ms";
const NO_MEANING: [&str; 3] =
    ["grpc.keepalive_permit_without_calls", "grpc.http2.max_pings_without_data", "grpc.lb_policy_name"];

/// What an exporter has to know to live under a controller.
#[derive(Clone, Debug)]
pub struct ControllerSettings {
    /// Where the controller is, `host:port`.
    pub endpoint: String,
    /// The exporter's namespace there.
    pub namespace: String,
    /// The exporter's name there.
    pub name: String,
    /// What it proves itself with.
    pub token: ControllerToken,
    /// PEM of the authority that signs the certificates of controller and router; none for the system's own.
    pub authority: Option<Vec<u8>>,
    /// Whether any certificate will do.
    pub insecure: bool,
    /// How often a silent connection is asked for a sign of life, and how long that may take.
    pub keepalive: (Duration, Duration),
    /// Options of gRPC that have no effect here.
    pub unused_options: Vec<String>,
    /// What runs before a lease.
    pub before_lease: Option<HookSettings>,
    /// What runs after a lease.
    pub after_lease: Option<HookSettings>,
    /// Whether the exporter ends after one lease.
    pub exit_on_lease_end: bool,
}

/// The token of an exporter. It is never printed.
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

/// A script of the lab that runs before or after a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookSettings {
    /// The script itself, or the path of a file with it.
    pub script: String,
    /// Which program runs it; none for the usual one.
    pub interpreter: Option<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// What its failure means.
    pub on_failure: OnFailure,
}

/// What follows when a hook fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnFailure {
    /// The client reads a warning, and the lease goes on.
    #[default]
    Warn,
    /// The lease ends.
    EndLease,
    /// The lease ends, and the exporter goes.
    Exit,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[serde(default)]
    metadata: Option<Metadata>,
    #[serde(default)]
    endpoint: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    tls: Option<WrittenTls>,
    #[serde(default)]
    grpc_options: Option<BTreeMap<String, OptionValue>>,
    #[serde(default)]
    hooks: Option<WrittenHooks>,
    #[serde(default)]
    exit_on_lease_end: Option<bool>,
}

#[derive(Default, Deserialize, JsonSchema)]
struct Metadata {
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
struct WrittenTls {
    #[serde(default)]
    ca: Option<String>,
    #[serde(default)]
    insecure: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum OptionValue {
    Whole(i64),
    Text(String),
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WrittenHooks {
    #[serde(default)]
    before_lease: Option<WrittenHook>,
    #[serde(default)]
    after_lease: Option<WrittenHook>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WrittenHook {
    script: String,
    #[serde(default)]
    exec: Option<String>,
    #[serde(default)]
    timeout: Option<u32>,
    #[serde(default)]
    on_failure: Option<OnFailure>,
}

/// Reads what a file says of its controller. `variable` gives the variables of the environment: JMP_NAMESPACE and JMP_NAME stand in for
/// `metadata` that is not there, JMP_GRPC_INSECURE=1 is `tls.insecure`.
///
/// # Errors
/// Every missing key and every value of the wrong shape.
pub fn controller(
    document: &Document,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<ControllerSettings, Findings> {
    let root = document.root();
    let schema = schema_for!(Written).to_value();
    let written: Written =
        read(&root.clone().without(OTHERS), &schema).map_err(|problems| document.place(problems))?;
    let mut problems = Vec::new();
    let settings = settings(root, written, variable, &mut problems);
    settings.filter(|_| problems.is_empty()).ok_or_else(|| document.place(problems))
}

fn settings(
    root: &YamlNode,
    written: Written,
    variable: impl Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) -> Option<ControllerSettings> {
    let is_said = |text: &String| !text.is_empty();
    let metadata = written.metadata.unwrap_or_default();
    let mut needed = |path: [&str; 2], value: Option<String>, help: &str| {
        let value = value.filter(is_said);
        if value.is_none() {
            let path: Vec<_> =
                path.iter().filter(|part| !part.is_empty()).map(|it| (*it).to_owned()).collect();
            let message = format!("`{}` is missing, which a controller needs", path.join("."));
            let at = if root.get(&path[0]).is_some() { &path[..1] } else { &[] };
            problems.push(Problem::key(at, message).help(help));
        }
        value
    };
    let namespace = metadata.namespace.filter(is_said).or_else(|| variable("JMP_NAMESPACE"));
    let name = metadata.name.filter(is_said).or_else(|| variable("JMP_NAME"));
    let namespace = needed(
        ["metadata", "namespace"],
        namespace,
        "the lab's administrator knows it, or set JMP_NAMESPACE",
    );
    let name =
        needed(["metadata", "name"], name, "give the name of the exporter in the lab, or set JMP_NAME");
    let endpoint = needed(["endpoint", ""], written.endpoint, "give the controller's address as HOST:PORT");
    let token = needed(
        ["token", ""],
        written.token,
        "the lab's administrator has it: it is in the secret `NAME-exporter`",
    );
    let endpoint = endpoint.filter(|it| is_address(it, problems));
    let tls = written.tls.unwrap_or_default();
    let authority = tls.ca.filter(is_said).and_then(|ca| authority(&ca, problems));
    let (keepalive, unused_options) = options(written.grpc_options.unwrap_or_default());
    let hooks = written.hooks.unwrap_or_default();
    let unverified = ["JMP_GRPC_INSECURE", "JUMPSTARTER_GRPC_INSECURE"];
    Some(ControllerSettings {
        endpoint: endpoint?,
        namespace: namespace?,
        name: name?,
        token: ControllerToken(token?.trim().to_owned()),
        authority,
        insecure: tls.insecure.unwrap_or(false)
            || unverified.iter().any(|it| variable(it).as_deref() == Some("1")),
        keepalive,
        unused_options,
        before_lease: hooks.before_lease.and_then(hook),
        after_lease: hooks.after_lease.and_then(hook),
        exit_on_lease_end: written.exit_on_lease_end.unwrap_or(false),
    })
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
    let pem = BASE64_STANDARD.decode(packed).ok();
    if pem.is_none() {
        let at = ["tls".to_owned(), "ca".to_owned()];
        let help = "give the PEM file of the authority in base64, as `base64 -w0 ca.pem` prints it";
        problems.push(Problem::value(&at, "`tls.ca` is no base64").help(help));
    }
    pem
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

/// The hook as it is run; none when there is nothing to run.
fn hook(written: WrittenHook) -> Option<HookSettings> {
    let timeout = Duration::from_secs(u64::from(written.timeout.unwrap_or(120)));
    let (interpreter, on_failure) = (written.exec, written.on_failure.unwrap_or_default());
    let hook = HookSettings { script: written.script, interpreter, timeout, on_failure };
    Some(hook).filter(|hook| !hook.script.trim().is_empty())
}
