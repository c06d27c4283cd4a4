//! What a demo needs, in one temporary folder: exporter YAML, flash bundle, image, an empty medium.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bundle_store::Manifest;
use disk_image::Digest;
use flasher_core::leftovers::{self, InUse};
use flasher_core::{Class, Error, Result, registry};
use tempfile::TempDir;

use super::emulated::EmulatedBoard;
use super::fault::{Damage, Fault};
use super::image::{self, Noise};
use crate::render::units::shown;

/// Every folder is in the bench.
const EXPORTER: &str = "\
apiVersion: jumpstarter.dev/v1alpha1
kind: ExporterConfig
metadata: { name: demo }
export:
  board:
    BOARD
  storage:
    type: flasher
    config: { WAY, power_off_seconds: OFFFURTHER }
    children:
      serial: { ref: board.serial }
      power: { ref: board.power }
      tftp: { type: tftp, config: { port: PORT, root_dir: tftp } }
      http: { type: http, config: { port: 0, root_dir: http } }
";
const SIM: &str = "type: sim-board
    config: { medium: medium.img, size: SIZE, bootdelay: 1FAULTS }";
const QEMU: &str = "type: qemu-board
    config:
      model: MODEL
      disk: { kind: KIND, file: medium.img, size: SIZE }
      network: { tap: flasher0, address: 10.77.0.1/24, board: 10.77.0.50, dhcp: true }";
/// Size of the medium for the made-up image.
const SMALL: &str = "64MiB";
/// Size of the medium for an image of the user; only what is written takes space.
const LARGE: &str = "16GiB";

/// The board of a bench.
#[derive(Clone, Debug)]
pub(super) enum Board {
    /// Simulated. Both servers take any free port: nothing needs a privilege or a configured machine.
    Sim {
        /// The boot loader writes the image; nothing is booted.
        by_boot_loader: bool,
        /// What goes wrong.
        fault: Option<&'static Fault>,
    },
    /// Emulated. A real U-Boot asks on the standard port of TFTP, which a sandbox has free.
    Qemu {
        /// Which one.
        emulated: EmulatedBoard,
        /// Folder with what the board boots to write the image; none where its boot loader writes it.
        bundle: Option<PathBuf>,
    },
}

/// A set-up bench; its folder goes when it is dropped.
#[derive(Debug)]
pub(super) struct Bench {
    /// What is flashed.
    pub(super) image: PathBuf,
    /// The SHA-256 it is said to have; none when nothing is said.
    pub(super) sha256: Option<String>,
    /// The file that is the board's medium.
    pub(super) medium: PathBuf,
    /// The exporter YAML.
    pub(super) exporter: PathBuf,
    _folder: TempDir,
    _in_use: InUse,
}

/// How the names of benches begin.
const PREFIX: &str = "flasher-demo-";

impl Bench {
    /// Makes everything for `board`; `image` is flashed instead of a made-up one.
    ///
    /// # Errors
    /// When the image is missing or the temporary folder cannot be written.
    pub(super) fn set_up(board: &Board, image: Option<&Path>) -> Result<Self> {
        let given = image.map(absolute).transpose()?;
        // Started by root, the simulation runs as another user, who must get through.
        let everyone = Permissions::from_mode(0o755);
        leftovers::sweep(&std::env::temp_dir(), PREFIX);
        let make = || tempfile::Builder::new().prefix(PREFIX).permissions(everyone.clone()).tempdir();
        let (folder, in_use) =
            leftovers::made(make, |folder| folder.path().to_owned()).map_err(unwritable)?;
        if let Board::Sim { by_boot_loader: false, .. } = board {
            write_bundle(&folder.path().join("bundle"), sim_manifest()?)?;
        }
        let fault = match board {
            Board::Sim { fault, .. } => *fault,
            Board::Qemu { .. } => None,
        };
        let own = if given.is_some() { LARGE } else { SMALL };
        let size = fault.and_then(|fault| fault.size).unwrap_or(own);
        let exporter = folder.path().join("exporter.yaml");
        fs::write(&exporter, yaml(board, size)).map_err(unwritable)?;
        for below in ["tftp", "http"] {
            fs::create_dir(folder.path().join(below)).map_err(unwritable)?;
        }
        let made = folder.path().join("demo.img");
        if given.is_none() {
            image::write(&made).map_err(unwritable)?;
        }
        let medium = folder.path().join("medium.img");
        if fault.is_some_and(|fault| fault.medium_boots) {
            fs::copy(&made, &medium).map_err(unwritable)?;
        }
        let damage = fault.map_or(Damage::None, |fault| fault.damage);
        let sha256 = damaged(&made, damage).map_err(unwritable)?;
        Ok(Self { sha256, image: given.unwrap_or(made), medium, exporter, _folder: folder, _in_use: in_use })
    }
}

