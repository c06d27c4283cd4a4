//! Why a job failed, and what it left on the medium.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::diagnosis::Diagnosis;
use super::on_medium::MediumState;
use crate::error::{Class, Error};
use crate::step::Step;

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// Who is to blame.
    pub class: Class,
    /// The step that failed.
    pub step: Step,
    /// What happened.
    pub cause: String,
    /// Where, in more detail.
    pub context: BTreeMap<String, String>,
    /// What to do next.
    pub help: Option<String>,
    /// The last console lines before it.
    pub console: Vec<String>,
    /// What is on the medium now; receipts of former versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium: Option<MediumState>,
    /// What made the step fail, as far as everything that was seen shows it; none where nothing but the failure itself counts, and on
    /// receipts of former versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
}

impl Failure {
    /// The failure of `step` with `error`.
    pub fn new(step: Step, error: &Error) -> Self {
        let further = error.diagnosis().and_then(|diagnosis| diagnosis.next_step.as_deref());
        Self {
            class: error.class(),
            step,
            cause: error.cause(),
            context: error.context().iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
            help: further.or(error.next_step()).map(str::to_owned),
            console: error.console_lines().to_vec(),
            medium: None,
            diagnosis: error.diagnosis().cloned(),
        }
    }

    /// The same, with what is on the medium now.
    #[must_use]
    pub fn leaves(self, medium: MediumState) -> Self {
        Self { medium: Some(medium), ..self }
    }
}
