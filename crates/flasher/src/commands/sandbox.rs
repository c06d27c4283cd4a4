//! `flasher sandbox`: a command in namespaces of its own.

use std::ffi::OsString;

use flasher_core::Result;

use crate::failure::Failure;
use crate::sandbox;

/// Runs the command and gives its exit code.
pub(super) async fn run(command: &[OsString]) -> Result<u8, Failure> {
    Ok(sandbox::run(command, &[]).await?)
}
