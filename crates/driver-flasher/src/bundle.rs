//! Which bundle a flasher boots: a folder, or one out of a registry, by way of the cache.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bundle_store::{
    Access, Architecture, Bundle, Cached, Digest, LockFile, Manifest, PublicKey, Reference, Store, Wanted,
};
use flasher_core::{Error, Pinned, Result, registry};

use crate::blocking::blocking;
use crate::config::FlasherConfig;
use crate::trouble;

/// The bundle that is taken when neither the config nor a board names one, as in Jumpstarter.
const DEFAULT: &str = "quay.io/jumpstarter-dev/jumpstarter-flasher-test:latest";

/// Remembers the bundle that came out of a registry, so that a job does not change its mind halfway.
#[derive(Debug, Default)]
pub(crate) struct FoundBundle(tokio::sync::Mutex<Option<Arc<Cached>>>);

/// Where a bundle is, and what its files are held to.
pub(crate) struct LocalBundle {
    dir: PathBuf,
    files: BTreeMap<String, Digest>,
    notes: Vec<String>,
}

impl FoundBundle {
    /// Finds the bundle of `config`, pulling it when it has to be; relative folders are below `folder`.
    ///
    /// # Errors
    /// When there is no such bundle, or its registry does not give it.
    pub(crate) async fn find(&self, config: &FlasherConfig, folder: &Path) -> Result<LocalBundle> {
        let name = reference(config)?;
        if let Some(place) = in_folder(&name, config, folder)? {
            return Ok(place);
        }
        let mut known = self.0.lock().await;
        let cached = match known.as_ref().filter(|cached| cached.dir.is_dir()) {
            Some(cached) => Arc::clone(cached),
            None => Arc::new(pull(&name, config, folder).await?),
        };
        *known = Some(Arc::clone(&cached));
        Ok(LocalBundle {
            dir: cached.dir.clone(),
            files: cached.files().clone(),
            notes: cached.warnings.clone(),
        })
    }

    /// Has the bundle that came out of a registry looked at anew, file by file, when it is needed next. Gives whether there
    /// is one: a folder of the user's is never fetched again.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub(crate) async fn distrust(&self, config: &FlasherConfig, folder: &Path) -> Result<bool> {
        let Some(cached) = self.0.lock().await.take() else { return Ok(false) };
        let (store, digest) = (store(config, folder), cached.digest);
        blocking(move || store.distrust(digest).map_err(|error| trouble::registry(&error))).await?;
        Ok(true)
    }

    /// Pins the bundle's name to what its registry has now, and pulls that.
    ///
    /// # Errors
    /// Those of the registry and of the lock file.
    pub(crate) async fn lock(&self, config: &FlasherConfig, folder: &Path) -> Result<Option<Pinned>> {
        let name = reference(config)?;
        if in_folder(&name, config, folder)?.is_some() {
            return Ok(None);
        }
        let reference: Reference = parse(&name, config, folder)?;
        let store = store(config, folder);
        let digest = match reference.digest() {
            Some(digest) => digest,
            None => store.resolve(&reference).await.map_err(|error| trouble::registry(&error))?,
        };
        let mut lock = lock_file(folder)?;
        let cached = take(&store, &reference, Some(digest), config, folder).await?;
        let before = lock.set(&reference, digest);
        lock.save().map_err(|error| trouble::registry(&error))?;
        *self.0.lock().await = Some(Arc::new(cached));
        Ok(Some(Pinned {
            reference: reference.to_string(),
            digest: digest.prefixed(),
            before: before.map(|digest| digest.prefixed()),
            file: lock.path().to_owned(),
        }))
    }
}

/// Opens the bundle in `place`. Blocks.
///
/// # Errors
/// When its manifest is wrong.
pub(crate) fn open(place: LocalBundle, config: &FlasherConfig) -> Result<Bundle> {
    let bundle = Bundle::open_with(&place.dir, &config.manifest, &text_of_board);
    let mut bundle = bundle.map_err(|error| trouble::bundle(&error))?.expecting(place.files);
    place.notes.into_iter().for_each(|note| bundle.note(note));
    if let Some(name) = &config.board {
        bundle.complete(&board(name)?);
    }
    Ok(bundle)
}

