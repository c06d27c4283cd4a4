//! How the keys about a lab look: for reading them, and for the published schema.

use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde_json::Value;
use strict_yaml::{Problem, YamlNode, read as read_strictly};

use super::hooks::Hooks;
use crate::written::TOP;

/// The keys that are read here.
pub(crate) const KEYS: &[&str] =
    &["metadata", "endpoint", "token", "tls", "grpcOptions", "hooks", "failureDetection", "exitOnLeaseEnd"];
/// Keys that may also be written in another way, as in Jumpstarter: the type, the key, the other way.
const ALIASES: [(&str, &str, &str); 5] = [
    ("Hooks", "beforeLease", "before_lease"),
    ("Hooks", "afterLease", "after_lease"),
    ("Hook", "onFailure", "on_failure"),
    ("FailureDetection", "maxRapidFailures", "max_rapid_failures"),
    ("FailureDetection", "rapidFailureWindow", "rapid_failure_window"),
];

/// What a file says of a lab.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LabKeys {
    /// Who this exporter is in its lab.
    #[serde(default)]
    pub(super) metadata: Option<Metadata>,
    /// Where the lab's controller is, `HOST:PORT`.
    #[serde(default)]
    pub(super) endpoint: Option<String>,
    /// What proves to the controller who this is. Keep the file private.
    #[serde(default)]
    pub(super) token: Option<String>,
    /// Whose certificates are trusted.
    #[serde(default)]
    pub(super) tls: Option<Tls>,
    /// Options of gRPC by their names. `grpc.keepalive_time_ms` and `grpc.keepalive_timeout_ms` have an effect.
    #[serde(default)]
    pub(super) grpc_options: Option<BTreeMap<String, OptionValue>>,
    /// Scripts that run around a lease.
    #[serde(default)]
    pub(super) hooks: Option<Hooks>,
    /// For Jumpstarter. It has no meaning here: the exporter tries again by itself.
    #[serde(default)]
    pub(super) failure_detection: Option<FailureDetection>,
    /// Whether the exporter ends, with exit code 0, after one lease.
    #[serde(default)]
    pub(super) exit_on_lease_end: Option<bool>,
}

/// As whom an exporter or a client is known in its lab.
#[derive(Default, Deserialize, JsonSchema)]
pub(super) struct Metadata {
    /// The namespace; JMP_NAMESPACE stands in for it.
    #[serde(default)]
    pub(super) namespace: Option<String>,
    /// The name; JMP_NAME stands in for it.
    #[serde(default)]
    pub(super) name: Option<String>,
}

/// Whose certificates are trusted.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    /// The PEM file of the authority that signs the certificates of controller and routers, in base64 (`base64 -w0 ca.pem`). Empty or left
    /// out: those that the system trusts.
    #[serde(default)]
    pub(super) ca: Option<String>,
    /// Whether any certificate will do: what is sent is encrypted, and who receives it is not known.
    #[serde(default)]
    pub(super) insecure: Option<bool>,
}

/// A value of an option of gRPC.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum OptionValue {
    /// A number.
    Whole(i64),
    /// A text.
    Text(String),
}

/// When Jumpstarter's exporter gives up.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FailureDetection {
    /// After how many failures in a row; 5 when not given.
    #[serde(default, alias = "max_rapid_failures")]
    #[schemars(range(min = 1))]
    max_rapid_failures: Option<u32>,
    /// How soon after its start an end counts as such a failure, seconds; 60 when not given.
    #[serde(default, alias = "rapid_failure_window")]
    #[schemars(range(min = 1))]
    rapid_failure_window: Option<u32>,
}

/// JSON Schema of the keys about a lab.
pub(crate) fn schema() -> Value {
    let mut schema = schema_for!(LabKeys).to_value();
    for (of, key, alias) in ALIASES {
        let known = schema["$defs"][of]["properties"][key].clone();
        schema["$defs"][of]["properties"][alias] = known;
    }
    schema
}

/// Reads the keys about a lab out of a whole file.
///
/// # Errors
/// Every unknown key below them, and every value of the wrong shape.
pub(super) fn read(root: &YamlNode) -> Result<LabKeys, Vec<Problem>> {
    let others: Vec<&str> = TOP.iter().copied().filter(|key| !KEYS.contains(key)).collect();
    read_strictly(&root.clone().without(&others), &schema())
}

/// Refuses numbers with which it would never start.
pub(super) fn check_failure_detection(written: Option<&FailureDetection>, problems: &mut Vec<Problem>) {
    let Some(written) = written else { return };
    let numbers = [
        ("maxRapidFailures", written.max_rapid_failures),
        ("rapidFailureWindow", written.rapid_failure_window),
    ];
    for (key, _) in numbers.into_iter().filter(|(_, number)| *number == Some(0)) {
        let path = ["failureDetection".to_owned(), key.to_owned()];
        problems.push(Problem::value(&path, format!("`{key}` is 0")).help("give 1 or more, or leave it out"));
    }
}
