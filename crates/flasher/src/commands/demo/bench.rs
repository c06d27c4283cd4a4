//! What a demo needs, in one temporary folder: exporter YAML, flash bundle, image, an empty medium.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bundle_store::Manifest;
use flasher_core::{Error, Result, registry};
use tempfile::TempDir;

use super::image::{self, Noise};

/// Every folder is in the bench, both servers take any free port: nothing needs a privilege or a configured machine.
const EXPORTER: &str = "\
apiVersion: jumpstarter.dev/v1alpha1
kind: ExporterConfig
metadata: { name: demo }
export:
  board:
    type: sim-board
    config: { medium: medium.img, size: SIZE, bootdelay: 1 }
  storage:
    type: flasher
    config: { flasher_bundle: ./bundle, power_off_seconds: 0.1 }
    children:
      serial: { ref: board.serial }
      power: { ref: board.power }
      tftp: { type: tftp, config: { port: 0, root_dir: tftp } }
      http: { type: http, config: { port: 0, root_dir: http } }
";
/// Size of the medium for the made-up image.
const SMALL: &str = "64MiB";
/// Size of the medium for an image of the user; only what is written takes space.
const LARGE: &str = "16GiB";

/// A set-up bench; its folder goes when it is dropped.
#[derive(Debug)]
pub(super) struct Bench {
    /// What is flashed.
    pub(super) image: PathBuf,
    /// The file that is the board's medium.
    pub(super) medium: PathBuf,
    /// The exporter YAML.
    pub(super) exporter: PathBuf,
    _folder: TempDir,
}

impl Bench {
    /// Makes everything; `image` is flashed instead of a made-up one.
    ///
    /// # Errors
    /// When the image is missing or the temporary folder cannot be written.
    pub(super) fn set_up(image: Option<&Path>) -> Result<Self> {
        let given = image.map(super::absolute).transpose()?;
        let manifest = registry::board("sim").map(|board| board.manifest);
        let manifest = manifest.ok_or_else(|| {
            Error::config("this build has no board `sim`")
                .help("add `use flasher_bundles as _;` to the binary")
        })?;
        let unwritable = |error: io::Error| {
            Error::infrastructure("cannot set the demo up in the temporary folder")
                .help("set TMPDIR to a folder you may write")
                .because(error)
        };
        // Started by root, the simulation runs as another user, who must get through.
        let everyone = Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().prefix("flasher-demo-").permissions(everyone).tempdir();
        let folder = folder.map_err(unwritable)?;
        write_bundle(&folder.path().join("bundle"), manifest)?;
        let size = if given.is_some() { LARGE } else { SMALL };
        let exporter = folder.path().join("exporter.yaml");
        fs::write(&exporter, EXPORTER.replace("SIZE", size)).map_err(unwritable)?;
        for below in ["tftp", "http"] {
            fs::create_dir(folder.path().join(below)).map_err(unwritable)?;
        }
        let made = folder.path().join("demo.img");
        if given.is_none() {
            image::write(&made).map_err(unwritable)?;
        }
        let medium = folder.path().join("medium.img");
        Ok(Self { image: given.unwrap_or(made), medium, exporter, _folder: folder })
    }
}

/// A bundle of files that only have the right names and likely sizes: the simulation checks that they arrive whole.
fn write_bundle(folder: &Path, text: &str) -> Result<()> {
    let unusable = |error: bundle_store::Error| {
        Error::config("the manifest of the board `sim` cannot be used").because(error)
    };
    let unwritable =
        |error: io::Error| Error::infrastructure("cannot write the demo's bundle").because(error);
    let (manifest, _) = Manifest::parse(text, "sim.yaml").map_err(unusable)?;
    let boot = manifest.boot(None).map_err(unusable)?;
    let files = [
        Some((boot.kernel.file.as_str(), 1 << 20)),
        boot.initram.map(|file| (file.file.as_str(), 512 << 10)),
        boot.dtb.map(|(file, _)| (file, 16 << 10)),
    ];
    let mut noise = Noise::new(1);
    for (file, length) in files.into_iter().flatten() {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap_or(folder)).map_err(unwritable)?;
        fs::write(path, noise.bytes(length)).map_err(unwritable)?;
    }
    fs::write(folder.join("manifest.yaml"), text).map_err(unwritable)
}