/// Damages a made image; gives the digest that it had.
fn damaged(image: &Path, damage: Damage) -> io::Result<Option<String>> {
    if damage == Damage::None {
        return Ok(None);
    }
    let mut bytes = fs::read(image)?;
    let digest = Digest::of(&bytes);
    match damage {
        Damage::CutShort => bytes.truncate(bytes.len() / 2),
        Damage::OneBit => bytes.iter_mut().skip(5 << 20).take(1).for_each(|byte| *byte ^= 4),
        Damage::None => {}
    }
    fs::write(image, bytes)?;
    Ok(Some(digest.to_string()))
}

/// A path that does not depend on the current folder.
///
/// # Errors
/// When there is nothing there.
pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().map_err(|error| {
        Error::new(Class::Source, format!("cannot open the image `{}`", path.display())).because(error)
    })
}

/// The exporter YAML of a bench with a medium of `size`.
fn yaml(board: &Board, size: &str) -> String {
    let (node, off, port) = match board {
        Board::Sim { fault, .. } => {
            (SIM.replace("FAULTS", &fault.map_or(String::new(), Fault::of_board)), "0.1", "0")
        }
        Board::Qemu { emulated, .. } => {
            (QEMU.replace("MODEL", emulated.model).replace("KIND", emulated.disk), "0", "69")
        }
    };
    // A text of JSON is one of YAML.
    let of_bundle = |folder: &Path| format!("flasher_bundle: {}", serde_json::Value::from(shown(folder)));
    let way = match board {
        Board::Sim { by_boot_loader: false, .. } => of_bundle(Path::new("./bundle")),
        Board::Qemu { bundle: Some(bundle), .. } => of_bundle(bundle),
        Board::Sim { .. } => "via: uboot, targets: { emmc: mmc 0 }".to_owned(),
        Board::Qemu { emulated: EmulatedBoard { device, medium_holds_bootloader, .. }, .. } => format!(
            "via: uboot, targets: {{ disk: {device} }}, medium_holds_bootloader: {medium_holds_bootloader}"
        ),
    };
    let further = match board {
        Board::Sim { fault: Some(fault), .. } => fault.of_flasher(),
        _ => String::new(),
    };
    let node = EXPORTER
        .replace("BOARD", &node)
        .replace("FURTHER", &further)
        .replace("SIZE", size)
        .replace("OFF", off)
        .replace("PORT", port);
    // Last, for a path may hold any of these words.
    node.replace("WAY", &way)
}

fn sim_manifest() -> Result<&'static str> {
    registry::board("sim").map(|board| board.manifest).ok_or_else(|| {
        Error::config("this build has no board `sim`").help("add `use flasher_bundles as _;` to the binary")
    })
}

fn unwritable(error: io::Error) -> Error {
    Error::infrastructure("cannot set the demo up in the temporary folder")
        .help("set TMPDIR to a folder you may write")
        .because(error)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::demo::emulated::{ARM64, ORANGEPI};
    use crate::commands::demo::fault::FAULTS;
    use exporter_yaml::Document;

    #[test]
    fn demo_exporters_have_all_nodes() {
        let odd = PathBuf::from("/a b/\"c\": SIZE, #d");
        let boards = [
            Board::Sim { by_boot_loader: false, fault: None },
            Board::Sim { by_boot_loader: true, fault: None },
            Board::Qemu { emulated: ARM64, bundle: Some(odd.clone()) },
            Board::Qemu { emulated: ORANGEPI, bundle: None },
        ];
        for board in boards {
            let text = yaml(&board, SMALL);
            let document = Document::parse("exporter.yaml", Path::new(""), &text);
            assert!(document.is_ok(), "{text}");
            assert!(text.contains("size: 64MiB"), "{text}");
        }
        let text = yaml(&Board::Qemu { emulated: ARM64, bundle: Some(odd) }, LARGE);
        for fault in FAULTS {
            let text = yaml(&Board::Sim { by_boot_loader: fault.by_boot_loader, fault: Some(fault) }, SMALL);
            assert!(Document::parse("exporter.yaml", Path::new(""), &text).is_ok(), "{text}");
        }
        assert!(text.contains(r#"flasher_bundle: "/a b/\"c\": SIZE, #d", power_off_seconds: 0 }"#), "{text}");
        assert!(text.contains("tftp, config: { port: 69,"), "{text}");
    }
}
