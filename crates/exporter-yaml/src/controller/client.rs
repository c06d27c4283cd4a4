//! A client file of Jumpstarter (`jmp`): which lab its user is a client of.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use strict_yaml::{Problem, read};

use super::access::{ControllerAccess, Role, WrittenAccess};
use super::shape::{Metadata, OptionValue, Tls};
use crate::document::Document;
use crate::finding::Findings;

/// How long a lease and its exporter are waited for when the file does not say, seconds.
const ACQUISITION: u32 = 7200;
const DIAL: f64 = 30.0;

/// What a client has to know to lease an exporter.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The controller, and the client there.
    pub access: ControllerAccess,
    /// How long an exporter is waited for.
    pub acquisition: Duration,
    /// How long an exporter that was leased may take to get ready.
    pub dial: Duration,
}

/// What is read of a client file; what else it has is for Jumpstarter.
#[derive(Deserialize, JsonSchema)]
struct ClientKeys {
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    metadata: Option<Metadata>,
    #[serde(default)]
    endpoint: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    tls: Option<Tls>,
    #[serde(default, rename = "grpcOptions")]
    grpc_options: Option<BTreeMap<String, OptionValue>>,
    #[serde(default)]
    leases: Option<Leases>,
}

#[derive(Default, Deserialize, JsonSchema)]
struct Leases {
    #[serde(default)]
    acquisition_timeout: Option<u32>,
    #[serde(default)]
    dial_timeout: Option<f64>,
}

#[derive(Deserialize, JsonSchema)]
struct UserKeys {
    #[serde(default)]
    config: Option<UserConfig>,
}

#[derive(Default, Deserialize, JsonSchema)]
struct UserConfig {
    #[serde(default, rename = "current-client")]
    current_client: Option<String>,
}

/// Reads a client file. `variable` gives the variables of the environment: JMP_NAMESPACE, JMP_NAME, JMP_ENDPOINT and JMP_TOKEN stand in for
/// what is not there, JMP_GRPC_INSECURE=1 is `tls.insecure`.
///
/// # Errors
/// Every missing key and every value of the wrong shape, and a file of another kind.
pub fn client(
    document: &Document,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<ClientSettings, Findings> {
    let schema = schema_for!(ClientKeys).to_value();
    let written: ClientKeys = read(document.root(), &schema).map_err(|problems| document.place(problems))?;
    let ClientKeys { kind, metadata, endpoint, token, tls, grpc_options, leases } = written;
    let mut problems = Vec::new();
    if let Some(kind) = kind.filter(|kind| kind != "ClientConfig") {
        let message = format!("expected a client file (`kind: ClientConfig`), found `{kind}`");
        problems.push(Problem::value(&["kind".to_owned()], message).help("`jmp login` writes client files"));
    }
    let access = WrittenAccess { metadata, endpoint, token, tls, grpc_options };
    let access = access.settings(Role::Client, document.root(), variable, &mut problems);
    let leases = leases.unwrap_or_default();
    let dial = Duration::try_from_secs_f64(leases.dial_timeout.unwrap_or(DIAL)).unwrap_or_default();
    if dial.is_zero() {
        let path = ["leases", "dial_timeout"].map(str::to_owned);
        problems.push(Problem::value(&path, "`dial_timeout` must be more than 0 seconds"));
    }
    let acquisition = Duration::from_secs(u64::from(leases.acquisition_timeout.unwrap_or(ACQUISITION)));
    let settings = access.map(|access| ClientSettings { access, acquisition, dial });
    settings.filter(|_| problems.is_empty()).ok_or_else(|| document.place(problems))
}

/// The name of the client that `jmp` uses when none is given, as its `config.yaml` says; none when it says none.
///
/// # Errors
/// When the file has another shape.
pub fn current_client(document: &Document) -> Result<Option<String>, Findings> {
    let schema = schema_for!(UserKeys).to_value();
    let written: UserKeys = read(document.root(), &schema).map_err(|problems| document.place(problems))?;
    Ok(written.config.and_then(|config| config.current_client).filter(|name| !name.is_empty()))
}
