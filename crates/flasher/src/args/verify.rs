//! What `verify-receipt` takes.

use std::path::PathBuf;

use clap::Args as ClapArgs;

#[derive(ClapArgs)]
pub(crate) struct VerifyArgs {
    /// The receipt, as `--receipt` keeps it
    pub(crate) receipt: PathBuf,
    /// The image it should be of: a file, an http(s) URL or `-`
    pub(crate) image: Option<String>,
    /// Block map (bmap) that the image was flashed with; without this, the one beside the image when the receipt tells of one
    #[arg(long, value_name = "FILE|URL", requires = "image")]
    pub(crate) bmap: Option<String>,
    /// Use no block map
    #[arg(long, conflicts_with = "bmap", requires = "image")]
    pub(crate) no_bmap: bool,
}
