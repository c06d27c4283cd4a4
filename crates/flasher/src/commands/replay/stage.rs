//! What a recording is played on: a folder with a bundle of the right names and lengths, and an image of the right length.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use flasher_core::leftovers::{self, InUse};
use flasher_core::{Error, Result};
use job_recording::Recording;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How the names of the folders begin.
const PREFIX: &str = "flasher-replay-";
/// Length of an image whose length the recorded job never knew, bytes.
const UNKNOWN: u64 = 1 << 20;
/// What the recorded flasher had to find is not there any more: these keys are left out.
const ELSEWHERE: [&str; 6] = ["board", "cacert", "signature_key", "cache_dir", "tftp_dir", "http_dir"];

/// The folder; it goes when this is dropped.
#[derive(Debug)]
pub(super) struct Stage {
    folder: TempDir,
    _in_use: InUse,
}

impl Stage {
    /// Makes everything. Blocks.
    ///
    /// # Errors
    /// When the temporary folder cannot be written.
    pub(super) fn set_up(recording: &Recording) -> Result<Self> {
        leftovers::sweep(&std::env::temp_dir(), PREFIX);
        let make = || tempfile::Builder::new().prefix(PREFIX).tempdir();
        let (folder, in_use) =
            leftovers::made(make, |folder| folder.path().to_owned()).map_err(unwritable)?;
        let stage = Self { folder, _in_use: in_use };
        stage.fill(recording).map_err(unwritable)?;
        Ok(stage)
    }

    fn fill(&self, recording: &Recording) -> io::Result<()> {
        let head = &recording.head;
        for below in ["bundle", "tftp", "http", "state"] {
            fs::create_dir(self.folder().join(below))?;
        }
        let bundle = self.folder().join("bundle");
        for (name, length) in head.files.iter().filter(|(name, _)| is_below(name)) {
            sparse(&bundle.join(name), *length)?;
        }
        if let Some(manifest) = &head.manifest {
            fs::write(bundle.join("manifest.yaml"), manifest.to_string())?; // JSON is YAML
        }
        sparse(&self.image(), head.image_length.unwrap_or(UNKNOWN))
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The image: zeros, as nothing reads it.
    pub(super) fn image(&self) -> PathBuf {
        self.folder().join("image")
    }

    /// The config of the recorded flasher, for what is here.
    pub(super) fn config(&self, recording: &Recording) -> Value {
        let mut config = recording.head.config.clone();
        if let Some(keys) = config.as_object_mut() {
            ELSEWHERE.iter().for_each(|key| drop(keys.remove(*key)));
            keys.insert("manifest".to_owned(), json!("manifest.yaml"));
            keys.insert("require_signature".to_owned(), json!(false));
            keys.insert("state_dir".to_owned(), json!("state"));
            keys.insert("record_failures".to_owned(), json!(0));
            keys.insert("variant".to_owned(), json!(recording.head.variant));
            let bundle = recording.head.manifest.is_some().then_some("./bundle");
            keys.insert("flasher_bundle".to_owned(), json!(bundle));
        }
        config
    }
}

/// A file of zeros that takes no room.
fn sparse(path: &Path, length: u64) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    File::create(path)?.set_len(length)
}

/// A recording may come from anywhere: its files stay below the folder.
fn is_below(name: &str) -> bool {
    Path::new(name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

fn unwritable(error: io::Error) -> Error {
    Error::infrastructure("cannot set up what the recording is played on")
        .help("set TMPDIR to a folder you may write")
        .because(error)
}
