//! A lease, and what happens to it.

/// A lease of this exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// What the controller calls it.
    pub(crate) name: String,
    /// Who has it; none when the controller does not say.
    pub(crate) client: Option<String>,
}

/// Which hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HookKind {
    Before,
    After,
}

impl HookKind {
    /// Its key in the exporter YAML.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Before => "beforeLease",
            Self::After => "afterLease",
        }
    }
}

/// How a hook ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HookOutcome {
    /// As it should.
    Passed,
    /// Not as it should, which is only a warning.
    Warned(String),
    /// Not as it should, which ends the lease.
    EndsLease(String),
    /// Not as it should, which ends the exporter.
    EndsExporter(String),
}
