//! Where bundles come from: the cache and registries, as the options say.

use bundle_store::{Access, OciError, Reference, Store};
use flasher_core::{Blamed, Error, Result, registry};

use super::args::{AccessArgs, CacheArgs};
use crate::failure::Failure;

/// How registries are reached.
pub(super) fn access(args: &AccessArgs) -> Access {
    Access { plain_http: args.plain_http.clone(), cacert: args.cacert.clone(), architecture: None }
}

/// The cache.
pub(super) fn store(args: &CacheArgs, access: Access) -> Store {
    Store::new(&args.cache_dir, access)
}

/// Reads the name of a bundle in a registry.
///
/// # Errors
/// When it is none.
pub(super) fn reference(text: &str) -> Result<Reference, Failure> {
    text.parse().map_err(failed)
}

/// The manifest of a board of this build, for bundles that inherit from one.
pub(super) fn text_of_board(name: &str) -> Option<String> {
    registry::board(name).map(|board| board.manifest.to_owned())
}

/// An error of the library with its class and what to do next.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn failed(error: OciError) -> Failure {
    Error::blamed(error.blame(), error.to_string()).into()
}