/// The bundle that `config` names: its own, or its board's.
fn reference(config: &FlasherConfig) -> Result<String> {
    if let Some(own) = &config.flasher_bundle {
        return Ok(own.clone());
    }
    let Some(name) = &config.board else { return Ok(DEFAULT.to_owned()) };
    board(name)?.spec.bundle.ok_or_else(|| {
        Error::config(format!("the board `{name}` has no bundle of its own")).help(
            "set `flasher_bundle` to a folder with a manifest and its files, or to a reference in a registry",
        )
    })
}

/// Host and port of the registry of the configured bundle, when it is in one.
pub(crate) fn registry(config: &FlasherConfig) -> Option<String> {
    let reference: Reference = reference(config).ok()?.parse().ok()?;
    Some(reference.registry().to_owned())
}

/// The manifest of a board of this build.
///
/// # Errors
/// When there is no such board.
pub(crate) fn board(name: &str) -> Result<Manifest> {
    let board = registry::board(name).ok_or_else(|| unknown_board(name))?;
    let parsed = Manifest::parse_with(board.manifest, &format!("boards/{}.yaml", board.name), &text_of_board);
    Ok(parsed.map_err(|error| trouble::bundle(&error))?.0)
}

fn text_of_board(name: &str) -> Option<String> {
    registry::board(name).map(|board| board.manifest.to_owned())
}

/// The bundle when it is a folder: its own, or one that a user put where Jumpstarter keeps those it pulls.
fn in_folder(name: &str, config: &FlasherConfig, folder: &Path) -> Result<Option<LocalBundle>> {
    let direct = folder.join(name);
    let foreign = folder.join(&config.cache_dir).join(name.replace([':', '/'], "_"));
    let is_real = |path: &Path| std::fs::symlink_metadata(path).is_ok_and(|about| about.is_dir());
    let (dir, notes) = if direct.is_dir() {
        (direct, Vec::new())
    } else if is_real(&foreign) {
        let note = format!(
            "`{}` was put there by another program: what is in it was not checked; remove it and the bundle is pulled",
            foreign.display()
        );
        (foreign, vec![note])
    } else {
        return Ok(None);
    };
    if config.require_signature {
        return Err(Error::config(format!("`{}` is a folder, and a folder has no signature", dir.display()))
            .help("name a signed bundle in a registry, or take `require_signature` out"));
    }
    Ok(Some(LocalBundle { dir, files: BTreeMap::new(), notes }))
}

/// Looks at the certificate and the key that `config` names. Blocks.
///
/// # Errors
/// The first that is missing or is none.
pub(crate) fn check_files(config: &FlasherConfig, folder: &Path) -> Result<()> {
    if let Some(file) = &config.cacert {
        let path = folder.join(file);
        let wrong = |reason: String| {
            Error::config(format!("`cacert` is no certificate: `{}`: {reason}", path.display()))
                .with("key", "cacert")
                .help(
                    "give a PEM file with the CA of your image servers and registries, or leave `cacert` out",
                )
        };
        let text = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
        if !String::from_utf8_lossy(&text).contains("-----BEGIN CERTIFICATE-----") {
            return Err(wrong("it has no line `-----BEGIN CERTIFICATE-----`".to_owned()));
        }
    }
    key(config, folder).map(drop)
}

async fn pull(name: &str, config: &FlasherConfig, folder: &Path) -> Result<Cached> {
    let reference = parse(name, config, folder)?;
    let locked = lock_file(folder)?.pin(&reference);
    take(&store(config, folder), &reference, locked, config, folder).await
}

async fn take(
    store: &Store,
    reference: &Reference,
    locked: Option<Digest>,
    config: &FlasherConfig,
    folder: &Path,
) -> Result<Cached> {
    let key = key(config, folder)?;
    let wanted = Wanted { reference, locked, key: key.as_ref() };
    store.get(&wanted).await.map_err(|error| trouble::registry(&error))
}

