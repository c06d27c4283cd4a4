//! The scripts of a lab that run around a lease, as a file has them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use strict_yaml::Problem;

/// How long a hook may take when the file does not say.
const TIMEOUT: u32 = 120;

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

/// Scripts that run around a lease.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Hooks {
    /// Before clients may use the exporter.
    #[serde(default, alias = "before_lease")]
    before_lease: Option<Hook>,
    /// After the last client has gone and no flash runs any more.
    #[serde(default, alias = "after_lease")]
    after_lease: Option<Hook>,
}

/// A script that runs before or after a lease.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Hook {
    /// The script itself, or the path of a file with it. Nothing runs when it is blank.
    script: String,
    /// The program that runs it; when not given, `python3` for a file that ends in `.py`, else `/bin/sh`.
    #[serde(default)]
    exec: Option<String>,
    /// How long it may take, seconds; 120 when not given. Then all its processes are ended, and it has failed.
    #[serde(default)]
    #[schemars(range(min = 1))]
    timeout: Option<u32>,
    /// What its failure means; `warn` when not given.
    #[serde(default, alias = "on_failure")]
    on_failure: Option<OnFailure>,
}

/// The hooks before and after a lease as they are run.
pub(super) fn settings(written: Option<Hooks>, problems: &mut Vec<Problem>) -> [Option<HookSettings>; 2] {
    let Hooks { before_lease, after_lease } = written.unwrap_or_default();
    [("beforeLease", before_lease), ("afterLease", after_lease)]
        .map(|(key, written)| written.and_then(|written| hook(key, written, problems)))
}

/// The hook as it is run; none when there is nothing to run.
fn hook(key: &str, written: Hook, problems: &mut Vec<Problem>) -> Option<HookSettings> {
    let seconds = written.timeout.unwrap_or(TIMEOUT);
    if seconds == 0 {
        let path = ["hooks", key, "timeout"].map(str::to_owned);
        let problem = Problem::value(&path, "a hook with `timeout: 0` would never do anything");
        problems.push(problem.help(format!("give seconds, or leave it out for {TIMEOUT}")));
    }
    let hook = HookSettings {
        script: written.script,
        interpreter: written.exec,
        timeout: Duration::from_secs(u64::from(seconds)),
        on_failure: written.on_failure.unwrap_or_default(),
    };
    Some(hook).filter(|hook| !hook.script.trim().is_empty())
}
