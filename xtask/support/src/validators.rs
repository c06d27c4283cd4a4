//! Brings the validators of others that reports are held to, in an environment of their own below `target`.

use crate::python_environment::PythonEnvironment;
use anyhow::Result;
use std::path::Path;

const VALIDATORS: PythonEnvironment = PythonEnvironment {
    folder: "validators-1",
    packages: &[
        "check-jsonschema==0.39.0",
        "cyclonedx-python-lib[json-validation]==11.12.0",
        "in-toto-attestation==0.9.3",
        "junitparser==5.0.3",
        "kcidb-io==141",
        "lxml==6.1.3",
        "securesystemslib[crypto]==1.6.0",
    ],
};

/// Makes the environment when it is missing or old.
///
/// # Errors
/// When Python 3.11 or the packages cannot be had.
pub fn ensure(root: &Path) -> Result<()> {
    VALIDATORS.ensure(root)
}