fn parse(name: &str, config: &FlasherConfig, folder: &Path) -> Result<Reference> {
    if !Reference::has_registry(name) && !name.contains('@') {
        return Err(Error::config(format!("the folder of the flash bundle is not there: `{}`", folder.join(name).display()))
            .help("give the folder of a bundle in `flasher_bundle`, or a reference such as `quay.io/acme/bundle:v1`"));
    }
    name.parse().map_err(|error: bundle_store::OciError| {
        let name = disk_image::redact(name);
        let cached = folder.join(&config.cache_dir).join(name.replace([':', '/'], "_"));
        Error::config(format!("the flash bundle `{name}` is neither a folder nor in a registry"))
            .with("looked for", format!("{}, {}", folder.join(&name).display(), cached.display()))
            .help("give the folder of a bundle in `flasher_bundle`, or a reference such as `quay.io/acme/bundle:v1`")
            .because(error)
    })
}

fn store(config: &FlasherConfig, folder: &Path) -> Store {
    let access = Access {
        plain_http: config.insecure_registries.clone(),
        cacert: config.cacert.as_ref().map(|path| folder.join(path)),
        architecture: architecture(config),
    };
    Store::new(folder.join(&config.cache_dir), access)
}

/// What the config says that the board is, or else what this build knows of it.
fn architecture(config: &FlasherConfig) -> Option<Architecture> {
    let of_board = || board(config.board.as_deref()?).ok()?.spec.architecture;
    config.architecture.clone().or_else(of_board)
}

fn lock_file(folder: &Path) -> Result<LockFile> {
    LockFile::load(folder).map_err(|error| trouble::registry(&error))
}

fn key(config: &FlasherConfig, folder: &Path) -> Result<Option<PublicKey>> {
    match (&config.signature_key, config.require_signature) {
        (_, false) => Ok(None),
        (Some(path), true) => {
            let key = PublicKey::load(&folder.join(path));
            key.map(Some).map_err(|error| Error::config(error.to_string()))
        }
        (None, true) => Err(Error::config("`require_signature` is set and `signature_key` is not")
            .help("set `signature_key` to the public key, for example `cosign.pub`")),
    }
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

    fn config() -> FlasherConfig {
        FlasherConfig { cache_dir: "cache".into(), ..FlasherConfig::default() }
    }

    #[test]
    fn a_folder_that_jumpstarter_pulled_is_taken_and_told() {
        let home = tempfile::tempdir().unwrap();
        let cached = home.path().join("cache/quay.io_acme_flasher_v1");
        std::fs::create_dir_all(&cached).unwrap();
        let place = in_folder("quay.io/acme/flasher:v1", &config(), home.path()).unwrap().unwrap();
        assert_eq!(place.dir, cached);
        assert_eq!(
            place.notes,
            [format!(
                "`{}` was put there by another program: what is in it was not checked; remove it and the bundle is pulled",
                cached.display()
            )]
        );
    }

    #[test]
    fn a_folder_cannot_stand_in_for_a_signed_bundle() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join("bundle")).unwrap();
        let config = FlasherConfig { require_signature: true, ..config() };
        let error = in_folder("bundle", &config, home.path()).err().unwrap();
        assert!(
            format!("{error:?}").ends_with("/bundle` is a folder, and a folder has no signature"),
            "{error:?}"
        );
        let error = key(&config, home.path()).unwrap_err();
        assert_eq!(error.to_string(), "`require_signature` is set and `signature_key` is not");
    }

    #[tokio::test]
    async fn a_bundle_that_is_nowhere_is_named_with_its_place() {
        let config = FlasherConfig { flasher_bundle: Some("acme/flasher:v1".into()), ..config() };
        let error = FoundBundle::default().find(&config, Path::new("/lab")).await.err().unwrap();
        assert_eq!(error.to_string(), "the folder of the flash bundle is not there: `/lab/acme/flasher:v1`");
        let name = "acme/flasher@sha256:12".to_owned();
        let config = FlasherConfig { flasher_bundle: Some(name), ..config };
        let error = FoundBundle::default().find(&config, Path::new("/lab")).await.err().unwrap();
        assert_eq!(
            error.to_string(),
            "the flash bundle `acme/flasher@sha256:12` is neither a folder nor in a registry"
        );
        assert_eq!(error.context()[0].0, "looked for");
    }
}
