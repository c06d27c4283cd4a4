//! Which bundle a flasher boots: a folder, or the reference of one in the cache folder.

use std::path::{Path, PathBuf};

use bundle_store::Bundle;
use flasher_core::{Error, Result, registry};

use crate::config::FlasherConfig;
use crate::trouble;

/// The bundle that is taken when neither the config nor a board names one, as in Jumpstarter.
const DEFAULT: &str = "quay.io/jumpstarter-dev/jumpstarter-flasher-test:latest";

/// Opens the bundle of `config`; relative folders are below `folder`.
///
/// # Errors
/// When there is no such bundle, or its manifest is wrong.
pub(crate) fn open(config: &FlasherConfig, folder: &Path) -> Result<Bundle> {
    let reference = reference(config)?;
    let place = place(&reference, config, folder)?;
    Bundle::open(&place, &config.manifest).map_err(|error| trouble::bundle(&error))
}

/// The bundle that `config` names: its own, or its board's.
fn reference(config: &FlasherConfig) -> Result<String> {
    if let Some(own) = &config.flasher_bundle {
        return Ok(own.clone());
    }
    let Some(name) = &config.board else { return Ok(DEFAULT.to_owned()) };
    let board = registry::board(name).ok_or_else(|| unknown_board(name))?;
    let lookup = |name: &str| registry::board(name).map(|board| board.manifest.to_owned());
    let (manifest, _) =
        bundle_store::Manifest::parse_with(board.manifest, &format!("boards/{}.yaml", board.name), &lookup)
            .map_err(|error| trouble::bundle(&error))?;
    manifest.spec.bundle.clone().ok_or_else(|| {
        Error::config(format!("the board `{name}` has no bundle of its own"))
            .help("set `flasher_bundle` to a folder with a manifest and its files")
    })
}

/// The folder of a bundle: itself, or its place in the cache (spec section 6: `:` and `/` become `_`).
fn place(reference: &str, config: &FlasherConfig, folder: &Path) -> Result<PathBuf> {
    let direct = folder.join(reference);
    if direct.is_dir() {
        return Ok(direct);
    }
    let cached = folder.join(&config.cache_dir).join(reference.replace([':', '/'], "_"));
    if cached.is_dir() {
        return Ok(cached);
    }
    Err(Error::config(format!("the flash bundle `{reference}` is neither a folder nor in the cache"))
        .with("looked for", format!("{}, {}", direct.display(), cached.display()))
        .help(format!(
            "give the folder of a bundle in `flasher_bundle`, or pull this one into the cache: `oras pull {reference} -o {}`",
            cached.display()
        )))
}

fn unknown_board(name: &str) -> Error {
    let names: Vec<&str> = registry::boards().iter().map(|board| board.name).collect();
    let hint = flasher_core::suggest::nearest(name, names.iter().copied())
        .map(|nearest| format!("did you mean `{nearest}`? "))
        .unwrap_or_default();
    Error::config(format!("unknown board `{name}`"))
        .help(format!("{hint}this build has: {}", flasher_core::suggest::list(names)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_found_in_the_cache_where_jumpstarter_keeps_it() {
        let home = tempfile::tempdir().unwrap();
        let cached = home.path().join("cache/quay.io_acme_flasher_v1");
        std::fs::create_dir_all(&cached).unwrap();
        let config = FlasherConfig { cache_dir: "cache".into(), ..FlasherConfig::default() };
        assert_eq!(place("quay.io/acme/flasher:v1", &config, home.path()).unwrap(), cached);
    }

    #[test]
    fn a_bundle_that_is_nowhere_is_named_with_both_places() {
        let config = FlasherConfig { cache_dir: "/cache".into(), ..FlasherConfig::default() };
        let error = place("acme/flasher:v1", &config, Path::new("/lab")).unwrap_err();
        assert_eq!(
            format!("{error:?}"),
            "config error: the flash bundle `acme/flasher:v1` is neither a folder nor in the cache \
             [looked for: /lab/acme/flasher:v1, /cache/acme_flasher_v1]"
        );
        assert!(error.next_step().unwrap().contains("oras pull acme/flasher:v1 -o /cache/acme_flasher_v1"));
    }
}
