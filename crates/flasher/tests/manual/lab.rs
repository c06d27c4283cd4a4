//! A folder with a simulated board, in which samples are made: the words are typed into a shell, both streams come as on a terminal.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use assert_cmd::cargo::cargo_bin;

/// What the manual calls the folder.
const SHOWN: &str = "/home/ana/bench";
/// The board of the samples, but for its faults and its bundle.
const BOARD: &str = "\
apiVersion: jumpstarter.dev/v1alpha1
kind: ExporterConfig
metadata: { name: bench }
export:
  board: { type: sim-board, config: { medium: ./medium.img, size: 64MiB, bootdelay: 1FAULTS } }
  storage:
    type: flasher
    config: { flasher_bundle: ./sim-bundle, power_off_seconds: 0.1 }
    children:
      serial: { ref: board.serial }
      power: { ref: board.power }
      tftp: { type: tftp, config: { port: 0, root_dir: tftp } }
      http: { type: http, config: { port: 0, root_dir: http } }
";
/// One board of several: its name and its faults.
const ONE_OF_SEVERAL: &str = "  \
  NAME-board: { type: sim-board, config: { medium: ./NAME.img, size: 64MiB, bootdelay: 3FAULTS } }
  NAME:
    type: flasher
    config: { flasher_bundle: ./sim-bundle, power_off_seconds: 0.1 }
    children:
      serial: { ref: NAME-board.serial }
      power: { ref: NAME-board.power }
      tftp: { ref: tftp }
      http: { ref: http }
";
const IMAGE: usize = 8 << 20;

/// The folder.
pub(crate) struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    /// With `board.yaml`, a bundle and `os.img`.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Started by root, the simulated board runs as another user, who must get through.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let lab = Self { folder };
        let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sim-bundle");
        let copied = Command::new("cp").arg("-r").arg(bundle).arg(lab.folder.path()).status().unwrap();
        assert!(copied.success());
        lab.write("board.yaml", &BOARD.replace("FAULTS", ""));
        lab.write("no-dhcp.yaml", &BOARD.replace("FAULTS", ", faults: { dhcp_fail: true }"));
        lab.write("counterfeit.yaml", &{
            let faults = ", faults: { real_size: { bytes: 4194304, beyond: wrap } }";
            BOARD.replace("FAULTS", faults).replace("./medium.img", "./counterfeit.img")
        });
        lab.write("lab.yaml", &several());
        std::fs::write(lab.folder.path().join("os.img"), image()).unwrap();
        lab
    }

    /// Writes a file of the folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// A shell's line, and what it prints, as a person sees it.
    pub(crate) fn type_in(&self, line: &str) -> String {
        let folder = self.folder.path();
        let program = cargo_bin("flasher");
        let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{line} 2>&1")]).current_dir(folder).stdin(Stdio::null());
        shell.env("PATH", path).env("HOME", folder).env("XDG_STATE_HOME", folder.join("state"));
        for name in ["FLASHER_EXPORTER", "FLASHER_CACHE_DIR", "FLASHER_PYTHON", "XDG_CACHE_HOME", "RUST_LOG"]
        {
            shell.env_remove(name);
        }
        let printed = String::from_utf8(shell.output().unwrap().stdout).unwrap();
        format!("$ {line}\n{}\n", self.shown(&printed))
    }

    /// The text with the names that the manual uses.
    fn shown(&self, text: &str) -> String {
        let text = text.replace(self.folder.path().to_str().unwrap(), SHOWN);
        let mut text = text.trim_end().to_owned();
        for (name, shown) in [("host", "lab-1"), ("user", "ana")] {
            // As a person reads it, and as it stands in JSON.
            let told = regex::Regex::new(&format!(r#"\b{name}(": "| )[\w.-]+"#)).unwrap();
            text = told.replace_all(&text, format!("{name}${{1}}{shown}")).into_owned();
        }
        text
    }
}

/// An exporter YAML with four boards, of which one does not switch.
fn several() -> String {
    let servers = "  tftp: { type: tftp, config: { port: 0, root_dir: tftp } }\n  http: { type: http, config: { port: 0, root_dir: http } }\n";
    let stuck = ", faults: { power_stuck: true }";
    let boards = [("left", ""), ("middle", ""), ("right", stuck), ("top", "")];
    let board = |(name, faults): (&str, &str)| ONE_OF_SEVERAL.replace("NAME", name).replace("FAULTS", faults);
    let boards: String = boards.into_iter().map(board).collect();
    format!(
        "apiVersion: jumpstarter.dev/v1alpha1\nkind: ExporterConfig\nmetadata: {{ name: lab }}\nexport:\n{servers}{boards}"
    )
}

/// An image with an MBR, data and zeros, always the same.
fn image() -> Vec<u8> {
    let mut seed = 3_u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    let mut image: Vec<u8> = (0..IMAGE).map(|_| next()).collect();
    image[4 << 20..6 << 20].fill(0);
    image[446..510].fill(0);
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    image
}
