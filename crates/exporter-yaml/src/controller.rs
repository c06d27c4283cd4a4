//! What a file says of a lab: where its controller is, who an exporter or a client is there, and what runs around a lease.

mod access;
mod client;
mod hooks;
mod shape;

pub use access::{ControllerAccess, ControllerToken};
pub use client::{ClientSettings, client, current_client};
pub use hooks::{HookSettings, OnFailure};
pub(crate) use shape::{KEYS, schema};

use strict_yaml::{Problem, YamlNode};

use self::access::{Role, WrittenAccess};
use self::shape::LabKeys;
use crate::document::Document;
use crate::finding::Findings;

/// What an exporter has to know to live under a controller.
#[derive(Clone, Debug)]
pub struct ControllerSettings {
    /// The controller, and the exporter there.
    pub access: ControllerAccess,
    /// What runs before a lease.
    pub before_lease: Option<HookSettings>,
    /// What runs after a lease.
    pub after_lease: Option<HookSettings>,
    /// Whether the exporter ends after one lease.
    pub exit_on_lease_end: bool,
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
    let written = shape::read(document.root()).map_err(|problems| document.place(problems))?;
    let LabKeys { metadata, endpoint, token, tls, grpc_options, hooks, exit_on_lease_end, .. } = written;
    let mut problems = Vec::new();
    let access = WrittenAccess { metadata, endpoint, token, tls, grpc_options };
    let access = access.settings(Role::Exporter, document.root(), variable, &mut problems);
    let [before_lease, after_lease] = hooks::settings(hooks, &mut problems);
    let exit_on_lease_end = exit_on_lease_end.unwrap_or(false);
    let settings =
        access.map(|access| ControllerSettings { access, before_lease, after_lease, exit_on_lease_end });
    settings.filter(|_| problems.is_empty()).ok_or_else(|| document.place(problems))
}

/// Looks at the keys about a lab in a file that is used without one.
pub(crate) fn check(root: &YamlNode, problems: &mut Vec<Problem>) {
    // What is no mapping is reported where nodes are looked for.
    if root.mapping().is_none() {
        return;
    }
    match shape::read(root) {
        Ok(LabKeys { hooks, failure_detection, .. }) => {
            hooks::settings(hooks, problems);
            shape::check_failure_detection(failure_detection.as_ref(), problems);
        }
        Err(found) => problems.extend(found),
    }
}
