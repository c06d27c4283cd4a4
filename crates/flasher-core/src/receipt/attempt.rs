//! Who ran a job, where, and how each of its attempts went.

use std::collections::BTreeMap;

use rustix::system::uname;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::power::{PowerEvidence, PowerState};
use crate::step::Step;

/// Who ran a job, and on which bench.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Site {
    /// What the exporter YAML calls the bench (`metadata.name`).
    pub exporter: Option<String>,
    /// Dotted path of the flasher in the exporter YAML.
    pub node: Option<String>,
    /// Name of the machine that ran the job.
    pub host: Option<String>,
    /// The user who ran it: the login name, or the number of one without a name.
    pub user: Option<String>,
}

impl Site {
    /// This machine and the user of this process, with no bench named yet. Reads `/etc/passwd`.
    pub fn here() -> Self {
        let host = uname().nodename().to_string_lossy().into_owned();
        let id = rustix::process::geteuid().as_raw();
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let user = user(&accounts, id).unwrap_or_else(|| id.to_string());
        Self { host: Some(host).filter(|it| !it.is_empty()), user: Some(user), ..Self::default() }
    }
}

/// The name of the user `id` in a text as in `/etc/passwd` (passwd(5)).
fn user(accounts: &str, id: u32) -> Option<String> {
    let mut lines = accounts.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| {
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(id)).then(|| name.to_owned())
    })
}

/// How one attempt of a job went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptFacts {
    /// When it began: RFC 3339, UTC.
    pub begun: String,
    /// Duration, seconds, without the pause after it.
    pub seconds: f64,
    /// Duration of each of its steps, over all images, seconds.
    pub steps: BTreeMap<Step, f64>,
    /// Why it failed; none for the attempt that did not.
    pub failure: Option<Failure>,
    /// State that the board's power was left in.
    pub power: PowerState,
    /// How sure that state is.
    pub power_evidence: PowerEvidence,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_the_name_of_the_accounts_file() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\nbroken\nlab:x:1000:1000::/home/lab:/bin/sh\n";
        assert_eq!(user(accounts, 1000).as_deref(), Some("lab"));
        assert_eq!(user(accounts, 0).as_deref(), Some("root"));
        assert_eq!(user(accounts, 7), None);
        let here = Site::here();
        assert!(here.host.is_some() && here.user.is_some() && here.node.is_none(), "{here:?}");
    }
}
