//! The Debian package. `[package.metadata.deb]` of the command line says what goes into it.

use anyhow::Result;
use std::path::Path;
use xtask_support::programs::succeed;
use xtask_support::tools::DEB;

/// Packs what is staged into the folder `made`. `epoch`: what its files say of their time, seconds since 1970. `is_fast`: it may be larger.
///
/// # Errors
/// When cargo-deb fails.
pub(super) fn pack(root: &Path, made: &Path, epoch: &str, is_fast: bool) -> Result<()> {
    let mut deb = DEB.command(root)?;
    deb.args(["-p", "flasher", "--no-build", "--no-strip", "--locked", "--output"]).arg(made);
    if is_fast {
        deb.arg("--fast");
    }
    succeed(deb.env("SOURCE_DATE_EPOCH", epoch))
}
